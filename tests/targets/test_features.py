"""Which tokens a target is asked about, how their errors become a loss, and what a teacher's word is worth."""

from dataclasses import replace

import pytest
import torch

from brep_mae.masking.mask import Mask
from brep_mae.seeds import generator
from brep_mae.targets.features import Features, Latents, standardise
from brep_mae.targets.target import Asked, Target, Taught, Term, ask, mean_error
from brep_mae.tokens.tokens import FACE, PATCH, Tokens
from tests.contracts.test_methods import small
from tests.synthetic import make_batch


def tokens() -> Tokens:
    """Two samples of three faces and two faces, with two patches each."""
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 1, 1]]).bool()
    zeros = torch.zeros(2, 5, 4)
    return Tokens(zeros, zeros, valid, torch.tensor([FACE, FACE, FACE, PATCH, PATCH]))


def of(kind: int, on: str = "hidden", class_token: bool = False) -> Target:
    target = Target()
    target.kind, target.on, target.class_token = kind, on, class_token
    return target


MASK = Mask(torch.tensor([[0, 1, 1, 1, 0], [1, 0, 0, 0, 1]]).bool())


@pytest.mark.parametrize(
    "target, rows, sample",
    [
        (of(FACE), [1, 2, 3], [0, 0, 1]),
        (of(FACE, "seen"), [0, 4], [0, 1]),
        (of(PATCH), [0, 3], [0, 1]),
        (of(FACE, class_token=True), [1, 2, 3, 5, 6], [0, 0, 1, 0, 1]),
    ],
)
def test_a_target_is_asked_about_its_kind_alone_and_class_tokens_come_last(target, rows, sample):
    codes = torch.arange(12.0).view(2, 6, 1)
    asked = ask(target, codes, tokens(), MASK)
    assert asked.rows.tolist() == rows and asked.sample.tolist() == sample
    if target.class_token:
        assert asked.codes[-2:, 0].tolist() == [0.0, 6.0]


def test_every_token_or_every_sample_weighs_the_same():
    asked = Asked(torch.zeros(4, 1), torch.arange(4), torch.tensor([0, 0, 0, 2]), samples=3, weight=None)
    term = Term(torch.tensor([1.0, 1.0, 1.0, 5.0]))
    assert mean_error(term, asked, "token") == 2
    assert mean_error(term, asked, "solid") == 3, "mean of 1 and 5; the sample without tokens does not count"
    unknown = Term(term.error, torch.tensor([True, True, True, False]))
    assert mean_error(unknown, asked, "token") == mean_error(unknown, asked, "solid") == 1
    nothing = Term(term.error, torch.zeros(4, dtype=torch.bool))
    assert mean_error(nothing, asked, "token") == mean_error(nothing, asked, "solid") == 0


def test_the_weights_of_a_mask_multiply_errors_and_not_their_number():
    pretext, batch = small("mae_images"), make_batch([5], frames=True)
    draw, plain = pretext.mask.forward, pretext(batch, generator(0))["loss"]
    pretext.mask.forward = lambda t, rng: replace(draw(t, rng), weight=torch.full(t.valid.shape, 0.5))
    assert torch.isclose(pretext(batch, generator(0))["loss"], plain / 2)
    weights = torch.rand(2, 16, requires_grad=True)
    pretext.mask.forward = lambda t, rng: replace(draw(t, rng), weight=weights)
    pretext(batch, generator(0))["loss"].backward()
    assert torch.equal(weights.grad != 0, draw(pretext.tokens(batch), generator(0)).hidden)


def test_standardised_features_forget_scale_and_shift_and_stay_finite_where_constant():
    features = torch.randn(5, 16)
    assert torch.allclose(standardise(3 * features + 2), standardise(features), atol=1e-5)
    assert (standardise(torch.full((2, 16), 4.0)) == 0).all() and standardise(torch.zeros(0, 16)).shape == (0, 16)


def test_features_without_a_teacher_and_of_unknown_tokens():
    target = Features(8, 16, FACE, 2.0, class_token=False)
    batch, rows = make_batch([3]), torch.tensor([0, 2])
    with pytest.raises(ValueError, match="needs a teacher"):
        target(torch.zeros(2, 8), batch, rows, generator(0))
    known = torch.tensor([True, True, False, False])
    taught = Taught.of(batch, torch.randn(4, 16), known)
    assert target(torch.zeros(2, 8), taught, rows, generator(0))["features"].counts.tolist() == [True, False]
    assert Taught.of(taught, torch.zeros(4, 2)).features.shape == (4, 2), "a later teacher has the last word"


def test_latents_are_compared_as_they_are():
    taught = Taught.of(make_batch([3]), torch.ones(4, 16))
    term = Latents(FACE)(torch.full((2, 16), 3.0), taught, torch.tensor([0, 3]), generator(0))["latents"]
    assert term.error.tolist() == [4.0, 4.0]
