"""A face's frame: the same whichever way its parameters run and the solid lies; and equal views of symmetric faces."""

import math
from dataclasses import replace

import pytest
import torch

from brep_mae.features.pose import Pose, pose_of
from brep_mae.tokens.symmetry import equal_views, inverse, turned_grid, turned_uv, turned_vectors, turns_of
from tests.synthetic import make_batch

SIDE = 9
LINE = torch.linspace(-1, 1, SIDE)
X, Y = torch.meshgrid(LINE, LINE, indexing="ij")


def flat(width: float, height: float, inside: torch.Tensor) -> torch.Tensor:
    """A plane's grid over a box of that size."""
    zero = torch.zeros_like(X)
    return torch.stack([width * X, height * Y, zero, zero, zero, zero + 1, inside.float()], -1)


def turning(radius: torch.Tensor, height: torch.Tensor, angle: float = 2 * math.pi) -> torch.Tensor:
    """A grid all the way round an axis, or part of it, of a profile."""
    a = (X + 1) / 2 * angle
    normal = torch.stack([a.cos(), a.sin(), 0 * a], -1)
    points = torch.stack([radius * a.cos(), radius * a.sin(), height], -1)
    return torch.cat([points, normal, torch.ones_like(a)[..., None]], -1)


SHAPES = {
    "rectangle": flat(3, 1, X > -2),
    "rectangle with a corner off": flat(3, 2, (X < 0.4) | (Y < 0.3)),
    "square": flat(2, 2, X > -2),
    "square with a corner off": flat(2, 2, (X < 0.4) | (Y < 0.3)),
    "disc": flat(2, 2, X**2 + Y**2 < 0.9),
    "cross": flat(2, 2, (X.abs() < 0.4) | (Y.abs() < 0.4)),
    "z": flat(2, 2, (Y > 0.4) & (X < 0.4) | (Y < -0.4) & (X > -0.4) | (X.abs() < 0.3)),
    "triangle": flat(2, 2, X + Y < 0.1),
    "half cylinder": turning(torch.ones_like(X), 2 * Y, math.pi),
    "cylinder": turning(torch.ones_like(X), 2 * Y),
    "cone": turning(2 + Y, 2 * Y),
}
TURNS = {"rectangle": 2, "square": 4, "disc": 4, "cross": 4, "z": 2, "half cylinder": 2, "cylinder": 0, "cone": 0}


def twins(grid: torch.Tensor) -> torch.Tensor:
    """The grid with parameters exchanged, backwards, or both. (8, U, V, 7)"""
    both = [grid, grid.transpose(0, 1)]
    return torch.stack([twin.flip(axes) for twin in both for axes in ((), (0,), (1,), (0, 1))])


@pytest.fixture(params=SHAPES)
def name(request) -> str:
    return request.param


def rotation(seed: int = 0) -> torch.Tensor:
    matrix = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed)))[0]
    return matrix * torch.linalg.det(matrix)


def moved(grid: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return torch.cat([grid[..., :3] @ matrix.T + 0.3, grid[..., 3:6] @ matrix.T, grid[..., 6:]], -1)


def test_a_transposed_or_flipped_twin_is_the_same_face(name):
    grids = twins(SHAPES[name])
    pose = pose_of(grids)
    local = pose.local_grid(grids)
    assert torch.allclose(local, local[:1].expand_as(local), atol=1e-4)
    assert (pose.turns == TURNS.get(name, 1)).all()
    if name in ("square", "disc", "cross"):  # whose axes any of four may be: what is told in them is folded
        place = torch.tensor([[[0.3, 0.8, 0.2]]]).expand(8, 1, 3)
        folded = pose.folded(pose.local(place), torch.arange(8))
        assert torch.allclose(folded, folded[:1].expand_as(folded), atol=1e-4)


def test_a_turned_and_moved_face_is_the_same_face(name):
    grids = torch.stack([SHAPES[name], moved(SHAPES[name], rotation())])
    local = pose_of(grids).local_grid(grids)
    assert torch.allclose(local[0], local[1], atol=1e-4)


def test_the_first_axis_is_the_longer_one_and_signs_follow_from_what_is_inside():
    wide, high = pose_of(torch.stack([flat(3, 1, X > -2), flat(1, 3, X > -2)])).axes[:, 0].abs().argmax(1).tolist()
    assert (wide, high) == (0, 1)
    cut = pose_of(torch.stack([flat(3, 1, X < 0.5), flat(3, 1, X > -0.5)]))
    assert torch.allclose(cut.axes[0, 0], -cut.axes[1, 0], atol=1e-5)


def test_the_frame_lies_in_what_is_inside_not_in_the_box():
    part = X < 0
    inside = flat(3, 1, part)
    pose = pose_of(inside[None])
    assert pose.center[0, 0] == pytest.approx(float(3 * X[part].mean()), abs=0.25)
    thin = flat(3, 1, (X == 0) & (Y == 0))
    assert pose_of(thin[None]).size[0] > 1, "a single sample has no size: the box stands for it"


def test_normals_are_outward_whatever_the_parameters_do():
    for twin in twins(flat(3, 1, X > -2)):
        assert pose_of(twin[None]).axes[0, 2].tolist() == [0, 0, 1]


def laid(name: str) -> tuple[Pose, torch.Tensor]:
    grid = SHAPES[name][None]
    pose = pose_of(grid)
    return pose, pose.local_grid(grid)


@pytest.mark.parametrize("name", [n for n, turns in TURNS.items() if turns != 1])
def test_a_symmetric_face_is_equal_to_its_equal_views(name):
    pose, grid = laid(name)
    which = equal_views(pose.turns, SIDE)[0]
    assert len(which) == {0: SIDE - 1, 2: 2, 4: 4}[TURNS[name]]
    for view in which:
        assert torch.allclose(turned_grid(grid, view[None]), grid, atol=1e-4)


def test_views_turn_places_points_and_samples_alike_and_back():
    side = 6
    line = torch.linspace(0, 1, side)
    uv = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)
    angle = 2 * math.pi * uv[..., 0]
    round_, square = turns_of(side).options[0], turns_of(side).options[4]
    for which in range(len(turns_of(side).angle)):
        row = torch.tensor([which])
        if which in square:
            points = torch.cat([2 * uv - 1, torch.zeros(side, side, 1)], -1)
        else:
            assert which in round_
            points = torch.stack([angle.cos(), angle.sin(), uv[..., 1]], -1)
        grid = torch.cat([points, points, torch.rand(side, side, 1)], -1)[None]
        turned = turned_grid(grid, row)
        assert torch.allclose(turned[..., :6], grid[..., :6], atol=1e-5)
        if which in square:
            assert torch.allclose(turned_grid(turned, inverse(row, side)), grid, atol=1e-5)
            where = turned_uv(uv.view(1, -1, 2), row, side)
            vectors = turned_vectors(points.view(1, -1, 3), row, side)
            assert torch.allclose(2 * where - 1, vectors[..., :2], atol=1e-5)
        else:
            back = turned_grid(turned, inverse(row, side))[:, :-1]
            assert torch.allclose(back, grid[:, :-1], atol=1e-5)


def test_frames_of_faces_are_made_once_and_follow_the_grids():
    faces = make_batch([3, 5]).faces
    before = faces.nbytes
    assert faces.pose is faces.pose
    assert faces.nbytes == before
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    grid = torch.cat([faces.grid[..., :3] @ turn.T, faces.grid[..., 3:6] @ turn.T, faces.grid[..., 6:]], -1)
    turned = replace(faces, grid=grid)
    assert torch.allclose(turned.pose.center, faces.pose.center @ turn.T, atol=1e-5)
    assert not torch.allclose(turned.pose.center, faces.pose.center, atol=1e-2)


def test_a_batch_moves_after_its_frames_were_made():
    batch = make_batch([3, 5])
    size = batch.faces.pose.size
    assert torch.equal(batch.to(torch.device("cpu")).faces.pose.size, size)


def test_frames_of_some_faces_are_those_that_they_have_in_the_batch():
    pose, rows = make_batch([3, 5]).faces.pose, torch.tensor([6, 0])
    assert torch.equal(pose.of(rows).axes, pose.axes[rows])
    assert torch.equal(pose.of(rows).turns, pose.turns[rows])
