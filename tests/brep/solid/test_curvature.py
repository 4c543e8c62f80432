import math

import numpy as np
import pytest
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert, BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder, BRepPrimAPI_MakeSphere
from OCP.gp import gp_Ax2, gp_Dir, gp_Pnt, gp_Trsf

from brep_mae.datasets.shards import open_shards, write_shard
from brep_mae.schema import POINT, FaceGraph
from tests.brep.solids import SHAPES, box, first_solid, graph_of, placed

ORIGIN, AXIS = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]) / 3
HOLE = BRepAlgoAPI_Cut(
    box(4, 4, 1), BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(2, 2, 0), gp_Dir(0, 0, 1)), 0.5, 1.0).Shape()
).Shape()
BOWL = BRepAlgoAPI_Cut(box(4, 4, 4), BRepPrimAPI_MakeSphere(gp_Pnt(2, 2, 4), 1.5).Shape()).Shape()
PLACES = ["as made", "moved", "mirrored", "mirrored and turned over", "mirrored geometry"]


def away(points: np.ndarray) -> np.ndarray:
    """Distance from the axis that the made solids turn about."""
    rel = points - ORIGIN
    return np.linalg.norm(rel - (rel @ AXIS)[..., None] * AXIS, axis=-1)


def known(name: str, points: np.ndarray) -> np.ndarray:
    """Both curvatures at points of the round face of SHAPES[name]. Shapes: (..., 3) -> (..., 2)"""
    width = away(points)
    if name == "sphere":
        turning, rolling = np.full_like(width, 0.5), np.full_like(width, 0.5)
    elif name == "torus":
        turning, rolling = (width - 3) / width, np.ones_like(width)
    elif name == "cone":
        turning, rolling = 4 / math.hypot(2, 4) / width, np.zeros_like(width)
    else:
        turning, rolling = np.full_like(width, 0.5), np.zeros_like(width)
    return np.sort(np.stack([turning, rolling], axis=-1), axis=-1)[..., ::-1]


def place(how: str, shape):
    return shape if how == "as made" else placed(how, shape)


def round_face(graph: FaceGraph) -> int:
    (face,) = np.flatnonzero(np.ptp(graph.face_grid[..., 3:6].reshape(graph.n_faces, -1, 3), axis=1).max(axis=1) > 1e-3)
    return int(face)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("how", PLACES)
@pytest.mark.parametrize("name", ["sphere", "torus", "cone", "cylinder"])
def test_round_faces_have_the_known_curvatures(name, how, free):
    shape = BRepBuilderAPI_NurbsConvert(SHAPES[name]).Shape() if free else SHAPES[name]
    graph, original = graph_of(place(how, shape), grid=9, curvature=True), graph_of(shape, grid=9)
    face = round_face(graph)
    assert graph.face_recognised[face] == free
    points = original.face_grid[face, ..., POINT] + original.center_mm
    if how == "mirrored geometry":  # the face is then used from the other side, from where its grid runs
        points = points if (known(name, points) == known(name, points[::-1])).all() else points[::-1]
    want = known(name, points)
    if free and name == "sphere":
        want[:, [0, -1]] = 0.0  # a pole of a free-form surface has no curvature
    assert graph.face_curvature.shape == (graph.n_faces, 9, 9, 2)
    assert np.abs(graph.face_curvature[face] - want).max() < 1e-5
    others = np.delete(graph.face_curvature, face, axis=0)
    assert np.abs(others).max(initial=0) < 1e-5


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("how", PLACES)
@pytest.mark.parametrize("shape, both", [(HOLE, (0.0, -2.0)), (BOWL, (-2 / 3, -2 / 3))], ids=["hole", "bowl"])
def test_a_hollow_bends_inwards(shape, both, how, free):
    made = BRepBuilderAPI_NurbsConvert(shape).Shape() if free else shape
    graph = graph_of(place(how, made), curvature=True)
    curvature = graph.face_curvature[round_face(graph)].reshape(-1, 2)
    regular = curvature.any(axis=1)  # all but poles of a free-form surface
    assert regular.mean() > 0.6 and (free or regular.all())
    assert np.abs(curvature[regular] - both).max() < 1e-5


def test_a_part_seven_times_as_large_bends_a_seventh():
    scaled = gp_Trsf()
    scaled.SetScaleFactor(7.0)
    for name in ("torus", "cone", "sphere"):
        for shape in (SHAPES[name], BRepBuilderAPI_NurbsConvert(SHAPES[name]).Shape()):
            large = BRepBuilderAPI_Transform(first_solid(shape), scaled, True).Shape()
            one, other = graph_of(shape, curvature=True), graph_of(large, curvature=True)
            assert np.abs(one.face_curvature - 7 * other.face_curvature).max() < 1e-5


def test_the_apex_of_a_cone_has_finite_curvature():
    graph = graph_of(SHAPES["cone with apex"], curvature=True)
    curvature = graph.face_curvature[round_face(graph)]
    at_apex = away(graph.face_grid[round_face(graph), ..., POINT] + graph.center_mm) < 1e-5
    assert at_apex.any() and not curvature[at_apex].any() and (curvature[~at_apex][:, 0] > 0).all()


def test_a_torus_is_saddle_shaped_inside():
    curvature = graph_of(SHAPES["torus"], grid=9, curvature=True).face_curvature
    assert curvature[..., 1].min() == pytest.approx(-0.5) and curvature[..., 1].max() == pytest.approx(0.25)
    assert (curvature[..., 0] >= curvature[..., 1]).all()


def test_curvature_is_left_out_unless_asked_for_and_survives_a_shard(tmp_path):
    without = graph_of(SHAPES["torus"], grid=5, uid="a#0")
    asked = graph_of(SHAPES["torus"], grid=5, uid="b#0", curvature=True)
    assert without.face_curvature.shape == (1, 5, 5, 0)
    write_shard(tmp_path / "0.arrow", [without, asked])
    first, second = open_shards(tmp_path)
    assert first.face_curvature.shape == (1, 5, 5, 0)
    assert (second.face_curvature == asked.face_curvature).all() and second.face_curvature.any()
