"""Blocks of patches and regions of faces: exact counts, and far more connected than chance (MaskDistill check 2)."""

import numpy as np
import pytest
import torch

from brep_mae.masking.block import BlockMask
from brep_mae.masking.random import RandomMask
from brep_mae.masking.regions import RegionMask, grow
from brep_mae.seeds import generator
from brep_mae.tokens.tokens import FACE, PATCH, Arcs, Tokens


def patches(samples: int, side: int) -> Tokens:
    valid = torch.ones(samples, side * side, dtype=torch.bool)
    zeros = torch.zeros(samples, side * side, 4)
    return Tokens(zeros, zeros, valid, torch.full((side * side,), PATCH))


def faces(n_valid: list[int], pairs: list[tuple[int, int]]) -> Tokens:
    """Solids of `n_valid` faces; `pairs` of positions in the flattened tokens are neighbours."""
    length = max(n_valid)
    valid = torch.arange(length) < torch.tensor(n_valid)[:, None]
    zeros = torch.zeros(len(n_valid), length, 4)
    index = torch.tensor(pairs + [(j, i) for i, j in pairs]).reshape(-1, 2).T
    arcs = Arcs(index, torch.zeros(index.shape[1], 4), torch.zeros(index.shape[1], 4))
    return Tokens(zeros, zeros, valid, torch.full((length,), FACE), arcs)


def agreement(hidden: torch.Tensor, side: int) -> float:
    """Share of neighbouring patches that are both hidden or both seen."""
    grid = hidden.view(-1, side, side)
    pairs = [grid[:, 1:] == grid[:, :-1], grid[:, :, 1:] == grid[:, :, :-1]]
    return float(torch.cat([p.flatten() for p in pairs]).float().mean())


def test_check_2_blocks_have_the_exact_count_in_every_draw():
    hidden = BlockMask(0.4, 16)(patches(300, 14), generator(0)).hidden
    assert set(hidden.sum(1).tolist()) == {78}
    assert len({tuple(h.tolist()) for h in hidden}) > 290


def test_check_2_blocks_are_connected_well_above_random():
    tokens = patches(200, 14)
    assert agreement(BlockMask(0.4, 16)(tokens, generator(0)).hidden, 14) >= 0.8
    assert agreement(RandomMask(0.4)(tokens, generator(0)).hidden, 14) < 0.6, "control: random masking"


@pytest.mark.parametrize("side, ratio, count", [(1, 0.5, 0), (2, 0.4, 1), (3, 0.95, 8), (8, 0.4, 25), (2, 0.1, 1)])
def test_small_grids_and_extreme_ratios_hide_something_and_leave_something(side, ratio, count):
    hidden = BlockMask(ratio, 16)(patches(20, side), generator(0)).hidden
    assert set(hidden.sum(1).tolist()) == {count}


def test_a_grid_that_is_no_square_and_faces_without_arcs_are_refused():
    tokens = patches(2, 4)
    with pytest.raises(ValueError, match="square grid"):
        BlockMask(0.4, 4)(Tokens(tokens.x[:, :15], tokens.where[:, :15], tokens.valid[:, :15], tokens.kind[:15]), None)
    with pytest.raises(ValueError, match="arcs"):
        RegionMask(0.4)(tokens, generator(0))


def ring(n: int) -> list[set[int]]:
    return [{(i - 1) % n, (i + 1) % n} for i in range(n)]


def lattice(side: int) -> list[set[int]]:
    def beside(i: int) -> set[int]:
        r, c = divmod(i, side)
        around = [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
        return {a * side + b for a, b in around if 0 <= a < side and 0 <= b < side}

    return [beside(i) for i in range(side * side)]


def parts(nodes: set[int], neighbours: list[set[int]]) -> list[set[int]]:
    """Connected parts of `nodes`."""
    left, found = set(nodes), []
    while left:
        part, edge = set(), {left.pop()}
        while edge:
            part |= edge
            edge = {j for i in edge for j in neighbours[i]} & nodes - part
        found.append(part)
        left -= part
    return found


@pytest.mark.parametrize("neighbours", [ring(20), lattice(7)])
def test_check_2_regions_are_connected_and_of_two_faces_at_least(neighbours):
    rng = np.random.default_rng(0)
    count = int(0.4 * len(neighbours))
    for _ in range(200):
        hidden = grow(neighbours, count, rng)
        assert len(hidden) == count
        assert min(map(len, parts(hidden, neighbours))) >= 2
    loose = [set(rng.choice(len(neighbours), count, replace=False).tolist()) for _ in range(200)]
    assert any(min(map(len, parts(h, neighbours))) == 1 for h in loose), "control: random faces do lie alone"


def test_isolated_faces_and_small_components_do_not_hang_and_keep_the_count():
    rng = np.random.default_rng(0)
    pairs_alone = [{1}, {0}, {3}, {2}, set(), set()]
    for neighbours in ([set() for _ in range(6)], pairs_alone):
        for count in range(1, 6):
            assert len(grow(neighbours, count, rng)) == count


def test_regions_in_a_batch_keep_to_their_solid_and_never_take_padding():
    tokens = faces([5, 1, 10], [(0, 1), (1, 2), (3, 4)] + [(20 + i, 21 + i) for i in range(9)])
    for seed in range(20):
        hidden = RegionMask(0.4)(tokens, generator(seed)).hidden
        assert hidden.sum(1).tolist() == [2, 0, 4]
        assert not (hidden & ~tokens.valid).any()
