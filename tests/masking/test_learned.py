"""A learned mask hides as many tokens as a random one, those of the highest scores (MLO-MAE's acceptance check 2)."""

import pytest
import torch

from brep_mae.masking.learned import FlatScores, LearnedMask, TokenScores
from brep_mae.seeds import generator
from brep_mae.tokens.tokens import FACE, Tokens

LENGTHS = (1, 2, 5, 9, 12)
DIM = 8


def tokens(lengths: tuple[int, ...] = LENGTHS, seed: int = 0) -> Tokens:
    x = torch.randn(len(lengths), max(lengths), DIM, generator=generator(seed))
    valid = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    x[~valid] = torch.nan  # whoever reads padding is found out
    return Tokens(x, x[..., :1], valid, torch.full((max(lengths),), FACE))


def masks(ratio: float) -> LearnedMask:
    torch.manual_seed(0)
    return LearnedMask(TokenScores(DIM, 16), ratio)


@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.75, 0.9])
def test_check_2_of_each_solid_so_many_are_hidden_and_none_scores_less_than_one_that_is_seen(ratio):
    given, mask = tokens(), masks(ratio)
    drawn, sigma = mask(given, generator(0)), mask.sigma(given)
    assert not (drawn.hidden & ~given.valid).any() and not sigma[~given.valid].any()
    for row, n in enumerate(LENGTHS):
        hidden, own = drawn.hidden[row, :n], sigma[row, :n]
        kept = max(
            1, int(n * (1 - ratio) + 1e-6)
        )  # at least one stays, which the paper's 64 patches never run short of
        assert int(hidden.sum()) == n - kept
        if n > 1:
            assert own[hidden].min() >= own[~hidden].max()


def test_check_2_of_images_as_many_as_in_the_paper():
    torch.manual_seed(0)
    x = torch.randn(3, 16, DIM)
    given = Tokens(x, x[..., :2], torch.ones(3, 16).bool(), torch.ones(16).long())
    for ratio in (0.3, 0.6, 0.75):
        mask = LearnedMask(FlatScores(16, DIM, 32), ratio)
        assert mask(given, generator(0)).hidden.sum(1).tolist() == [16 - int(16 * (1 - ratio))] * 3
    assert [tuple(p.shape) for p in mask.parameters()] == [(32, 16 * DIM), (32,), (16, 32), (16,)]


def test_scores_that_sigma_cannot_tell_apart_still_rank():
    given, mask = tokens((4,)), masks(0.5)
    mask.network.forward = lambda _: torch.tensor([[100.0, 103.0, 101.0, 102.0]])
    assert (mask.sigma(given) == 1).all()
    assert mask(given, generator(0)).hidden.tolist() == [[False, True, False, True]]


def test_the_network_learns_by_the_weights_alone_and_embeddings_learn_nothing_from_it():
    given, mask = tokens((5, 5)), masks(0.5)
    given.x.requires_grad_()
    drawn = mask(given, generator(0))
    assert not drawn.hidden.requires_grad
    drawn.weight[drawn.hidden].sum().backward()
    assert given.x.grad is None and all(bool(p.grad.any()) for p in mask.parameters())
    assert mask.eval()(given, generator(0)).weight is None, "what is evaluated counts fully"


def test_neither_order_nor_padding_nor_neighbours_move_the_score_of_a_face():
    given, mask = tokens(), masks(0.5)
    alone = mask.sigma(tokens_of(given, 2, range(5)))[0]
    turned = mask.sigma(tokens_of(given, 2, [4, 2, 0, 1, 3]))[0]
    assert torch.allclose(mask.sigma(given)[2, :5], alone, atol=1e-6)
    assert torch.allclose(turned, alone[[4, 2, 0, 1, 3]], atol=1e-6)
    other = tokens_of(given, 3, range(9))
    assert not torch.allclose(mask.sigma(other)[0, :5], alone, atol=1e-3), "control: other faces have other scores"


def tokens_of(given: Tokens, row: int, order) -> Tokens:
    x = given.x[row, list(order)][None]
    return Tokens(x, x[..., :1], torch.ones(1, len(x[0])).bool(), given.kind[: len(x[0])])
