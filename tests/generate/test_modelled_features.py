"""Operations of modelled parts: what they add to a slab, under which names, and where."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from OCP.BRep import BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Surface
from OCP.TopAbs import TopAbs_VERTEX
from OCP.TopExp import TopExp
from OCP.TopoDS import TopoDS
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.generate.generators.modelled.bounds import bounds_mm
from brep_mae.generate.generators.modelled.features.boxes import cells
from brep_mae.generate.generators.modelled.features.datum import trim
from brep_mae.generate.generators.modelled.features.details import lettering
from brep_mae.generate.generators.modelled.features.edging import finished
from brep_mae.generate.generators.modelled.features.fins import axle, fin
from brep_mae.generate.generators.modelled.features.panels import panel
from brep_mae.generate.generators.modelled.features.rows import grille
from brep_mae.generate.generators.modelled.features.trays import tray
from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.operations import Mirror, bevelling
from brep_mae.generate.generators.modelled.sketches.outlines import circle, rectangle
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Profile
from brep_mae.generate.labelled import LabelledSolid, Rejected, check, faces
from tests.generate.test_modelled import slab, volume

SEEDS = 20
CUT, JOINED = {"cut_side", "cut_end"}, {"extrude_side", "extrude_end"}


def after(operation: Callable[[Model, int], None], seed: int) -> LabelledSolid | None:
    """What the operation makes of a slab; None where it does not fit."""
    model = Model(np.random.default_rng(seed), size_mm=20.0, turned=False, free_form=False)
    model.add([slab()])
    try:
        operation(model, 40)
    except Rejected:
        return None
    check(model.part)
    return model.part


def of_many(operation: Callable[[Model, int], None]) -> list[LabelledSolid]:
    made = [part for seed in range(SEEDS) if (part := after(operation, seed))]
    assert len(made) >= SEEDS // 2
    return made


def new_labels(part: LabelledSolid) -> Counter[str]:
    return Counter(part.labels) - Counter(slab().labels)


def test_a_trimmed_part_has_cut_sides_for_outer_walls_and_no_cut_end():
    made = of_many(trim)
    for part in made:
        assert set(part.labels) <= {"extrude_side", "extrude_end", "cut_side"} and "cut_side" in part.labels
        assert volume(part) < volume(slab())
    sizes = [np.subtract(*bounds_mm(part.solid)[::-1]) for part in made]
    assert any((size < [19.9, 19.9, 5.9]).any() for size in sizes)  # the part itself becomes smaller, as by no hole


def test_lettering_has_an_end_for_every_sketch_of_its_row():
    made = of_many(lettering)
    raised = [part for part in made if "cut_end" not in part.labels]
    assert 0 < len(raised) < len(made)
    for part in made:
        new = new_labels(part)
        end, side = ("extrude_end", "extrude_side") if part in raised else ("cut_end", "cut_side")
        assert set(part.labels) <= {"extrude_side", "extrude_end", end, side}
        assert new[end] >= 2 and new[side] >= 2


def test_a_grille_is_a_row_of_slots_or_ribs_all_with_sides_and_ends_of_one_kind():
    made = of_many(grille)
    ribs = [part for part in made if volume(part) > volume(slab())]
    assert 0 < len(ribs) < len(made)
    for part in made:
        new = new_labels(part)
        kind = JOINED if part in ribs else CUT
        assert set(part.labels) <= JOINED | kind and sum(new[label] for label in kind) >= 6  # of three at least
    assert max(len(part.labels) for part in made) > 60  # many, and on several faces


def test_a_panel_is_raised_or_sunk_with_details_of_its_own():
    made = of_many(panel)
    raised = [part for part in made if "cut_end" not in part.labels]
    assert 0 < len(raised) < len(made)
    for part in raised:
        assert set(part.labels) <= JOINED and new_labels(part)["extrude_end"] and volume(part) > volume(slab())
    for part in made:
        if part not in raised:
            assert new_labels(part)["cut_side"] >= 2
    # what is sunk may hold something that was joined: then its inner walls and floor are not all cut
    assert any(new_labels(part)["extrude_side"] for part in made if part not in raised)


def test_fins_reach_out_beyond_the_part_and_axles_at_both_sides():
    old = np.array(bounds_mm(slab().solid))
    for operation, sides in ((fin, 1), (axle, 2)):
        for part in of_many(operation):
            assert set(part.labels) == JOINED
            grown = np.abs(np.array(bounds_mm(part.solid)) - old) > 1e-6
            assert grown.any() and (sides == 1 or grown.all(axis=0).any())


def test_cells_have_walls_that_look_in_and_are_cut_across_at_times():
    made = of_many(cells)
    for part in made:
        new = new_labels(part)
        assert set(part.labels) <= JOINED | CUT and new["extrude_end"]
        assert new["extrude_side"] >= 4 + 4 and volume(part) > volume(slab())  # walls that look out, and that look in
    assert any("cut_side" in part.labels for part in made)  # across the webs


def test_what_a_chamfer_takes_off_a_rim_has_flat_sides_between_two_ends():
    part = bevelling(rectangle(6.0, 4.0), rectangle(5.0, 3.0), Frame().moved(0.0, 0.0, 2.0), 1.5)
    check(part)
    assert Counter(part.labels) == {"chamfer": 4, "cut_end": 2}
    assert volume(part) == pytest.approx(1.5 / 3 * (96 + 60 + (96 * 60) ** 0.5), rel=0.01)
    assert bounds_mm(part.solid)[1] == pytest.approx([6.0, 4.0, 2.0], abs=1e-4)
    slopes = [face for face, label in zip(faces(part.solid), part.labels, strict=True) if label == "chamfer"]
    leans = {round(abs(BRepAdaptor_Surface(face).Plane().Axis().Direction().Z()), 3) for face in slopes}
    assert leans == {round(1 / (1 + 1.5**2) ** 0.5, 3)}


def test_the_ledge_of_a_tray_is_bevelled_and_slots_cut_the_bevel_to_pieces():
    made = of_many(tray)
    sunk = [part for part in made if volume(part) < volume(slab())]
    assert 0 < len(sunk) < len(made)
    for part in made:
        new = new_labels(part)
        assert new["chamfer"] >= 4 and set(part.labels) <= JOINED | CUT | {"chamfer"}
        assert part in sunk or new["extrude_side"] >= 4 + 4  # the inner walls above and below the ledge
    assert max(new_labels(part)["chamfer"] for part in made) >= 4 * 3


def corners(part: LabelledSolid) -> set[tuple[float, ...]]:
    found = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(part.solid, TopAbs_VERTEX, found)
    points = [BRep_Tool.Pnt_s(TopoDS.Vertex_s(found.FindKey(i + 1))) for i in range(found.Extent())]
    return {(round(p.X(), 4), round(p.Y(), 4), round(p.Z(), 4)) for p in points}


def test_only_edges_of_what_has_just_been_made_are_finished():
    made = of_many(finished)
    blends = [Counter(part.labels)["fillet"] + Counter(part.labels)["chamfer"] for part in made]
    assert sum(found > 0 for found in blends) >= len(made) // 3 and max(blends) >= 8
    for part in made:
        assert corners(slab()) <= corners(part)


def test_with_a_mirror_what_lies_beside_it_is_made_twice_and_what_it_cuts_once():
    model = Model(np.random.default_rng(0), size_mm=20.0, turned=False, free_form=False)
    model.add([slab()])
    model.mirror = Mirror(axis=0, at_mm=0.0)
    model.add([model.extruded(Profile(circle(2.0)), Frame().moved(5.0, 3.0, 6.0), 4.0)])
    model.cut([model.extruded(Profile(circle(2.0)), Frame().moved(1.0, -5.0, 4.0), 4.0, "cut")])
    check(model.part)
    assert new_labels(model.part) == {"extrude_side": 2, "extrude_end": 2, "cut_side": 1, "cut_end": 1}
    assert volume(model.part) == pytest.approx(volume(slab()) + (2 * 4 - 2) * 4 * np.pi)
