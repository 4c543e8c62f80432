import math

import numpy as np
import pytest
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert, BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder, BRepPrimAPI_MakeSphere, BRepPrimAPI_MakeTorus
from OCP.gp import gp_Ax2, gp_Dir, gp_Pnt, gp_Trsf

from brep_mae.brep.faces.chords import CHORD_ERROR
from brep_mae.brep.solid.uvgrid import unit_grid
from brep_mae.schema import FIELD_DISTANCE, FIELD_POINT, FIELD_UV, POINT, SURFACE_TYPES
from tests.brep.solids import SHAPES, drilled_torus, first_solid, graph_of, parts_of, placed, plate, slotted_cylinder

POOL, KEEP = 1000, 200


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


def to_polyline(uv: np.ndarray, closed: np.ndarray) -> np.ndarray:
    """Distance to a dense closed polyline."""
    a, b = closed, np.roll(closed, -1, axis=0)
    along = b - a
    t = np.clip(((uv[:, None] - a) * along).sum(-1) / (along * along).sum(-1), 0, 1)
    return np.linalg.norm(uv[:, None] - a - t[..., None] * along, axis=-1).min(axis=1)


def agrees_with(samples: np.ndarray, distance: np.ndarray, inside: np.ndarray) -> None:
    """Mean error within the error of the chords, and the sign right but for the error of the kernel's own curves."""
    found, clear = samples[:, FIELD_DISTANCE], distance > 1e-5
    assert clear.mean() > 0.99 and clear[distance > 3 / math.sqrt(5000)].all()
    assert ((found < 0) == inside)[clear].all()
    error = np.abs(np.abs(found) - distance)
    assert error.max() < 2 * CHORD_ERROR and error.mean() < CHORD_ERROR / 4


@pytest.mark.parametrize("how", ["as made", "mirrored geometry"])
@pytest.mark.parametrize("across_the_seam", [False, True])
def test_a_cylinder_with_a_slot_has_the_analytic_distance(across_the_seam, how):
    """The slot's outline is known in (y, z); unrolled, y becomes the radius times the angle's sine."""
    shape = slotted_cylinder(across_the_seam)
    if how == "mirrored geometry":  # at the plane y = 0, under which it stays itself while u runs backwards
        trsf = gp_Trsf()
        trsf.SetMirror(gp_Ax2(gp_Pnt(), gp_Dir(0, 1, 0)))
        shape = BRepBuilderAPI_Transform(shape, trsf, True).Shape()
    graph = graph_of(shape, pool=5000, keep=500)
    side = int(np.argmax(np.where(graph.face_type == 1, graph.face_area_mm2, 0)))
    samples = graph.field_samples[side].astype(float)
    x, y, z = (samples[:, FIELD_POINT] + graph.center_mm).T
    turn = np.linspace(0, math.pi, 400)
    outline = np.concatenate(
        [[0.5 * np.cos(turn), 4 + 0.5 * np.sin(turn)], [-0.5 * np.cos(turn), 2 - 0.5 * np.sin(turn)]], axis=1
    )
    # long straight sides stay straight: z moves alone along them
    angle = np.arctan2(y, x if across_the_seam else -x)  # from the middle of the slot
    uv = np.stack([angle / (2 * math.pi), z / 6], axis=1)
    loop = np.stack([np.arcsin(outline[0] / 2) / (2 * math.pi), outline[1] / 6], axis=1)
    slot = to_polyline(uv, loop)
    in_slot = np.hypot(y, np.maximum(np.abs(z - 3) - 1, 0)) < 0.5
    in_slot &= (x > 0) == across_the_seam
    ends = np.minimum(np.abs(z), np.abs(6 - z)) / 6
    agrees_with(samples, np.minimum(slot, ends), ~in_slot & (z > 0) & (z < 6))
    assert in_slot.any() and (samples[:, 0] < 0).any() and (samples[:, 0] > 1).any()


@pytest.mark.parametrize("angle", [2.0, 2 * math.pi])
def test_a_patch_of_a_torus_has_the_analytic_distance(angle):
    """Bounded by its ends and a round hole; along the tube, and round a full torus, there is no boundary."""
    graph = graph_of(drilled_torus(angle), pool=5000, keep=500)
    (side,) = np.flatnonzero(graph.face_type == SURFACE_TYPES.index("torus"))
    samples = graph.field_samples[side].astype(float)
    x, y, z = (samples[:, FIELD_POINT] + graph.center_mm).T
    middle = angle / 2
    u = (np.arctan2(y, x) - middle + math.pi) % (2 * math.pi) - math.pi  # from the middle of the hole
    v = np.arctan2(z, np.hypot(x, y) - 3) % (2 * math.pi)
    turn = np.linspace(0, 2 * math.pi, 800, endpoint=False)  # round the hole, seen from above
    a, b = 3 + 0.5 * np.cos(turn), 0.5 * np.sin(turn)
    loop = np.stack([np.arctan2(b, a) / angle, np.arccos(np.hypot(a, b) - 3) / (2 * math.pi)], axis=1)
    uv = np.stack([u / angle, v / (2 * math.pi)], axis=1)
    distance = np.min([to_polyline(uv + np.array([0, step]), loop) for step in (-1, 0, 1)], axis=0)
    inside = (z < 0) | (np.hypot(np.hypot(x, y) * np.cos(u) - 3, np.hypot(x, y) * np.sin(u)) > 0.5)
    if angle < 6:
        distance = np.minimum(distance, np.abs(np.abs(uv[:, 0]) - 0.5))
        inside &= np.abs(u) < angle / 2
    agrees_with(samples, distance, inside)
    assert (~inside).sum() > 10


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
    parts = parts_of(shapes[name])
    points = np.concatenate([unit_grid(10), np.random.default_rng(0).random((300, 2)) * 1.2 - 0.1])
    faces = len(parts.topology.faces)
    inside, _ = parts.trimming.locate(np.broadcast_to(points, (faces, *points.shape)))
    for face in range(faces):
        assert (inside[face] == parts.trimming.classify(face, points)).all()


def test_an_edge_between_two_faces_of_one_surface_bounds_both_of_them():
    """The slot cuts the mantle in two faces that share one surface, on which the kernel calls their edge closed too."""
    shared = first_solid(slotted_cylinder(False))
    apart = BRepBuilderAPI_Transform(shared, gp_Trsf(), True).Shape()
    here, there = (graph_of(shape, pool=POOL, keep=KEEP) for shape in (shared, apart))
    assert np.abs(here.field_samples - there.field_samples).max() < 1e-6
    assert here.field_bounded.tolist() == there.field_bounded.tolist()
