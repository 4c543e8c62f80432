import pytest
import torch

from brep_mae.masking.random import RandomMask
from brep_mae.seeds import generator
from brep_mae.tokens.tokens import FACE, Tokens


def make_tokens(n_valid: list[int]) -> Tokens:
    length = max(n_valid)
    valid = torch.arange(length) < torch.tensor(n_valid)[:, None]
    zeros = torch.zeros(len(n_valid), length, 4)
    return Tokens(zeros, zeros, valid, torch.full((length,), FACE))


COUNTS = [(2, 0.6, 1), (7, 0.6, 5), (40, 0.6, 24), (10, 0.9, 9), (100, 0.9, 90)]


@pytest.mark.parametrize("n_valid, ratio, n_hidden", COUNTS)
def test_hides_the_stated_share_and_never_padding(n_valid, ratio, n_hidden):
    """MAE check 3: counts; 10 and 100 tokens at 0.9 are where int(n * (1 - ratio)) loses one."""
    tokens = make_tokens([n_valid, 120])
    hidden = RandomMask(ratio)(tokens, generator(0)).hidden
    assert hidden[0].sum() == n_hidden
    assert not (hidden & ~tokens.valid).any()


@pytest.mark.parametrize("n_valid", [2, 3, 5, 10])
def test_at_least_one_seen_and_one_hidden_at_the_highest_ratios(n_valid):
    hidden = RandomMask(0.95)(make_tokens([n_valid]), generator(0)).hidden
    assert 1 <= hidden.sum() <= n_valid - 1


def test_a_single_token_is_never_hidden():
    assert not RandomMask(0.75)(make_tokens([1, 4]), generator(0)).hidden[0].any()


def test_masks_differ_between_samples_and_each_token_is_hidden_at_the_stated_rate():
    hidden = RandomMask(0.75)(make_tokens([64] * 512), generator(0)).hidden
    assert len({tuple(h.tolist()) for h in hidden}) == 512
    rate = hidden.float().mean(0)
    assert ((rate - 0.75).abs() < 4 * (0.75 * 0.25 / 512) ** 0.5).all()


def test_a_ratio_outside_the_open_interval_is_refused():
    with pytest.raises(ValueError, match="outside"):
        RandomMask(1.0)
