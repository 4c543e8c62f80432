"""Scalars that tell shape and neighbourhood, whatever way the solid lies and in whatever order its faces come."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder
from OCP.gp import gp_Ax2, gp_Dir, gp_Pnt, gp_Quaternion, gp_Trsf, gp_Vec

from brep_mae.features.invariants import ARC_DIM, ARC_SCALARS, FACE_DIM, FACE_SCALARS, invariants
from brep_mae.schema import ARRAYS, NORMAL, POINT, SURFACE_TYPES, FaceGraph
from tests.brep.solids import SHAPES, box, graph_of, placed
from tests.synthetic import make_graph

CLOSE = {"rtol": 0, "atol": 2e-3}


def cut(block, *tools):
    for tool in tools:
        block = BRepAlgoAPI_Cut(block, tool).Shape()
    return block


def pocketed():
    """A block of 4 x 4 x 2 with a pocket of 2 x 2 x 1 in the middle of its top."""
    return cut(box(4, 4, 2), box(2, 2, 1, (1, 1, 1)))


def bracket():
    """Curved, slanted and unsymmetric: a block with a step, a round hole across and a notch."""
    hole = BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(1.2, -1, 1.1), gp_Dir(0, 1, 0.1)), 0.4, 9.0).Shape()
    return cut(box(5, 3, 2), box(2, 9, 9, (3.5, -1, 1.2)), hole, box(9, 0.5, 9, (2.2, 1.0, 0.7)))


def face_of(graph: FaceGraph, name: str) -> np.ndarray:
    return invariants(graph).face[:, FACE_SCALARS.index(name)]


def arc_of(graph: FaceGraph, name: str) -> np.ndarray:
    return invariants(graph).arc[:, ARC_SCALARS.index(name)]


def turned(shape, rotation: np.ndarray | None, factor: float, shift, mirror: bool):
    trsf = gp_Trsf()
    if mirror:
        trsf.SetMirror(gp_Ax2(gp_Pnt(1, 2, 3), gp_Dir(1, 2, 5)))
    turn, grow, move = gp_Trsf(), gp_Trsf(), gp_Trsf()
    if rotation is not None:
        turn.SetRotation(gp_Quaternion(*rotation.tolist()))
    grow.SetScale(gp_Pnt(0, 0, 0), factor)
    move.SetTranslation(gp_Vec(*shift))
    return BRepBuilderAPI_Transform(shape, move.Multiplied(grow).Multiplied(turn).Multiplied(trsf), True).Shape()


@given(
    st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1),
    st.floats(0.05, 30),
    st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    st.booleans(),
)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_nothing_changes_when_the_kernel_turns_moves_scales_or_mirrors_the_solid(rotation, factor, shift, mirror):
    quaternion = np.array(rotation) / np.linalg.norm(rotation)
    before = invariants(graph_of(bracket(), grid=10))
    after = invariants(graph_of(turned(bracket(), quaternion, factor, shift, mirror), grid=10))
    np.testing.assert_array_equal(before.arc_index, after.arc_index)
    np.testing.assert_allclose(before.face, after.face, **CLOSE)
    np.testing.assert_allclose(before.arc, after.arc, **CLOSE)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_placed_and_curved_solids_keep_their_numbers(name):
    before = invariants(graph_of(SHAPES[name], grid=10))
    after = invariants(graph_of(placed("moved", SHAPES[name]), grid=10))
    np.testing.assert_allclose(before.face, after.face, **CLOSE)
    assert np.isfinite(before.face).all() and before.face.shape[1] == FACE_DIM and before.arc.shape[1] == ARC_DIM


def test_another_solid_and_a_stretched_one_have_other_numbers():
    """Negative control: what is said to be invariant is not constant."""
    same, other = graph_of(bracket()), graph_of(cut(box(5, 3, 2.4), box(2, 9, 9, (3.5, -1, 1.2))))
    assert not np.allclose(invariants(same).face[:6], invariants(other).face[:6], atol=0.05)
    stretched = same.face_grid.copy()
    stretched[..., 0] *= 2
    bent = replace(same, face_grid=stretched, arc_grid=same.arc_grid * np.array([2, 1, 1, 1, 1, 1], np.float32))
    assert not np.allclose(invariants(same).face, invariants(bent).face, atol=0.05)


def test_renumbering_the_faces_renumbers_the_rows():
    graph = graph_of(bracket(), grid=8)
    order = np.random.default_rng(3).permutation(graph.n_faces)
    per_face = [name for name, (_, axes) in ARRAYS.items() if axes[:1] == ("F",)]
    renumbered = replace(
        graph,
        **{name: getattr(graph, name)[order] for name in per_face},
        arc_index=order.argsort()[graph.arc_index].astype(np.int32),
    )
    before, after = invariants(graph), invariants(renumbered)
    np.testing.assert_allclose(before.face[order], after.face, atol=1e-5)
    np.testing.assert_allclose(before.arc, after.arc, atol=1e-5)
    np.testing.assert_array_equal(order[after.arc_index], before.arc_index)


def test_a_block_with_a_pocket_by_hand():
    """Area 4 * 4 * 2 + 4 * (4 * 2) + 4 * (2 * 1) = 72 (floor and opening cancel), so the unit is sqrt(72) mm."""
    graph = graph_of(pocketed(), grid=10)
    size, area = np.sqrt(72), graph.face_area_mm2
    floor = int(np.flatnonzero(np.isclose(area, 4))[0])
    walls = np.flatnonzero(np.isclose(area, 2))
    top = int(np.flatnonzero(np.isclose(area, 12))[0])
    sides = np.flatnonzero(np.isclose(area, 8))
    assert len(walls) == 4 and len(sides) == 4 and graph.n_faces == 11

    def value(name, face):
        return face_of(graph, name)[face]

    np.testing.assert_allclose(np.exp(value("log_area", floor)), 4 / 72, rtol=1e-5)
    np.testing.assert_allclose(value("fill", [floor, top]), [1, 12 / 16], atol=1e-4)
    np.testing.assert_allclose(np.exp(value("log_long", walls)), 2 / size, rtol=0.02)
    np.testing.assert_allclose(np.exp(value("log_short", walls)), 1 / size, rtol=0.02)
    np.testing.assert_allclose(value("thick", walls), 0, atol=1e-4)
    np.testing.assert_allclose(np.exp(value("log_compact", floor)), np.pi / 4, rtol=1e-4)
    np.testing.assert_allclose(value("above", [floor, top, *walls]) * size, [1, 0, 3, 3, 3, 3], atol=1e-3)
    np.testing.assert_allclose(value("below", [floor, top, *walls]) * size, [1, 2, 1, 1, 1, 1], atol=1e-3)
    assert value("on_hull", [floor, top, *walls, *sides]).tolist() == [0, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    np.testing.assert_allclose(value("spread", np.arange(11)), 0, atol=1e-5)
    np.testing.assert_allclose(np.exp(value("log_degree", [floor, top, *walls])), [5, 9, 5, 5, 5, 5], rtol=1e-5)
    assert value("loops", [floor, top]).tolist() == [1, 2]
    np.testing.assert_allclose(value("concave", [floor, walls[0], top]), [1, 4 / 6, 0], atol=1e-5)
    np.testing.assert_allclose(value("convex", [floor, walls[0], top]), [0, 2 / 6, 1], atol=1e-5)
    cavity = [floor, *walls]
    np.testing.assert_allclose(np.exp(value("log_inner", cavity)), [5, 4, 4, 4, 4], rtol=1e-5)
    np.testing.assert_allclose(np.exp(value("log_walls", cavity)), 5, rtol=1e-5)
    np.testing.assert_allclose(np.exp(value("log_cycles", cavity)), 1 + 8 - 5 + 1, rtol=1e-5)
    for name, count in (("log_border", 1), ("log_ways", 1), ("log_exits", 1)):
        np.testing.assert_allclose(np.exp(value(name, cavity)), 1 + count, rtol=1e-5)
    np.testing.assert_allclose(value("opposite", cavity), 0)
    np.testing.assert_allclose(value("open", [*cavity, top]), [0, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(value("square_inner", cavity), 1)

    found = invariants(graph)
    arc = next(a for a, (i, j) in enumerate(found.arc_index.T) if i == floor and j == walls[0])
    by_name = dict(zip(ARC_SCALARS, found.arc[arc], strict=False))
    np.testing.assert_allclose(by_name["cos_angle"], 0, atol=1e-6)
    np.testing.assert_allclose(by_name["angle"], -0.5, atol=1e-6)
    np.testing.assert_allclose(np.exp(by_name["log_length"]), 2 / size, rtol=1e-5)
    np.testing.assert_allclose(by_name["share"], 2 / 8, atol=1e-6)
    np.testing.assert_allclose(by_name["offset"] * size, 0.5, atol=1e-4)
    np.testing.assert_allclose(by_name["back_offset"] * size, 1, atol=1e-4)
    np.testing.assert_allclose(by_name["distance"] * size, np.sqrt(1.25), atol=1e-4)
    np.testing.assert_allclose(np.exp(by_name["log_area_ratio"]), 0.5, rtol=1e-5)
    assert by_name["square"] == 1


def test_ways_out_and_right_angles_tell_pocket_passage_slot_and_steps_apart():
    wedge = turned(box(9, 4, 4), np.array([0, 0, np.sin(0.2), np.cos(0.2)]), 1, (-1, -3.2, 1), False)
    shapes = {
        "passage": (cut(box(4, 4, 2), box(2, 2, 9, (1, 1, -1))), 4, 1, 2, 1.0),
        "blind slot": (cut(box(4, 4, 2), box(2, 2, 9, (1, -1, 1))), 4, 2, 2, 0.0),
        "through slot": (cut(box(4, 4, 2), box(2, 9, 9, (1, -1, 1))), 3, 0, 3, 2 / 3),
        "step": (cut(box(4, 4, 2), box(9, 9, 9, (2, -1, 1))), 2, 0, 4, 0.5),
        "slanted step": (cut(box(4, 4, 2), wedge), 2, 0, 4, 0.5),
    }
    for name, (shape, walls, cycles, exits, opposite) in shapes.items():
        graph = graph_of(shape)
        inner = np.flatnonzero(face_of(graph, "on_hull") == 0)
        assert len(inner) == walls, name
        for column, expected in (
            ("log_walls", np.log(walls)),
            ("log_cycles", np.log(1 + cycles)),
            ("log_exits", np.log(1 + exits)),
            ("opposite", opposite),
            ("square_border", 1.0 if name != "slanted step" else 4 / 6),
        ):
            np.testing.assert_allclose(face_of(graph, column)[inner], expected, atol=1e-5, err_msg=f"{name} {column}")


def test_a_wall_cut_in_two_counts_as_one_and_a_way_into_another_cavity_is_no_exit():
    passage = cut(box(4, 4, 4), box(9, 2, 1, (-1, 1, 1.5)))
    crossed = cut(passage, box(1, 2.5, 9, (1.5, 0.75, 2.2)))  # two ceilings, two notched walls, one floor
    for shape in (passage, crossed):
        graph = graph_of(shape)
        flat = (face_of(graph, "on_hull") == 0) & np.isclose(np.abs(graph.face_axes[:, 2, 1]), 1, atol=1e-3)
        wide = flat & (graph.face_area_mm2 > 3.5)
        assert wide.sum() == 2
        np.testing.assert_allclose(np.exp(face_of(graph, "log_walls")[wide]), 4, rtol=1e-5)
        np.testing.assert_allclose(np.exp(face_of(graph, "log_exits")[wide]), 3, rtol=1e-5)
    np.testing.assert_allclose(np.exp(face_of(graph, "log_ways")[wide]), 4, rtol=1e-5)  # into the shaft, upwards


def test_holes_and_bosses_bulge_to_opposite_sides_and_a_full_turn_has_no_normal():
    hole = graph_of(
        cut(box(4, 4, 2), BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(2, 2, -1), gp_Dir(0, 0, 1)), 1, 9).Shape())
    )
    pin = graph_of(SHAPES["cylinder"])
    round_face = SURFACE_TYPES.index("cylinder")
    inward, outward = (g.face_type == round_face for g in (hole, pin))
    assert face_of(hole, "bulge")[inward][0] < -0.05 and face_of(pin, "bulge")[outward][0] > 0.05
    np.testing.assert_allclose(face_of(pin, "spread")[outward], 1, atol=0.02)
    assert face_of(hole, "on_hull")[inward][0] == 0 and face_of(pin, "on_hull")[outward][0] == 1
    np.testing.assert_allclose(face_of(pin, "above")[outward], face_of(pin, "below")[outward])


def test_mirrored_arrays_and_seams():
    """What has a handedness is not read: mirrored points and normals give the same numbers; seam arcs are left out."""
    graph = make_graph(9)
    mirror = np.array([-1, 1, 1], np.float32)
    grid, arcs = graph.face_grid.copy(), graph.arc_grid.copy()
    grid[..., POINT] *= mirror
    grid[..., NORMAL] *= mirror
    arcs[..., POINT] *= mirror
    swapped = replace(
        graph,
        face_grid=grid,
        arc_grid=arcs,
        center_mm=graph.center_mm * mirror,
        face_centroid_mm=graph.face_centroid_mm * mirror,
        face_axes=graph.face_axes * mirror,
    )
    np.testing.assert_allclose(invariants(graph).face, invariants(swapped).face, atol=1e-4)
    np.testing.assert_allclose(invariants(graph).arc, invariants(swapped).arc, atol=1e-4)
    seam = replace(graph, arc_seam=np.arange(len(graph.arc_seam)) < 2)
    assert invariants(seam).arc.shape[0] == len(graph.arc_seam) - 2
