import numpy as np
import pytest
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder, BRepPrimAPI_MakeSphere, BRepPrimAPI_MakeTorus
from OCP.gp import gp_Ax2, gp_Dir, gp_Pnt

from brep_mae.brep.graph import _walk
from brep_mae.brep.step import ReadSolid
from brep_mae.brep.trimming import Loops
from brep_mae.brep.uvgrid import unit_grid
from brep_mae.schema import FIELD_DISTANCE, FIELD_POINT, FIELD_UV, POINT, SURFACE_TYPES
from tests.brep.solids import SHAPES, box, first_solid, graph_of, placed

POOL, KEEP = 1000, 200


def plate(hole: float):
    """A square plate of side 1 with a round hole in its middle."""
    drill = BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(0.5, 0.5, -1), gp_Dir(0, 0, 1)), hole, 3.0)
    return BRepAlgoAPI_Cut(box(1, 1, 0.25), drill.Shape()).Shape()


def holed_faces(graph):
    return [i for i in range(graph.n_faces) if graph.face_loops[i] == 2]


def square_with_hole(uv: np.ndarray, hole: float) -> np.ndarray:
    """Signed distance to the border of the unit square and the circle, inside negative."""
    to_square = np.abs(uv - 0.5) - 0.5
    outside = np.linalg.norm(np.maximum(to_square, 0), axis=1)
    square = np.where(outside > 0, outside, to_square.max(axis=1))
    circle = hole - np.linalg.norm(uv - 0.5, axis=1)
    return np.where(np.abs(square) < np.abs(circle), square, circle)


@pytest.mark.parametrize("hole", [0.3, 0.1])
def test_a_square_with_a_hole_has_the_analytic_distance(hole):
    graph = graph_of(plate(hole), pool=POOL, keep=KEEP)
    assert len(holed_faces(graph)) == 2
    for face in holed_faces(graph):
        samples = graph.field_samples[face].astype(float)
        exact = square_with_hole(samples[:, FIELD_UV], hole)
        # 64 chords to the turn leave the circle by 0.12 % of its radius
        assert samples[:, FIELD_DISTANCE] == pytest.approx(exact, abs=0.0015 * hole + 1e-6)
        assert graph.field_bounded[face]


def test_samples_cover_the_widened_box_and_the_nearest_of_the_pool_are_kept():
    graph = graph_of(plate(0.3), pool=POOL, keep=KEEP)
    every = graph_of(plate(0.3), pool=POOL, keep=POOL)
    for face in range(graph.n_faces):
        uv = every.field_samples[face, :, FIELD_UV]
        assert -0.1 <= uv.min() < -0.07 and 1.07 < uv.max() <= 1.1
        nearest = np.sort(np.abs(every.field_samples[face, :, FIELD_DISTANCE]))[: KEEP // 2]
        kept = np.abs(graph.field_samples[face, :, FIELD_DISTANCE])
        assert np.sort(kept)[: KEEP // 2] == pytest.approx(nearest)
        assert kept[KEEP // 2 :].mean() > 2 * kept[: KEEP // 2].mean()  # the rest is not near on purpose


@pytest.mark.parametrize("how", ["as made", "moved", "mirrored"])
def test_uv_runs_like_the_stored_grid(how):
    """On a plane the points of the field follow from the corners of the UV-grid, whichever way the face is used."""
    graph = graph_of(SHAPES["box"] if how == "as made" else placed(how, SHAPES["box"]))
    for grid, samples in zip(graph.face_grid[..., POINT], graph.field_samples, strict=True):
        u, v = samples[:, FIELD_UV].T[..., None]
        points = grid[0, 0] + u * (grid[-1, 0] - grid[0, 0]) + v * (grid[0, -1] - grid[0, 0])
        assert samples[:, FIELD_POINT] == pytest.approx(points, abs=1e-4)


def test_a_seam_is_no_boundary_and_the_ends_are():
    graph = graph_of(BRepPrimAPI_MakeCylinder(2.0, 5.0).Shape(), pool=POOL, keep=KEEP)
    side = list(graph.face_type).index(SURFACE_TYPES.index("cylinder"))
    samples = graph.field_samples[side].astype(float)
    v = samples[:, 1]
    assert (samples[:, 0] < 0).any() and (samples[:, 0] > 1).any()
    assert samples[:, FIELD_DISTANCE] == pytest.approx(np.maximum(-v, v - 1), abs=1e-6)


def test_a_torus_is_unbounded_and_stays_finite():
    graph = graph_of(BRepPrimAPI_MakeTorus(3.0, 1.0).Shape())
    assert graph.field_bounded.tolist() == [False]
    assert (graph.field_samples[..., FIELD_DISTANCE] == 0).all()


def test_a_sphere_ends_at_its_poles():
    samples = graph_of(BRepPrimAPI_MakeSphere(2.0).Shape()).field_samples[0].astype(float)
    assert samples[:, FIELD_DISTANCE] == pytest.approx(np.maximum(-samples[:, 1], samples[:, 1] - 1), abs=1e-6)
    assert np.linalg.norm(samples[:, FIELD_POINT], axis=1) == pytest.approx(np.full(20, 2.0), abs=1e-5)


@pytest.mark.parametrize("name", [*SHAPES, "plate", "free-form plate", "free-form cone"])
def test_the_polygon_answers_as_the_kernel_does(name):
    """The fast inside test against OCCT's classifier, on the grid and around it."""
    shapes = SHAPES | {
        "plate": plate(0.2),
        "free-form plate": BRepBuilderAPI_NurbsConvert(plate(0.2)).Shape(),
        "free-form cone": BRepBuilderAPI_NurbsConvert(SHAPES["cone with apex"]).Shape(),
    }
    walk = _walk(ReadSolid(first_solid(shapes[name]), 0, "", 1.0, lambda face: ""))
    for face, coedges in zip(walk.faces, walk.coedges, strict=True):
        points = np.concatenate([unit_grid(10), np.random.default_rng(0).random((300, 2)) * 1.2 - 0.1])
        inside, _ = Loops(face, coedges).locate(points)
        assert (inside == face.classify(face.parameters(points))).all()
