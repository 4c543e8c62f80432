"""The frame of each face."""

import math

import numpy as np
import pytest
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert, BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder, BRepPrimAPI_MakeTorus
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt, gp_Trsf, gp_Vec

from brep_mae.brep.solid.uvgrid import axes
from brep_mae.schema import NORMAL, POINT, SURFACE_TYPES
from tests.brep.solids import AXES, SHAPES, box, first_solid, graph_of, placed

HOLE = BRepAlgoAPI_Cut(
    box(4, 4, 1), BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(2, 2, 0), gp_Dir(0, 0, 1)), 0.5, 1.0).Shape()
).Shape()
SOLIDS = SHAPES | {
    "hole": HOLE,
    "bent pipe": BRepPrimAPI_MakeTorus(AXES, 3.0, 1.0, 1.0).Shape(),
    "free-form torus": BRepBuilderAPI_NurbsConvert(SHAPES["torus"]).Shape(),
    "free-form sphere": BRepBuilderAPI_NurbsConvert(SHAPES["sphere"]).Shape(),
}
AXIS = np.array([1.0, 2.0, 2.0]) / 3


@pytest.mark.parametrize("grid", [4, 10, 17])
@pytest.mark.parametrize("how", ["as made", "moved", "mirrored", "mirrored and turned over", "mirrored geometry"])
@pytest.mark.parametrize("name", SOLIDS)
def test_frames_are_orthonormal_and_right_handed(name, how, grid):
    frames = graph_of(SOLIDS[name] if how == "as made" else placed(how, SOLIDS[name]), grid, 20, 4).face_axes
    frames = frames.astype(float)
    assert np.abs(frames @ frames.transpose(0, 2, 1) - np.eye(3)).max() < 1e-6
    assert np.linalg.det(frames) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", SOLIDS)
def test_frames_turn_with_the_part(name):
    """Worked into the geometry, so that nothing of the placement is left to lean on; two turns in a row."""
    turn = gp_Trsf()
    turn.SetRotation(gp_Ax1(gp_Pnt(1, 0, 2), gp_Dir(3, 1, 2)), 1.1)
    turn.SetTranslationPart(gp_Vec(5, -3, 2))
    matrix = np.array([[turn.Value(i, j) for j in (1, 2, 3)] for i in (1, 2, 3)])
    shape, want = SOLIDS[name], graph_of(SOLIDS[name]).face_axes.astype(float)
    for _ in range(2):
        shape, want = BRepBuilderAPI_Transform(first_solid(shape), turn, True).Shape(), want @ matrix.T
        assert np.abs(graph_of(shape).face_axes - want).max() < 1e-5


@pytest.mark.parametrize("name", SOLIDS)
def test_the_third_axis_of_a_plane_is_its_outward_normal_and_the_first_runs_along_u(name):
    graph = graph_of(SOLIDS[name])
    for face in np.flatnonzero(graph.face_type == SURFACE_TYPES.index("plane")):
        assert graph.face_axes[face, 2] == pytest.approx(graph.face_grid[face, 0, 0, NORMAL], abs=1e-6)
        chord = graph.face_grid[face, -1, 0, POINT] - graph.face_grid[face, 0, 0, POINT]
        assert graph.face_axes[face, 0] @ chord == pytest.approx(np.linalg.norm(chord), rel=1e-5)


@pytest.mark.parametrize("grid", [4, 10, 17])
@pytest.mark.parametrize("name", ["cylinder", "sphere", "torus", "free-form torus", "free-form sphere"])
def test_a_face_that_goes_all_the_way_round_has_its_axis_whatever_the_grid(name, grid):
    """A seam is where the parameter begins, no direction of the shape."""
    graph = graph_of(SOLIDS[name], grid)
    round_about = np.flatnonzero(graph.face_type != SURFACE_TYPES.index("plane"))
    for frame in graph.face_axes[round_about]:
        assert abs(frame[2] @ AXIS) == pytest.approx(1, abs=1e-5)


def test_a_bent_pipe_points_along_its_chord():
    graph = graph_of(SOLIDS["bent pipe"])
    (pipe,) = np.flatnonzero(graph.face_type == SURFACE_TYPES.index("torus"))
    ends = graph.face_grid[pipe, [0, -1], :, POINT].mean(axis=1)
    chord = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    assert graph.face_axes[pipe, 2] == pytest.approx(chord, abs=1e-5)


def test_a_part_of_a_cylinder_looks_along_the_middle_of_its_wall():
    graph = graph_of(SHAPES["part of a cylinder"], grid=9)
    (wall,) = np.flatnonzero(graph.face_type == SURFACE_TYPES.index("cylinder"))
    assert graph.face_axes[wall, 2] == pytest.approx(graph.face_grid[wall, 4, 4, NORMAL], abs=1e-5)


def test_a_face_without_extent_still_has_a_frame():
    frame = axes(np.zeros((1, 4, 4, 7)))[0]
    assert np.abs(frame @ frame.T - np.eye(3)).max() < 1e-12 and math.isclose(np.linalg.det(frame), 1)
