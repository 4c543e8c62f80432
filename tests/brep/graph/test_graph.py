import math
from collections import Counter

import numpy as np
import pytest
from OCP.BRep import BRep_Builder
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import (
    BRepBuilderAPI_MakeEdge,
    BRepBuilderAPI_MakeFace,
    BRepBuilderAPI_MakeVertex,
    BRepBuilderAPI_MakeWire,
)
from OCP.BRepFilletAPI import BRepFilletAPI_MakeFillet
from OCP.BRepPrimAPI import (
    BRepPrimAPI_MakeCone,
    BRepPrimAPI_MakeCylinder,
    BRepPrimAPI_MakeSphere,
    BRepPrimAPI_MakeTorus,
)
from OCP.gp import gp_Ax2, gp_Dir, gp_Pnt
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_INTERNAL
from OCP.TopExp import TopExp, TopExp_Explorer
from OCP.TopoDS import TopoDS, TopoDS_Shell, TopoDS_Solid

from brep_mae.brep.faces.topology import walk
from brep_mae.brep.reject import Reject
from brep_mae.schema import CONVEXITY, CURVE_TYPES, FaceGraph
from tests.brep.solids import SHAPES, box, graph_of, notched_block, placed

PLATE_WITH_HOLE = BRepAlgoAPI_Cut(
    box(4, 4, 1), BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(2, 2, 0), gp_Dir(0, 0, 1)), 1.0, 1.0).Shape()
).Shape()


def named(graph: FaceGraph, names, values) -> Counter[str]:
    return Counter(names[k] for k in values)


@pytest.mark.parametrize(
    "shape, areas",
    [
        (box(1, 2, 3), [2, 2, 3, 3, 6, 6]),
        (BRepPrimAPI_MakeCylinder(2.0, 5.0).Shape(), [4 * math.pi, 4 * math.pi, 20 * math.pi]),
        (BRepPrimAPI_MakeSphere(2.0).Shape(), [16 * math.pi]),
        (BRepPrimAPI_MakeTorus(3.0, 1.0).Shape(), [12 * math.pi**2]),
        (BRepPrimAPI_MakeCone(3.0, 0.0, 4.0).Shape(), [9 * math.pi, 15 * math.pi]),
        (PLATE_WITH_HOLE, [4, 4, 4, 4, 2 * math.pi, 16 - math.pi, 16 - math.pi]),
    ],
)
def test_faces_and_areas_match_the_closed_form(shape, areas):
    graph = graph_of(shape)
    assert sorted(graph.face_area_mm2) == pytest.approx(areas, rel=1e-5)


def test_a_box_has_twelve_convex_edges_and_the_euler_number_of_a_ball():
    graph = graph_of(box(1, 2, 3))
    assert graph.arc_index.shape == (2, 24)
    assert named(graph, CONVEXITY, graph.arc_convexity) == {"convex": 24}
    assert np.allclose(graph.arc_angle_rad, math.pi / 2)
    assert named(graph, CURVE_TYPES, graph.arc_type) == {"line": 24}
    assert not graph.arc_seam.any()
    ends = {tuple(p) for p in graph.arc_grid[:, [0, -1], :3].reshape(-1, 3).round(6)}
    assert len(ends) - (graph.arc_edge.max() + 1) + graph.n_faces == 2
    assert graph.face_loops.tolist() == [1] * 6


def test_each_arc_has_its_opposite_running_backwards():
    graph = graph_of(PLATE_WITH_HOLE)
    for a in range(graph.arc_index.shape[1]):
        (b,) = [k for k in np.flatnonzero(graph.arc_edge == graph.arc_edge[a]) if k != a]
        assert graph.arc_index[:, b].tolist() == graph.arc_index[::-1, a].tolist()
        assert graph.arc_grid[b, ::-1, :3] == pytest.approx(graph.arc_grid[a, :, :3])
        assert graph.arc_grid[b, ::-1, 3:] == pytest.approx(-graph.arc_grid[a, :, 3:])
        assert graph.arc_length_mm[a] == graph.arc_length_mm[b]
        assert graph.arc_angle_rad[a] == pytest.approx(graph.arc_angle_rad[b])


def test_a_notched_block_has_three_concave_edges():
    graph = graph_of(notched_block())
    assert graph.n_faces == 9
    assert named(graph, CONVEXITY, graph.arc_convexity) == {"convex": 36, "concave": 6}
    assert sorted(set(graph.arc_angle_rad.round(4))) == pytest.approx([-math.pi / 2, math.pi / 2], abs=1e-3)


@pytest.mark.parametrize("how", ["moved", "mirrored", "mirrored and turned over", "mirrored geometry"])
def test_convexity_and_sides_survive_a_placement(how):
    graph = graph_of(placed(how, notched_block()))
    assert named(graph, CONVEXITY, graph.arc_convexity) == {"convex": 36, "concave": 6}


@pytest.mark.parametrize("how", ["as made", "moved", "mirrored", "mirrored and turned over", "mirrored geometry"])
@pytest.mark.parametrize("name", ["box", "notched block", "cylinder", "cone"])
def test_the_source_face_is_on_the_left_seen_from_outside(name, how):
    """On a flat source the loop integral of half (position x tangent) along its arcs is its area, along its normal."""
    graph = graph_of(SHAPES[name] if how == "as made" else placed(how, SHAPES[name]), grid=64)
    for face in np.flatnonzero(graph.face_type == 0):
        total = np.zeros(3)
        for arc in np.flatnonzero(graph.arc_index[0] == face):
            points = graph.arc_grid[arc, :, :3].astype(float)
            total += np.cross(points[:-1], points[1:]).sum(0) / 2
        normal = graph.face_grid[face, 0, 0, 3:6]
        assert total @ normal == pytest.approx(graph.face_area_mm2[face], rel=0.01)


@pytest.mark.parametrize("inside", [SHAPES["torus"], SHAPES["box"]], ids=["torus", "plane"])
def test_a_face_inside_a_solid_that_bounds_nothing_costs_the_solid(inside):
    """The kernel's Boolean operations leave such faces where surfaces touch."""
    builder, shell, solid = BRep_Builder(), TopoDS_Shell(), TopoDS_Solid()
    builder.MakeShell(shell)
    faces = TopExp_Explorer(box(1, 2, 3), TopAbs_FACE)
    while faces.More():
        builder.Add(shell, faces.Current())
        faces.Next()
    builder.Add(shell, TopExp_Explorer(inside, TopAbs_FACE).Current().Oriented(TopAbs_INTERNAL))
    builder.MakeSolid(solid)
    builder.Add(solid, shell)
    with pytest.raises(Reject, match="face 6 lies inside the solid and bounds nothing") as caught:
        graph_of(solid)
    assert caught.value.reason == "degenerate"


def test_seams_are_arcs_from_a_face_to_itself_and_poles_are_none():
    cylinder = graph_of(BRepPrimAPI_MakeCylinder(2.0, 5.0).Shape())
    assert cylinder.arc_index.shape[1] == 6
    assert cylinder.arc_seam.sum() == 2
    assert (cylinder.arc_seam == (cylinder.arc_index[0] == cylinder.arc_index[1])).all()
    assert named(cylinder, CONVEXITY, cylinder.arc_convexity[cylinder.arc_seam]) == {"smooth": 2}
    assert sorted(cylinder.arc_length_mm) == pytest.approx([5.0] * 2 + [4 * math.pi] * 4)
    sphere = graph_of(BRepPrimAPI_MakeSphere(2.0).Shape())
    assert sphere.arc_seam.tolist() == [True, True]  # one seam; the two poles have no curve
    assert graph_of(BRepPrimAPI_MakeTorus(3.0, 1.0).Shape()).arc_seam.tolist() == [True] * 4


def test_edges_shared_twice_by_two_faces_are_both_kept():
    half = BRepAlgoAPI_Cut(BRepPrimAPI_MakeCylinder(1.0, 2.0).Shape(), box(5, 5, 5, (0, -2.5, -1))).Shape()
    graph = graph_of(half)
    pairs = Counter(map(tuple, graph.arc_index.T.tolist()))
    assert set(pairs.values()) == {1, 2}


def test_a_fillet_meets_its_neighbours_smoothly():
    block = box(4, 4, 4)
    fillet = BRepFilletAPI_MakeFillet(block)
    fillet.Add(1.0, TopoDS.Edge_s(TopExp_Explorer(block, TopAbs_EDGE).Current()))
    graph = graph_of(fillet.Shape())
    assert named(graph, CONVEXITY, graph.arc_convexity)["smooth"] == 4
    assert np.abs(graph.arc_angle_rad[graph.arc_convexity == CONVEXITY.index("smooth")]).max() < 1e-3


def test_a_hole_is_a_second_loop_whose_edges_are_convex():
    graph = graph_of(PLATE_WITH_HOLE)
    assert sorted(graph.face_loops.tolist()) == [1, 1, 1, 1, 1, 2, 2]
    circles = graph.arc_type == CURVE_TYPES.index("circle")
    assert named(graph, CONVEXITY, graph.arc_convexity[circles]) == {"convex": 4}


def test_the_bounding_box_is_tight():
    graph = graph_of(placed("moved", BRepPrimAPI_MakeSphere(2.0).Shape()))
    assert graph.scale_mm == pytest.approx(2.0, abs=1e-4)
    graph = graph_of(box(1, 2, 3, (10, 0, 0)))
    assert graph.center_mm.tolist() == pytest.approx([10.5, 1, 1.5])
    assert graph.scale_mm == pytest.approx(1.5)


def test_an_open_shell_has_no_arcs_over_its_rim():
    builder, shell, solid = BRep_Builder(), TopoDS_Shell(), TopoDS_Solid()
    builder.MakeShell(shell)
    builder.MakeSolid(solid)
    explorer = TopExp_Explorer(box(1, 1, 1), TopAbs_FACE)
    for _ in range(5):
        builder.Add(shell, explorer.Current())
        explorer.Next()
    builder.Add(solid, shell)
    assert graph_of(solid).arc_index.shape == (2, 16)


def test_where_three_faces_meet_in_an_edge_every_ordered_pair_gives_an_arc():
    builder, shell, solid = BRep_Builder(), TopoDS_Shell(), TopoDS_Solid()
    builder.MakeShell(shell)
    builder.MakeSolid(solid)
    faces = []
    explorer = TopExp_Explorer(box(1, 1, 1), TopAbs_FACE)
    while explorer.More():
        faces.append(explorer.Current())
        explorer.Next()
    edge = TopoDS.Edge_s(TopExp_Explorer(faces[0], TopAbs_EDGE).Current())
    first, last = TopExp.FirstVertex_s(edge), TopExp.LastVertex_s(edge)
    apex = BRepBuilderAPI_MakeVertex(gp_Pnt(-3, -4, -5)).Vertex()
    wire = BRepBuilderAPI_MakeWire(
        edge, BRepBuilderAPI_MakeEdge(last, apex).Edge(), BRepBuilderAPI_MakeEdge(apex, first).Edge()
    ).Wire()
    for face in [*faces, BRepBuilderAPI_MakeFace(wire, True).Face()]:
        builder.Add(shell, face)
    builder.Add(solid, shell)
    graph = graph_of(solid)
    assert graph.n_faces == 7
    assert graph.arc_index.shape[1] == 22 + 6
    assert sorted(Counter(graph.arc_edge.tolist()).values()) == [2] * 11 + [6]


def test_the_same_solid_gives_the_same_record():
    a, b = graph_of(PLATE_WITH_HOLE, uid="x#1"), graph_of(PLATE_WITH_HOLE, uid="x#1")
    other = graph_of(PLATE_WITH_HOLE, uid="x#2")
    assert (a.field_samples == b.field_samples).all() and (a.arc_grid == b.arc_grid).all()
    assert (a.field_samples != other.field_samples).any()


def test_a_solid_without_faces_is_rejected_with_its_reason():
    builder, solid = BRep_Builder(), TopoDS_Solid()
    builder.MakeSolid(solid)
    with pytest.raises(Reject) as found:
        walk(solid)
    assert found.value.reason == "degenerate"
