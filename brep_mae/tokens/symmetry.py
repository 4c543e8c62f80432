"""Equal views of a symmetric face: turns about its normal or axis after which it might be taken for itself.

A target that asks for one of them asks for the toss of a coin. The error of a prediction is that of the view that it is
nearest to, so that no prediction is wrong for having chosen another one.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from brep_mae.schema import NORMAL, POINT


@dataclass(frozen=True)
class Turns:
    """All turns there are, one in each row: index (T, side^2) of the sample that comes to lie at a place of the grid;
    angle (T,) in rad, counterclockwise; uv' = (matrix uv + shift), around once where `wraps`. `options` says which rows
    the equal views of a face are, by `Pose.turns`; the first of them is the face as it is."""

    index: Tensor
    angle: Tensor
    matrix: Tensor
    shift: Tensor
    wraps: Tensor
    options: dict[int, list[int]]


@cache
def turns_of(side: int) -> Turns:
    """Of grids with `side` samples per side, of which the first and the last are one where a face is closed."""
    place = torch.arange(side * side).view(side, side)
    eye = torch.eye(2)
    left = torch.tensor([[0.0, -1.0], [1.0, 0.0]])  # (u, v) -> (1 - v, u)
    index, matrix, shift, angle = [place], [eye], [torch.zeros(2)], [0.0]
    for number in (1, 2, 3):
        index.append(index[-1].T.flip(0))
        matrix.append(left @ matrix[-1])
        shift.append(left @ shift[-1] + torch.tensor([1.0, 0.0]))
        angle.append(number * math.pi / 2)
    for number in range(1, side - 1):
        rolled = place[:-1].roll(number, 0)
        index.append(torch.cat([rolled, rolled[:1]]))
        matrix.append(eye)
        shift.append(torch.tensor([number / (side - 1), 0.0]))
        angle.append(2 * math.pi * number / (side - 1))
    wraps = torch.arange(len(index)) > 3
    rolls = [0, *range(4, len(index))]
    flat = torch.stack(index).flatten(1)
    options = {0: rolls, 1: [0], 2: [0, 2], 4: [0, 1, 2, 3]}
    return Turns(flat, torch.tensor(angle), torch.stack(matrix), torch.stack(shift), wraps, options)


def equal_views(turns: Tensor, side: int) -> Tensor:
    """Rows of `turns_of(side)` (M, K) that are the equal views of faces with `turns` (M,); a face of fewer views than
    others has its first one several times."""
    options = turns_of(side).options
    present = sorted(set(turns.tolist()))
    most = max((len(options[kind]) for kind in present), default=1)
    which = turns.new_zeros(len(turns), most)
    for kind in present:
        own = options[kind]
        which[turns == kind, : len(own)] = torch.tensor(own, device=turns.device)
    return which


def turned_grid(grid: Tensor, which: Tensor) -> Tensor:
    """Local UV-grids (M, U, V, 7) as seen after the turns `which` (M,)."""
    table = turns_of(grid.shape[1])
    index = table.index.to(grid.device)[which]
    flat = grid.flatten(1, 2).gather(1, index[..., None].expand(-1, -1, grid.shape[-1]))
    points, normals = (turned_vectors(flat[..., part], which, grid.shape[1]) for part in (POINT, NORMAL))
    return torch.cat([points, normals, flat[..., 6:]], -1).view(grid.shape)


def turned_vectors(vectors: Tensor, which: Tensor, side: int) -> Tensor:
    """Local vectors (M, S, 3) after the turns `which` (M,)."""
    angle = turns_of(side).angle.to(vectors)[which][:, None]
    x, y, z = vectors.unbind(-1)
    return torch.stack([angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y, z], -1)


def turned_uv(uv: Tensor, which: Tensor, side: int) -> Tensor:
    """Places (M, S, 2) in the parameter box of laid-out faces after the turns `which` (M,)."""
    table = turns_of(side)
    moved = uv @ table.matrix.to(uv)[which].transpose(1, 2) + table.shift.to(uv)[which][:, None]
    u = torch.where(table.wraps.to(uv.device)[which][:, None], moved[..., 0] % 1.0, moved[..., 0])
    return torch.stack([u, moved[..., 1]], -1)


def inverse(which: Tensor, side: int) -> Tensor:
    """The turns back. Shapes: (M,) -> (M,)"""
    return torch.where(which > 3, side + 5 - which, (4 - which) % 4)


def nearest_view(errors: Tensor, which: Tensor) -> Tensor:
    """The view of least error. Shapes: (M, K) each -> (M,)"""
    return which.gather(1, errors.argmin(1, keepdim=True))[:, 0]
