"""A face's own reference frame, which neither the way the solid lies nor the way the CAD system wrote the face's
parameters can change.

Directions follow from the moments of what lies inside the trimming loops, weighted by area, as principal axes do. A
grid whose parameters are exchanged or run backwards has the same frame and, laid out along it, the same samples.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae.schema import INSIDE, NORMAL, POINT

LEAST_NORMAL = 0.05
"""A mean normal shorter than this tells no side: the face goes (almost) all the way round an axis."""
LEAST_CHORD = 0.05
"""Mean chords across a face that are shorter than this share of its size: it closes upon itself."""
SAME_MOMENT = 0.02
"""By this share of their sum two principal moments must differ, else no axis is longer than the other."""
SAME_SIDE = 0.01
"""Third moments, over the cube of the size, that are smaller tell no side from the other."""
SAME_CHORD = 0.01
THIN = 0.1
"""Where the samples inside spread less than this share of the whole parameter box (a thin ring that hardly meets the
grid), the box stands for them."""
ASKEW_RAD = 0.1
"""Which chord lies along the first axis is asked of a direction so far beside it: from the axis itself both often lie
equally far, such as those of half a square along whose long side it runs."""
SIDES = (1.0, 0.6, 0.35, 0.8, 0.1, 0.05, 0.0, 0.0)
"""Weights of the moments xxx, xxy, xyy, yyy, xxxx, xxxy, xyyy, yyyy, whose sum is largest for the axis that is chosen.
After half a turn the third moments have the other sign; the fourth tell the axes of a square's cut from each other."""


@dataclass(frozen=True)
class Pose:
    """Frames of F faces.

    axes (F, 3, 3), rows: the longer principal axis across n, n across it, and n: the mean outward normal, or the axis
    of a face that goes all the way round one. center (F, 3): the centroid. size (F,): rms radius, unit.
    transposed, flip_u, flip_v (F,): how a stored grid is laid out along the axes; see `laid_out`.
    turns (F,): of a face that looks the same from several sides, so that its first axis might as well be another: 2 =
    after half a turn about n, 4 = after a quarter, 0 = after any turn; 1 = of no such face.
    """

    axes: Tensor
    center: Tensor
    size: Tensor
    transposed: Tensor
    flip_u: Tensor
    flip_v: Tensor
    turns: Tensor

    def of(self, rows: Tensor) -> "Pose":
        """Of those faces alone."""
        return Pose(**{name: each[rows] for name, each in vars(self).items()})

    def local(self, points: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """Points (M, ..., 3) in the frame of faces `rows`, divided by the face's size."""
        center, size = self.center[rows], self.size[rows]
        shape = (len(center),) + (1,) * (points.dim() - 2)
        return self.turn(points - center.view(*shape, 3), rows) / size.view(*shape, 1)

    def turn(self, vectors: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """Vectors (M, ..., 3) in the axes of faces `rows`."""
        axes = self.axes[rows]
        # The number is spelt out: none of zero vectors is -1 of anything.
        flat = vectors.reshape(len(axes), math.prod(vectors.shape[1:-1]), 3) @ axes.transpose(1, 2)
        return flat.view(vectors.shape)

    def folded(self, vectors: Tensor, rows: Tensor) -> Tensor:
        """Local vectors (M, ..., 3) with the angle about n counted `turns` times, so that whichever of its axes a
        symmetric face has been given, the answer is one and the same."""
        turns = self.turns[rows].view(-1, *[1] * (vectors.dim() - 2)).to(vectors)
        x, y, z = vectors.unbind(-1)
        radius, angle = torch.hypot(x, y), torch.atan2(y, x) * turns
        return torch.stack([radius * angle.cos(), radius * angle.sin(), z], -1)

    def laid_out(self, grid: Tensor) -> Tensor:
        """Samples (F, U, V, ...) in an order that follows the axes: rows along the first one, or counterclockwise
        about n; columns along the second one, or along n. U = V."""
        grid = torch.where(_wide(self.transposed, grid), grid.transpose(1, 2), grid)
        grid = torch.where(_wide(self.flip_u, grid), grid.flip(1), grid)
        return torch.where(_wide(self.flip_v, grid), grid.flip(2), grid)

    def stored(self, grid: Tensor) -> Tensor:
        """The inverse of `laid_out`."""
        grid = torch.where(_wide(self.flip_v, grid), grid.flip(2), grid)
        grid = torch.where(_wide(self.flip_u, grid), grid.flip(1), grid)
        return torch.where(_wide(self.transposed, grid), grid.transpose(1, 2), grid)

    def laid_out_uv(self, uv: Tensor) -> Tensor:
        """Places (F, S, 2) in the parameter box, as `laid_out` moves the samples there."""
        uv = torch.where(_wide(self.transposed, uv), uv.flip(-1), uv)
        flips = torch.stack([self.flip_u, self.flip_v], -1)[:, None]
        return torch.where(flips, 1 - uv, uv)

    def local_grid(self, grid: Tensor) -> Tensor:
        """UV-grids (F, U, V, 7) of these faces: laid out, points and normals in the face's own frame."""
        points, normals = self.local(grid[..., POINT]), self.turn(grid[..., NORMAL])
        return self.laid_out(torch.cat([points, normals, grid[..., INSIDE:]], -1))


def pose_of(grid: Tensor) -> Pose:
    """Pose of each face from its own UV-grid alone. Shapes: (F, U, V, 7) -> F poses, U = V."""
    points, normals = grid[..., POINT].contiguous(), grid[..., NORMAL].contiguous()
    weight, center, size = _extent(points, grid[..., INSIDE])
    along = torch.stack([_middle(points[:, -1] - points[:, 0]), _middle(points[:, :, -1] - points[:, :, 0])], 1)
    length = along.norm(dim=-1)
    away = points - center[:, None, None]

    normal = (weight[..., None] * normals).sum((1, 2))
    around = normal.norm(dim=1) <= LEAST_NORMAL
    axis = F.normalize(torch.where((length[:, 0] > length[:, 1])[:, None], along[:, 0], along[:, 1]), dim=1, eps=1e-9)
    axis = torch.where((length.amax(1) < LEAST_CHORD * size)[:, None], _lone_axis(weight, away, around), axis)
    height = torch.einsum("fuvc,fc->fuv", away, axis)
    axis = torch.where((weight * height**3).sum((1, 2))[:, None] < 0, -axis, axis)
    n = torch.where(around[:, None], axis, F.normalize(normal, dim=1, eps=1e-9))

    across = along - (along * n[:, None]).sum(-1, keepdim=True) * n[:, None]
    closed = across.norm(dim=-1).amax(1) < LEAST_CHORD * size
    long = torch.where((across[:, 0].norm(dim=1) >= across[:, 1].norm(dim=1))[:, None], across[:, 0], across[:, 1])
    spare = torch.eye(3, device=n.device, dtype=n.dtype)[n.abs().argmin(1)]
    spare = spare - (spare * n).sum(1, keepdim=True) * n
    x = F.normalize(torch.where(closed[:, None], spare, long), dim=1, eps=1e-9)
    y = torch.linalg.cross(n, x)

    angle, turns = _first_axis(weight, away, x, y, size, across)
    u = angle.cos()[:, None] * x + angle.sin()[:, None] * y
    v = torch.linalg.cross(n, u)
    near = _nearness(across, u, v)
    transposed = near[:, 1] > near[:, 0]
    first, second = (torch.where(transposed[:, None], across[:, 1 - i], across[:, i]) for i in (0, 1))
    flip_u, flip_v = (first * u).sum(1) < 0, (second * v).sum(1) < 0

    pose = Pose(torch.stack([u, v, n], 1), center, size, transposed, flip_u, flip_v, turns)
    rows = closed.nonzero()[:, 0]
    if len(rows):
        own = _closed(pose.of(rows), away[rows], along[rows], spare[rows])
        for name, each in vars(own).items():
            getattr(pose, name)[rows] = each
    return pose


def _closed(pose: Pose, away: Tensor, along: Tensor, spare: Tensor) -> Pose:
    """Of faces that close upon themselves: laid out by the sense in which their parameters run round n, from their own
    seam on, which is where the first axis points."""
    n = pose.axes[:, 2]
    swept = torch.stack([_swept(away, n), _swept(away.transpose(1, 2), n)], 1)
    climbs = (along * n[:, None]).sum(-1)
    other = swept[:, 1].abs() > swept[:, 0].abs()
    sense, climb = (torch.where(other, pair[:, 1 - i], pair[:, i]) for pair, i in ((swept, 0), (climbs, 1)))
    pose = replace(pose, transposed=other, flip_u=sense < 0, flip_v=climb < 0, turns=torch.zeros_like(pose.turns))
    seam = _middle(pose.laid_out(away)[:, 0])
    seam = seam - (seam * n).sum(1, keepdim=True) * n
    u = F.normalize(torch.where(seam.norm(dim=1, keepdim=True) > 1e-6, seam, spare), dim=1)
    return replace(pose, axes=torch.stack([u, torch.linalg.cross(n, u), n], 1))


def _middle(chords: Tensor) -> Tensor:
    """Mean along the grid, either end half: on a closed face the two are one. (F, N, 3) -> (F, 3)"""
    return ((chords[:, 1:] + chords[:, :-1]) / 2).mean(1)


def _wide(rows: Tensor, like: Tensor) -> Tensor:
    return rows.view(-1, *[1] * (like.dim() - 1))


def _extent(points: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Share of each sample in the area inside (F, U, V), the centroid (F, 3) and the rms radius (F,).

    A quarter of each grid cell goes to each of its corners.
    """
    diagonal, other = points[:, 1:, 1:] - points[:, :-1, :-1], points[:, 1:, :-1] - points[:, :-1, 1:]
    quarter = torch.linalg.cross(diagonal, other).norm(dim=-1) / 8
    area = F.pad(quarter, (0, 1, 0, 1)) + F.pad(quarter, (1, 0, 0, 1))
    area = area + F.pad(quarter, (0, 1, 1, 0)) + F.pad(quarter, (1, 0, 1, 0)) + 1e-12

    def spread(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weight = weight / weight.sum((1, 2), keepdim=True)
        center = (weight[..., None] * points).sum((1, 2))
        size = (weight * (points - center[:, None, None]).square().sum(-1)).sum((1, 2)).sqrt()
        return weight, center, size

    whole, seen = spread(area), spread(area * (inside > 0.5) + 1e-9 * area)
    thin = seen[2] < THIN * whole[2]
    weight, center, size = (torch.where(_wide(thin, a), a, b) for a, b in zip(whole, seen, strict=True))
    return weight, center, size.clamp(min=1e-4)


def _lone_axis(weight: Tensor, away: Tensor, needed: Tensor) -> Tensor:
    """The principal axis whose moment is farthest from the two others, of the faces that need it, zeros of the others:
    that of a torus. (F, 3)"""
    axis = away.new_zeros(len(away), 3)
    if bool(needed.any()):
        of_face = away[needed].flatten(1, 2)
        moment = (weight[needed].flatten(1)[..., None] * of_face).transpose(1, 2) @ of_face
        value, vector = torch.linalg.eigh(moment)
        last = value[:, 2] - value[:, 1] > value[:, 1] - value[:, 0]
        axis[needed] = torch.where(last[:, None], vector[:, :, 2], vector[:, :, 0])
    return axis


def _first_axis(
    weight: Tensor, away: Tensor, x: Tensor, y: Tensor, size: Tensor, across: Tensor
) -> tuple[Tensor, Tensor]:
    """Angle (F,) of the first axis from x towards y, and the number of its equals `turns` (F,)."""
    a, b = (torch.einsum("fuvc,fc->fuv", away, axis) / size[:, None, None] for axis in (x, y))
    xx, xy, yy = ((weight * product).sum((1, 2)) for product in (a * a, a * b, b * b))
    even = torch.hypot(xx - yy, 2 * xy) < SAME_MOMENT * (xx + yy)
    # Where no axis is the longer one, it is x, which lies along the longer side of the parameter box.
    angle = torch.where(even, torch.zeros_like(xx), 0.5 * torch.atan2(2 * xy, xx - yy))
    side = across.norm(dim=-1)
    square = even & ((side[:, 0] - side[:, 1]).abs() < SAME_CHORD * side.amax(1))

    a, b = (
        angle.cos()[:, None, None] * a + angle.sin()[:, None, None] * b,
        angle.cos()[:, None, None] * b - angle.sin()[:, None, None] * a,
    )
    powers = (a**3, a * a * b, a * b * b, b**3, a**4, a**3 * b, a * b**3, b**4)
    moments = torch.stack([(weight * power).sum((1, 2)) for power in powers], 1)
    sides = moments.new_tensor(SIDES)
    score = torch.stack([(_quarters(moments, number) * sides).sum(1) for number in range(4)], 1)
    score = score.masked_fill(~square[:, None] & (torch.arange(4, device=score.device) % 2 == 1), -math.inf)
    best = score.argmax(1)
    half = moments[:, :4].abs().amax(1) < SAME_SIDE
    quarter = half & square & ((moments[:, 4:] - _quarters(moments, 1)[:, 4:]).abs().amax(1) < SAME_SIDE)
    turns = torch.where(quarter, 4, torch.where(half, 2, 1))
    return angle + best * math.pi / 2, turns


def _quarters(moments: Tensor, number: int) -> Tensor:
    """Third and fourth moments (F, 8), in the order of SIDES, after so many quarter turns of the axes."""
    for _ in range(number):
        xxx, xxy, xyy, yyy, xxxx, xxxy, xyyy, yyyy = moments.unbind(1)
        moments = torch.stack([yyy, -xyy, xxy, -xxx, yyyy, -xyyy, -xxxy, xxxx], 1)
    return moments


def _nearness(across: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """How near each of the two chords (F, 2, 3) lies to the first axis, either way round. (F, 2)"""
    chord = F.normalize(across, dim=-1, eps=1e-9)
    along, beside = (torch.einsum("fkc,fc->fk", chord, axis) for axis in (u, v))
    return along.abs() * math.cos(ASKEW_RAD) + along.sign() * beside * math.sin(ASKEW_RAD)


def _swept(away: Tensor, n: Tensor) -> Tensor:
    """Twice the area about n that the rays to samples sweep as the first parameter grows. (F, U, V, 3) -> (F,)"""
    return (torch.linalg.cross(away[:, :-1], away[:, 1:]).sum(1).mean(1) * n).sum(1)
