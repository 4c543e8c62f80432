"""Which tokens a target is asked about, how their errors become a loss, and what a teacher's word is worth."""

from dataclasses import replace

import pytest
import torch

from brep_mae.masking.mask import Mask
from brep_mae.seeds import generator
from brep_mae.targets.features import Features, Latents, standardise
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target
from brep_mae.targets.teacher_targets import TeacherTargets
from brep_mae.targets.terms import Term, mean_error
from brep_mae.tokens.tokens import FACE, PATCH, Tokens
from tests.contracts.test_methods import small
from tests.selected import selected
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
    "target, row, sample",
    [
        (of(FACE), [1, 2, 3], [0, 0, 1]),
        (of(FACE, "seen"), [0, 4], [0, 1]),
        (of(PATCH), [0, 3], [0, 1]),
        (of(FACE, class_token=True), [1, 2, 3, -1, -1], [0, 0, 1, 0, 1]),
    ],
)
def test_a_target_selects_its_kind_alone_and_every_column_tells_of_the_same_token(target, row, sample):
    codes, weight = torch.arange(12.0).view(2, 6, 1), torch.arange(10.0).view(2, 5)
    selection = target.select(codes, tokens(), Mask(MASK.hidden, weight), torch.tensor([1, 0]))
    assert selection.row.tolist() == row and selection.sample.tolist() == sample
    assert selection.role.tolist() == [1 - number for number in sample]
    assert selection.class_token.tolist() == [number < 0 for number in row]
    content, of_class = ~selection.class_token, selection.class_token
    assert torch.equal(weight.flatten()[selection.weight[content].long()], selection.weight[content])
    assert (selection.codes[content, 0] == selection.weight[content] + 1 + selection.sample[content]).all()
    assert (selection.codes[of_class, 0] == 6 * selection.sample[of_class]).all()
    assert (selection.weight[of_class] == 1).all()


def three_samples(weight: torch.Tensor) -> Selection:
    """Three tokens of the first sample, none of the second, one of the third."""
    row, sample = torch.arange(4), torch.tensor([0, 0, 0, 2])
    return Selection(torch.zeros(4, 1), row, sample, torch.zeros_like(row), row < 0, weight, samples=3)


def test_every_token_or_every_sample_weighs_the_same():
    selection = three_samples(torch.ones(4))
    term = Term(torch.tensor([1.0, 1.0, 1.0, 5.0]))
    assert mean_error(term, selection, "token") == 2
    assert mean_error(term, selection, "solid") == 3, "mean of 1 and 5; the sample without tokens does not count"
    unknown = Term(term.error, torch.tensor([True, True, True, False]))
    assert mean_error(unknown, selection, "token") == mean_error(unknown, selection, "solid") == 1
    nothing = Term(term.error, torch.zeros(4, dtype=torch.bool))
    assert mean_error(nothing, selection, "token") == mean_error(nothing, selection, "solid") == 0


def test_weights_multiply_errors_before_either_mean():
    selection = three_samples(torch.tensor([0.0, 1.0, 2.0, 0.5]))
    term = Term(torch.tensor([7.0, 1.0, 1.0, 4.0]))
    assert mean_error(term, selection, "token") == 5 / 4, "divided by the number of tokens, not by the sum of weights"
    assert mean_error(term, selection, "solid") == 1.5, "mean of 3 / 3 and 2 / 1"


def test_the_weights_of_a_mask_multiply_errors_and_not_their_number():
    pretext, batch = small("mae_images"), make_batch([5], frames=True)
    batch = replace(batch, frames=replace(batch.frames, face=batch.frames.face.clamp(min=0)))  # without background
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
    batch, selection = make_batch([3]), selected(torch.zeros(2, 8), torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="needs a teacher"):
        target(selection, batch)
    known = torch.tensor([True, True, False])
    targets = TeacherTargets.of(batch, torch.randn(3, 16), torch.randn(1, 16), known)
    assert target(selection, targets)["features"].counts.tolist() == [True, False]
    later = TeacherTargets.of(targets, torch.zeros(3, 2), torch.zeros(1, 2))
    assert later.features.shape == (3, 2), "a later teacher has the last word"


def test_latents_are_compared_as_they_are():
    """The second of the two tokens is the class token, whose truth is the teacher's class token."""
    targets = TeacherTargets.of(make_batch([3]), torch.ones(3, 16), torch.full((1, 16), 2.0))
    content = selected(torch.full((2, 16), 3.0), torch.tensor([0, -1]))
    selection = replace(content, class_token=torch.tensor([False, True]))
    assert Latents(FACE)(selection, targets)["latents"].error.tolist() == [4.0, 1.0]
