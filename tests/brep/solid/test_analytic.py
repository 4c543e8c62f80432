"""The parameters of faces, edges and vertices, and who touches whom."""

import math
from collections import Counter

import numpy as np
import pytest
from OCP.BRep import BRep_Builder
from OCP.BRepAdaptor import BRepAdaptor_Curve, BRepAdaptor_Surface
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Elips, gp_Pnt, gp_Trsf
from OCP.TopAbs import TopAbs_FACE
from OCP.TopExp import TopExp_Explorer
from OCP.TopoDS import TopoDS_Shell, TopoDS_Solid

from brep_mae.brep.geometry.curves import edge_curves
from brep_mae.brep.geometry.motions import Motions
from brep_mae.brep.solid.analytic import edge_params
from brep_mae.brep.solid.edge_forms import EdgeForms
from brep_mae.schema import CURVE_TYPES, NORMAL, POINT, SURFACE_TYPES, FaceGraph
from tests.brep.solids import SHAPES, box, first_solid, graph_of, parts_of, placed, stretched

ORIGIN, FLAT, AXIS, WAY, RADIUS, MINOR, HALF_ANGLE, FLIP = (
    slice(5, 8), slice(8, 11), slice(11, 14), slice(14, 17), 17, 18, 19, 20
)  # fmt: skip
PLATE = BRepAlgoAPI_Cut(
    box(4, 4, 1, (1, 2, 3)), BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(3, 4, 3), gp_Dir(0, 0, 1)), 1, 1).Shape()
)
SLANTED = BRepAlgoAPI_Cut(SHAPES["cylinder"], placed("moved", box(9, 9, 9, (-8, 0, -2))))
SOLIDS = SHAPES | {"plate with a hole": PLATE.Shape(), "slanted cylinder": SLANTED.Shape()}
PLACES = ["as made", "moved", "mirrored", "mirrored and turned over", "mirrored geometry"]


def solid(name: str, how: str = "as made"):
    return SOLIDS[name] if how == "as made" else placed(how, SOLIDS[name])


def turned(matrix_of: gp_Trsf, shape):
    return BRepBuilderAPI_Transform(first_solid(shape), matrix_of, True).Shape()


def unit_points(graph: FaceGraph, points: np.ndarray) -> np.ndarray:
    return points.astype(float) / graph.scale_mm


def faces_of(graph: FaceGraph, kind: str) -> np.ndarray:
    return np.flatnonzero(graph.face_type == SURFACE_TYPES.index(kind))


def face_residual(kind: str, p: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How far points are from the surface that the parameters name."""
    rel = points - p[ORIGIN]
    if kind == "plane":
        return rel @ p[FLAT]
    height = rel @ p[AXIS]
    width = np.linalg.norm(rel - height[:, None] * p[AXIS], axis=1)
    if kind == "cylinder":
        return width - p[RADIUS]
    if kind == "cone":
        return width - np.abs(p[RADIUS] + height * math.tan(p[HALF_ANGLE]))
    if kind == "sphere":
        return np.linalg.norm(rel, axis=1) - p[RADIUS]
    return np.hypot(width - p[RADIUS], height) - p[MINOR]


@pytest.mark.parametrize("how", PLACES)
@pytest.mark.parametrize("name", SOLIDS)
def test_the_samples_of_a_face_lie_on_the_surface_that_its_parameters_name(name, how):
    graph = graph_of(solid(name, how))
    for face, p in enumerate(graph.face_params_unit.astype(float)):
        kind = SURFACE_TYPES[graph.face_type[face]]
        assert np.flatnonzero(p[:5]).tolist() == [SURFACE_TYPES.index(kind)] and p[:5].sum() == 1
        points = unit_points(graph, graph.face_grid[face, ..., POINT].reshape(-1, 3))
        assert np.abs(face_residual(kind, p, points)).max() < 1e-6
        assert np.linalg.norm(p[FLAT]) == pytest.approx(float(kind == "plane"), abs=1e-6)
        assert np.linalg.norm(p[AXIS]) == pytest.approx(float(kind != "plane"), abs=1e-6)
        assert np.linalg.norm(p[WAY]) == pytest.approx(1, abs=1e-6)
        assert p[WAY] @ (p[FLAT] + p[AXIS]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("how", PLACES)
@pytest.mark.parametrize("name", SOLIDS)
def test_the_flip_says_on_which_side_the_material_is(name, how):
    """On planes against the normal, on round faces towards axis, centre or core; however the kernel stores it."""
    graph = graph_of(solid(name, how))
    for face, p in enumerate(graph.face_params_unit.astype(float)):
        points = unit_points(graph, graph.face_grid[face, ..., POINT].reshape(-1, 3))
        normals = graph.face_grid[face, ..., NORMAL].reshape(-1, 3)
        if SURFACE_TYPES[graph.face_type[face]] == "plane":
            away = np.broadcast_to(p[FLAT], points.shape)
        else:
            rel = points - p[ORIGIN]
            away = rel - (rel @ p[AXIS])[:, None] * p[AXIS]
            if SURFACE_TYPES[graph.face_type[face]] == "torus":
                away = rel - p[RADIUS] * away / np.linalg.norm(away, axis=1, keepdims=True)
        side = (normals * away).sum(axis=1)
        side = side[np.abs(side) > 1e-5]
        assert (np.sign(side) == (-1 if p[FLIP] else 1)).all()


def test_the_wall_of_a_hole_is_flipped_and_a_boss_is_not():
    graph = graph_of(solid("plate with a hole"))
    assert graph.face_params_unit[faces_of(graph, "cylinder"), FLIP].tolist() == [1]
    graph = graph_of(solid("cylinder"))
    assert graph.face_params_unit[faces_of(graph, "cylinder"), FLIP].tolist() == [0]


@pytest.mark.parametrize("name", SOLIDS)
def test_origins_are_the_nearest_points_to_the_middle_of_the_box(name):
    graph = graph_of(placed("moved", SOLIDS[name]))
    p = graph.face_params_unit.astype(float)
    planes, pipes = faces_of(graph, "plane"), faces_of(graph, "cylinder")
    assert np.abs(np.cross(p[planes, ORIGIN], p[planes, FLAT])).max(initial=0) < 1e-6
    assert np.abs((p[pipes, ORIGIN] * p[pipes, AXIS]).sum(1)).max(initial=0) < 1e-6
    e = graph.edge_params_unit.astype(float)
    lines = e[:, 0] == 1
    assert np.abs((e[lines, 3:6] * e[lines, 6:9]).sum(1)).max(initial=0) < 1e-6


def test_known_numbers_of_a_cone_and_a_torus():
    graph = graph_of(SHAPES["cone"])
    cone = graph.face_params_unit[faces_of(graph, "cone")[0]].astype(float)
    assert abs(cone[HALF_ANGLE]) == pytest.approx(math.atan2(2, 4), rel=1e-6)
    assert cone[RADIUS] == pytest.approx(3 / graph.scale_mm, rel=1e-6)
    assert cone[ORIGIN] * graph.scale_mm + graph.center_mm == pytest.approx([1, 2, 3], abs=1e-5)
    graph = graph_of(SHAPES["torus"])
    torus = graph.face_params_unit[0].astype(float)
    assert torus[[RADIUS, MINOR]] * graph.scale_mm == pytest.approx([3, 1], rel=1e-6)
    assert torus[AXIS] == pytest.approx(np.array([1, 2, 2]) / 3, abs=1e-6)


@pytest.mark.parametrize("name", ["cylinder", "cone", "sphere", "torus", "part of a cylinder"])
def test_the_reference_direction_is_the_kernels(name):
    parts = parts_of(placed("moved", SHAPES[name]))
    p = graph_of(placed("moved", SHAPES[name])).face_params_unit
    for face, q in zip(parts.topology.faces, p, strict=True):
        adaptor = BRepAdaptor_Surface(face)
        shape = [adaptor.Plane, adaptor.Cylinder, adaptor.Cone, adaptor.Sphere, adaptor.Torus][int(q[:5].argmax())]()
        assert q[WAY] == pytest.approx(shape.Position().XDirection().Coord(), abs=1e-6)


def test_other_faces_and_edges_have_no_parameters_but_the_flip():
    graph = graph_of(stretched(SHAPES["torus"]))
    free = graph.face_type == SURFACE_TYPES.index("bspline")
    assert free.any() and not graph.face_params_unit[free, :20].any()
    kinds = graph.arc_type[np.argsort(graph.arc_edge, kind="stable")[::2]]
    assert (kinds == CURVE_TYPES.index("bspline")).any()
    assert not graph.edge_params_unit[kinds == CURVE_TYPES.index("bspline"), :17].any()


@pytest.mark.parametrize("name", SOLIDS)
def test_a_part_moved_and_seven_times_as_large_has_the_same_parameters(name):
    scaled, shifted = gp_Trsf(), gp_Trsf()
    scaled.SetScaleFactor(7.0)
    shifted.SetTranslation(gp_Pnt(), gp_Pnt(30, -20, 50))
    one, other = graph_of(SOLIDS[name]), graph_of(turned(shifted.Multiplied(scaled), SOLIDS[name]))
    for array in ("face_params_unit", "edge_params_unit", "vertex_unit"):
        assert np.abs(getattr(one, array) - getattr(other, array)).max() < 1e-5, array
    assert other.scale_mm == pytest.approx(7 * one.scale_mm)


@pytest.mark.parametrize(
    "name", ["notched block", "cylinder", "cone", "torus", "plate with a hole", "slanted cylinder"]
)
def test_parameters_turn_with_the_part(name):
    """About the middle, a quarter turn: the box, and with it the scale, is the same one turned."""
    turn = gp_Trsf()
    one = graph_of(SOLIDS[name])
    turn.SetRotation(gp_Ax1(gp_Pnt(*one.center_mm), gp_Dir(0, 1, 0)), math.pi / 2)
    other = graph_of(turned(turn, SOLIDS[name]))
    matrix = np.array([[turn.Value(i, j) for j in (1, 2, 3)] for i in (1, 2, 3)])
    for array, first, count, plain in (
        ("face_params_unit", 5, 4, slice(17, 21)),
        ("edge_params_unit", 3, 4, slice(15, 18)),
    ):
        a, b = getattr(one, array).astype(float), getattr(other, array).astype(float)
        for at in range(first, first + 3 * count, 3):
            assert np.abs(a[:, at : at + 3] @ matrix.T - b[:, at : at + 3]).max() < 1e-5, (array, at)
        assert np.abs(a[:, plain] - b[:, plain]).max() < 1e-5
    assert np.abs(one.vertex_unit @ matrix.T - other.vertex_unit).max() < 1e-5


@pytest.mark.parametrize("how", PLACES)
@pytest.mark.parametrize("name", SOLIDS)
def test_edge_parameters_name_the_curve_that_the_arcs_follow(name, how):
    graph = graph_of(solid(name, how))
    for edge, p in enumerate(graph.edge_params_unit.astype(float)):
        arc = np.flatnonzero(graph.arc_edge == edge)[0]
        points = unit_points(graph, graph.arc_grid[arc, :, :3])
        rel = points - p[3:6]
        assert np.flatnonzero(p[:3]).tolist() == [graph.arc_type[arc]]
        if p[0]:
            assert np.abs(np.cross(rel, p[6:9])).max() < 1e-6 and not p[9:17].any()
            continue
        x, z = p[12:15], p[9:12]
        y = np.cross(z, x)
        assert [np.linalg.norm(x), np.linalg.norm(z), x @ z] == pytest.approx([1, 1, 0], abs=1e-6)
        assert np.abs(rel @ z).max() < 1e-6
        major, minor = p[15], p[15] if p[1] else p[16]
        assert np.hypot(rel @ x / major, rel @ y / minor) == pytest.approx(1, abs=1e-6)
        assert major >= minor and (p[16] == 0) == bool(p[1])


@pytest.mark.parametrize("begin", [0.0, 0.4, math.pi / 2, 2.0, math.pi, 5.0])
def test_half_axes_are_the_ellipses_own_wherever_the_edge_begins(begin):
    ellipse = gp_Elips(gp_Ax2(gp_Pnt(1, 2, 3), gp_Dir(1, 2, 2)), 5.0, 2.0)
    edge = BRepBuilderAPI_MakeEdge(ellipse, begin, begin + 1.0).Edge()
    parts = parts_of(box(1, 1, 1))
    parts.topology.coedge_edge[:] = 0
    parts.topology.edges[:] = [edge]
    stays, scale = Motions(None, np.zeros((1, 3))), np.array([2.0])
    p = edge_params(parts.topology, parts.surfaces, EdgeForms.of(edge_curves([edge])), stays, scale)[0, 0]
    own = BRepAdaptor_Curve(edge).Ellipse()
    assert p[:3].tolist() == [0, 0, 1]
    assert p[3:6] * 2 == pytest.approx([1, 2, 3])
    assert p[9:12] == pytest.approx(own.Axis().Direction().Coord())
    assert p[12:15] == pytest.approx(own.XAxis().Direction().Coord())
    assert p[15:17] * 2 == pytest.approx([5.0, 2.0])


def test_the_reference_direction_of_an_arc_is_the_circles_own():
    parts = parts_of(SHAPES["part of a cylinder"])
    graph = graph_of(SHAPES["part of a cylinder"])
    for edge, p in zip(parts.topology.edges, graph.edge_params_unit, strict=True):
        if p[1]:
            assert p[12:15] == pytest.approx(BRepAdaptor_Curve(edge).Circle().XAxis().Direction().Coord(), abs=1e-6)


def test_vertices_are_the_corners_of_the_box():
    graph = graph_of(box(2, 2, 2, (5, 5, 5)))
    assert sorted(map(tuple, graph.vertex_unit.tolist())) == sorted(
        (x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)
    )


@pytest.mark.parametrize("how", PLACES)
@pytest.mark.parametrize("name", SOLIDS)
def test_every_edge_of_a_closed_solid_is_used_twice_once_each_way(name, how):
    graph = graph_of(solid(name, how))
    face, edge = graph.coedge_index
    assert (np.bincount(edge, minlength=len(graph.edge_params_unit)) == 2).all()
    assert (np.bincount(edge, graph.coedge_forward) == 1).all()
    arcs = Counter(zip(graph.arc_index[0].tolist(), graph.arc_edge.tolist(), strict=True))
    assert arcs == Counter(zip(face.tolist(), edge.tolist(), strict=True))
    first = np.array([np.flatnonzero(edge == e)[0] for e in range(len(graph.edge_params_unit))])
    assert (graph.edge_params_unit[:, 17] == ~graph.coedge_forward[first]).all()


@pytest.mark.parametrize("how", PLACES)
@pytest.mark.parametrize("name", SOLIDS)
def test_arcs_run_between_the_vertices_of_their_edge_the_way_their_coedge_says(name, how):
    graph = graph_of(solid(name, how))
    forward = {(f, e): way for f, e, way in zip(*graph.coedge_index.tolist(), graph.coedge_forward, strict=True)}
    for arc in np.flatnonzero(~graph.arc_seam):
        edge = graph.arc_edge[arc]
        start, end = graph.vertex_unit[graph.edge_vertex[:, edge]]
        if not forward[graph.arc_index[0, arc], edge]:
            start, end = end, start
        ends = unit_points(graph, graph.arc_grid[arc, [0, -1], :3])
        assert np.abs(ends - [start, end]).max() < 1e-5
        along = graph.edge_params_unit[edge, 6:9] if graph.edge_params_unit[edge, 0] else None
        if along is not None:
            sign = 1 if forward[graph.arc_index[0, arc], edge] else -1
            assert graph.arc_grid[arc, 0, 3:] @ along * sign == pytest.approx(1, abs=1e-5)


def test_a_seam_is_one_edge_used_twice_by_its_face_and_a_pole_is_no_edge():
    sphere = graph_of(SHAPES["sphere"])
    assert sphere.coedge_index.tolist() == [[0, 0], [0, 0]] and sorted(sphere.coedge_forward.tolist()) == [False, True]
    assert sphere.edge_vertex.shape == (2, 1) and len(sphere.vertex_unit) == 2
    torus = graph_of(SHAPES["torus"])
    assert torus.edge_vertex.tolist() == [[0, 0], [0, 0]] and torus.coedge_index.shape == (2, 4)


def test_a_free_edge_is_stored_with_its_one_coedge_and_has_no_arc():
    builder, shell, opened = BRep_Builder(), TopoDS_Shell(), TopoDS_Solid()
    builder.MakeShell(shell)
    builder.MakeSolid(opened)
    explorer = TopExp_Explorer(box(1, 1, 1), TopAbs_FACE)
    for _ in range(5):
        builder.Add(shell, explorer.Current())
        explorer.Next()
    builder.Add(opened, shell)
    graph = graph_of(opened)
    uses = np.bincount(graph.coedge_index[1])
    assert sorted(uses.tolist()) == [1] * 4 + [2] * 8
    assert set(graph.arc_edge.tolist()) == set(np.flatnonzero(uses == 2).tolist())
    assert graph.edge_vertex.min() >= 0
