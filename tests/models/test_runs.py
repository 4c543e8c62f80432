"""Samples of many tokens attend in runs: what that says, in other words, and that nothing else changes."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.models import blocks
from brep_mae.models.blocks import Stack
from brep_mae.settings import SizeParams
from tests.synthetic import GRID, make_batch

RUN, MOST = 6, 12
SIZE = SizeParams(dim=8, depth=4, heads=2)


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    monkeypatch.setattr(blocks, "RUN", RUN)
    monkeypatch.setattr(blocks, "MOST_AT_ONCE", MOST)


def stack() -> Stack:
    torch.manual_seed(0)
    return Stack(SIZE).eval()


def run_by_run(block: torch.nn.Module, x: Tensor, ahead: int) -> Tensor:
    """One sample (1 + N, D), each run cut out and given to the block by itself."""
    ends = [0, *range(RUN - ahead, len(x) - 1, RUN), len(x) - 1]
    tokens, class_tokens = [], []
    for low, high in pairwise(ends):
        out = block(torch.cat([x[:1], x[1 + low : 1 + high]])[None])[0]
        tokens.append(out[1:])
        class_tokens += [out[:1]] * (high - low)
    return torch.cat([torch.stack(class_tokens).mean(0), *tokens])


@pytest.mark.parametrize("length", [12, 13, 18, 29])
@torch.no_grad()
def test_tokens_attend_to_their_run_and_to_the_class_token(length):
    network, x = stack(), torch.randn(1 + length, SIZE.dim)
    expected = x
    for i, block in enumerate(network.blocks):
        expected = run_by_run(block, expected, (i % 2) * RUN // 2)
    found = network(x[None], torch.ones(1, 1 + length, dtype=torch.bool))
    torch.testing.assert_close(found[0], network.norm(expected), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_sample_that_is_short_enough_attends_as_a_whole(monkeypatch):
    network, x = stack(), torch.randn(1, MOST, SIZE.dim)
    valid = torch.ones(1, MOST, dtype=torch.bool)
    found = network(x, valid)
    monkeypatch.setattr(blocks, "MOST_AT_ONCE", 1 << 20)
    torch.testing.assert_close(found, network(x, valid), rtol=0, atol=0)
    longer = torch.randn(1, MOST + 1, SIZE.dim)
    whole = network(longer, torch.ones(1, MOST + 1, dtype=torch.bool))
    monkeypatch.setattr(blocks, "MOST_AT_ONCE", MOST)
    assert not torch.allclose(network(longer, torch.ones(1, MOST + 1, dtype=torch.bool)), whole, atol=1e-3)


@pytest.mark.parametrize("name", ["mae_faces", "hybrid_pure"])
@torch.no_grad()
def test_a_solid_has_its_own_numbers_whatever_lies_beside_it(name):
    """Long and short ones, also two long ones of which one needs more runs."""
    torch.manual_seed(0)
    backbone = build(name, settings.load().methods[name], DataSpec(GRID, 16)).backbone().eval()
    sizes = [40, 7, 23, 11, 12]
    together = backbone(make_batch(sizes))
    first = 0
    for i, n in enumerate(sizes):
        alone = backbone(make_batch(sizes[: i + 1]))
        torch.testing.assert_close(together.face[first : first + n], alone.face[first:], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together.solid[i], alone.solid[i], rtol=1e-4, atol=1e-5)
        first += n


def test_what_one_token_holds_reaches_the_next_run_and_the_class_token_both_ways():
    network = stack()
    x = torch.randn(1, 1 + 4 * RUN, SIZE.dim, requires_grad=True)
    valid = torch.ones(1, 1 + 4 * RUN, dtype=torch.bool)
    out = network(x, valid)
    for read in (0, 1, 2 * RUN, 4 * RUN):
        (gradient,) = torch.autograd.grad(out[0, read].square().sum(), x, retain_graph=True)
        assert (gradient[0].abs().sum(1) > 0).all(), read
