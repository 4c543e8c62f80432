"""Modelled parts: every face bears the name of the operation that made it, and the parser takes every part."""

import json
import os
import signal
from collections import Counter
from math import pi

import numpy as np
import pytest
from OCP.BRepAdaptor import BRepAdaptor_Surface
from OCP.BRepGProp import BRepGProp
from OCP.GeomAbs import GeomAbs_SurfaceType
from OCP.GProp import GProp_GProps

from brep_mae.datasets.source import open_source
from brep_mae.generate import trial
from brep_mae.generate.generate import generate
from brep_mae.generate.generators.modelled.classes import FACE_CLASSES, PART_CLASSES
from brep_mae.generate.generators.modelled.draw import build, draw_part
from brep_mae.generate.generators.modelled.flats import flat
from brep_mae.generate.generators.modelled.model import MAX_FACES, Model
from brep_mae.generate.generators.modelled.operations import extrude, free_form, merged, placed, revolve
from brep_mae.generate.generators.modelled.places import Probe
from brep_mae.generate.generators.modelled.sketches.freehand import blob
from brep_mae.generate.generators.modelled.sketches.openings import perforated
from brep_mae.generate.generators.modelled.sketches.outlines import OUTLINES, circle, rectangle
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Profile
from brep_mae.generate.generators.modelled.sketches.turning import dome
from brep_mae.generate.labelled import (
    LabelledSolid,
    Rejected,
    chamfer,
    check,
    edges,
    faces,
    fillet,
    subtract,
    unite,
)
from brep_mae.ingest.dataset import parse_dataset
from brep_mae.settings import ParseParams, SplitParams

GROUND = Frame()
SOLIDS, SEED = 6, 0


def slab(half: float = 10.0, height: float = 6.0) -> LabelledSolid:
    return extrude(Profile(rectangle(half, half)), GROUND, height)


def area_of(part: LabelledSolid, label: str) -> float:
    total = 0.0
    for face, held in zip(faces(part.solid), part.labels, strict=True):
        BRepGProp.SurfaceProperties_s(face, size := GProp_GProps())
        total += size.Mass() * (held == label)
    return total


def surfaces(part: LabelledSolid) -> Counter[object]:
    return Counter(BRepAdaptor_Surface(face).GetType() for face in faces(part.solid))


def volume(part: LabelledSolid) -> float:
    BRepGProp.VolumeProperties_s(part.solid, size := GProp_GProps())
    return size.Mass()


def test_an_extruded_square_has_four_sides_and_two_ends():
    part = slab()
    check(part)
    assert Counter(part.labels) == {"extrude_side": 4, "extrude_end": 2}
    assert area_of(part, "extrude_end") == pytest.approx(2 * 400)


def test_a_hole_in_the_sketch_is_a_side_of_the_extrusion():
    part = extrude(Profile(rectangle(10, 10), (circle(4.0),)), GROUND, 6.0)
    check(part)
    assert Counter(part.labels) == {"extrude_side": 5, "extrude_end": 2}
    assert volume(part) == pytest.approx(6 * (400 - 16 * pi))


def test_a_round_pocket_has_a_side_and_an_end():
    part = subtract(slab(), [extrude(Profile(circle(4.0)), GROUND.moved(0, 0, 2), 9.0, "cut")])
    check(part)
    assert Counter(part.labels) == {"extrude_side": 4, "extrude_end": 2, "cut_side": 1, "cut_end": 1}
    assert area_of(part, "cut_side") == pytest.approx(2 * pi * 4 * 4)
    assert area_of(part, "cut_end") == pytest.approx(16 * pi)


def test_a_cut_through_has_no_end():
    part = subtract(slab(), [extrude(Profile(circle(4.0)), GROUND.moved(0, 0, -2), 10.0, "cut")])
    check(part)
    assert Counter(part.labels) == {"extrude_side": 4, "extrude_end": 2, "cut_side": 1}


def test_a_face_cut_in_two_keeps_its_label_on_both_sides():
    part = subtract(slab(), [extrude(Profile(rectangle(20, 2)), GROUND.moved(0, 0, 3), 9.0, "cut")])
    check(part)
    # the slot halves the top and runs out through two sides, which stay whole below it
    assert Counter(part.labels) == {"extrude_side": 4, "extrude_end": 3, "cut_side": 2, "cut_end": 1}


@pytest.mark.parametrize("dress, radius", [(fillet, 2.0), (chamfer, 1.0)])
def test_dressing_one_edge_gives_one_face(dress, radius):
    part = slab()
    upright = [e for e in edges(part.solid) if _length(e) == pytest.approx(6.0)]
    part = dress(part, upright[:1], radius)
    check(part)
    assert Counter(part.labels) == {"extrude_side": 4, "extrude_end": 2, dress.__name__: 1}
    assert area_of(part, dress.__name__) == pytest.approx(6 * (pi if dress is fillet else 2**0.5))


def _length(edge) -> float:
    BRepGProp.LinearProperties_s(edge, size := GProp_GProps())
    return size.Mass()


def test_a_full_turn_has_sides_only_and_a_part_of_one_two_ends():
    section = Profile(rectangle(1, 2)).scaled(1.0, 5.0, 0.0)
    ring = revolve(section, GROUND.upright())
    arc = revolve(section, GROUND.upright(), pi / 2)
    check(ring)
    check(arc)
    assert Counter(ring.labels) == {"revolve_side": 4}
    assert Counter(arc.labels) == {"revolve_side": 4, "revolve_end": 2}
    assert volume(ring) == pytest.approx(2 * pi * 5 * 8) and volume(arc) == pytest.approx(volume(ring) / 4)
    assert area_of(arc, "revolve_end") == pytest.approx(2 * 8)


def test_a_boss_flush_with_a_side_is_merged_with_it():
    step = extrude(Profile(rectangle(10, 5)).scaled(1.0, 0.0, 5.0), GROUND.moved(0, 0, 6), 4.0)
    part = merged(unite(slab(), [step]))
    check(part)
    assert Counter(part.labels) == {"extrude_side": 5, "extrude_end": 3}  # its foot inside is gone
    assert volume(part) == pytest.approx(2400 + 800)


def test_faces_of_two_labels_that_continue_each_other_are_a_rejection():
    beside = revolve(Profile(rectangle(1, 1)).scaled(1.0, 1.0, 5.0), GROUND.moved(10, 0).upright(), pi / 2)
    with pytest.raises(Rejected, match="two labels"):
        merged(unite(slab(), [beside]))  # its flat top at z = 6 goes on from the slab's


def test_b_spline_form_and_place_keep_shape_and_labels():
    part = extrude(Profile(blob(np.random.default_rng(0), 10, 8)), GROUND, 5.0)
    other = free_form(part)
    moved = placed(other, Frame((3.0, -2.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)))
    assert surfaces(part)[GeomAbs_SurfaceType.GeomAbs_SurfaceOfExtrusion] == 1
    for changed in (other, moved):
        check(changed)
        assert surfaces(changed)[GeomAbs_SurfaceType.GeomAbs_BSplineSurface] == 1
        for label in ("extrude_side", "extrude_end"):
            assert area_of(changed, label) == pytest.approx(area_of(part, label), rel=1e-3)  # Gauss points differ
    ends = [f for f, held in zip(faces(moved.solid), moved.labels, strict=True) if held == "extrude_end"]
    assert sorted(BRepAdaptor_Surface(f).Plane().Location().X() for f in ends) == pytest.approx([3.0, 8.0])


@pytest.mark.parametrize("name", OUTLINES)
def test_every_outline_closes_and_stays_in_its_box(name):
    rng = np.random.default_rng(5)
    for a, b in ((10.0, 4.0), (6.0, 6.0)):
        part = extrude(Profile(OUTLINES[name][1](rng, a, b)), GROUND, 3.0)
        check(part)
        assert set(part.labels) == {"extrude_side", "extrude_end"}
        assert 0.15 * a * b < volume(part) / 3 < 4.2 * a * b


@pytest.mark.parametrize("name", ["rectangle", "circle", "steps", "wave"])
def test_holes_of_a_sketch_are_sides_of_its_extrusion(name):
    rng = np.random.default_rng(1)
    made = 0
    for _ in range(6):
        loop = OUTLINES[name][1](rng, 10.0, 7.0)
        try:
            profile = perforated(rng, loop)
        except Rejected:
            continue
        part = extrude(profile, GROUND, 3.0)
        check(part)
        sides = len(loop) + sum(len(hole) for hole in profile.holes)
        assert Counter(part.labels) == {"extrude_side": sides, "extrude_end": 2} and profile.holes
        assert volume(part) < 0.999 * volume(extrude(Profile(loop), GROUND, 3.0))
        made += 1
    assert made >= 2


def test_free_room_on_a_face_avoids_its_holes():
    part = subtract(slab(), [extrude(Profile(circle(4.0)), GROUND.moved(0, 0, -2), 10.0, "cut")])
    top = next(p for p in map(flat, _planes(part)) if p.frame.normal[2] > 0.5)
    clear = top.clearance(np.array([[0.0, 0.0], [7.0, 0.0]]))
    assert clear[0] < 0 < clear[1] and clear[1] == pytest.approx(3.0, abs=0.2)
    assert top.free_box(np.array([7.0, 0.0]), 1.0)[1] == pytest.approx(3.0, abs=0.2)
    assert Probe(part.solid).crossings_mm((7.0, 0.0, 6.0), (0.0, 0.0, 1.0)) == pytest.approx([-6.0, 0.0], abs=1e-9)


def _planes(part: LabelledSolid):
    return [f for f in faces(part.solid) if BRepAdaptor_Surface(f).GetType() == GeomAbs_SurfaceType.GeomAbs_Plane]


def test_an_operation_that_leaves_a_sliver_is_refused_and_changes_nothing():
    model = Model(np.random.default_rng(0), size_mm=20.0, turned=False, free_form=False)
    model.add([slab()])
    before = model.part
    with pytest.raises(Rejected, match="sliver"):
        model.cut([extrude(Profile(rectangle(9.99, 9.99)), GROUND.moved(0, 0, 3), 9.0, "cut")])
    with pytest.raises(Rejected, match="nothing changed"):
        model.cut([extrude(Profile(circle(2.0)), GROUND.moved(0, 0, 8.0), 9.0, "cut")])
    assert model.part is before and model.operations == 1


def test_a_ball_ended_pin_is_no_sliver_at_its_pole():
    model = Model(np.random.default_rng(0), size_mm=20.0, turned=False, free_form=False)
    model.add([slab()])
    model.add([revolve(dome(3.0, 5.0, 0.0), GROUND.moved(0, 0, 6).upright())])
    assert Counter(model.part.labels) == {"extrude_side": 4, "extrude_end": 2, "revolve_side": 2}
    assert surfaces(model.part)[GeomAbs_SurfaceType.GeomAbs_Sphere] == 1


def test_an_edge_that_the_kernel_does_not_take_is_refused_and_the_part_goes_on():
    """OCCT says so already where the edge is named, and not with what it says of an edge it fails to round."""
    part = draw_part(1, 987)
    assert len(part.labels) == len(faces(part.solid)) and "fillet" in part.labels


def test_a_trial_tells_a_killed_process_from_an_error():
    assert trial.survives(lambda: None)
    assert trial.survives(lambda: 1 / 0)
    assert not trial.survives(lambda: os.kill(os.getpid(), signal.SIGKILL))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("modelled") / "source"
    return out, generate(out, "modelled", SOLIDS, SEED)


def test_the_same_seed_gives_the_same_bytes(made, tmp_path):
    generate(tmp_path / "again", "modelled", 3, SEED)
    for index in range(3):
        name = f"step/{index:06d}.step"
        assert (tmp_path / "again" / name).read_bytes() == (made[0] / name).read_bytes()


@pytest.mark.parametrize("family", PART_CLASSES)
def test_every_family_can_be_built(family):
    rng = np.random.default_rng(2)
    for _ in range(5):
        try:
            part = build(rng, family)
        except Rejected:
            continue
        check(part)
        assert len(part.labels) == len(faces(part.solid)) <= MAX_FACES
        return
    pytest.fail(f"five draws of {family} rejected")


def test_a_small_set_has_all_classes_and_parses_with_its_labels(made, tmp_path):
    records = [json.loads(line) for line in (made[0] / "labels.jsonl").read_text().splitlines()]
    assert {label for r in records for label in r["faces"]} == set(FACE_CLASSES)
    assert len({r["part"] for r in records}) >= 4
    parse = ParseParams(
        grid=4, field_pool=16, field_samples=4, curvature=False, split_closed=False, deadline_s=60, memory_mb=4000
    )
    source = open_source("generated", str(made[0]), 0, tmp_path)
    report = parse_dataset(source, tmp_path / "data", parse, SplitParams(validation=0.1, test=0.1), 1, tmp_path)
    assert report.rejects == [] and report.solids == SOLIDS
    assert report.faces == sum(len(r["faces"]) for r in records)
