"""The generator: labels are right by known geometry, solids are valid, and the same seed gives the same bytes."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from OCP.BRepAdaptor import BRepAdaptor_Surface
from OCP.BRepCheck import BRepCheck_Analyzer
from OCP.BRepGProp import BRepGProp
from OCP.BRepPrimAPI import BRepPrimAPI_MakeBox, BRepPrimAPI_MakeCylinder
from OCP.GeomAbs import GeomAbs_SurfaceType
from OCP.gp import gp_Ax2, gp_Dir, gp_Pnt
from OCP.GProp import GProp_GProps
from OCP.STEPControl import STEPControl_Reader

from brep_mae.generate.generate import generate
from brep_mae.generate.generators.machined import draw
from brep_mae.generate.generators.machined.classes import FACE_CLASSES, PART_CLASSES
from brep_mae.generate.generators.machined.draw import draw_part
from brep_mae.generate.labelled import (
    LabelledSolid,
    Rejected,
    chamfer,
    check,
    cut,
    edges,
    faces,
    fillet,
    fuse,
    only_solid,
)

SOLIDS, SEED = 14, 11


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("generated") / "set"
    return out, generate(out, "machined", SOLIDS, SEED, workers=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def box(low, high) -> LabelledSolid:
    solid = BRepPrimAPI_MakeBox(gp_Pnt(*low), gp_Pnt(*high)).Solid()
    return LabelledSolid(solid, ("stock",) * 6)


def cylinder(x, y, z, radius, height):
    return BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(x, y, z), gp_Dir(0, 0, 1)), radius, height).Solid()


def measure(face) -> tuple[float, tuple[float, float, float]]:
    BRepGProp.SurfaceProperties_s(face, size := GProp_GProps())
    centre = size.CentreOfMass()
    return size.Mass(), (centre.X(), centre.Y(), centre.Z())


def area_of(part: LabelledSolid, label: str) -> float:
    return sum(measure(f)[0] for f, held in zip(faces(part.solid), part.labels, strict=True) if held == label)


def slotted() -> LabelledSolid:
    """40 x 30 x 20 with a slot 10 wide and 8 deep along y in its top."""
    return cut(box((0, 0, 0), (40, 30, 20)), [box((15, -1, 12), (25, 31, 21)).solid], "rectangular_through_slot")


def test_slot_splits_the_top_and_both_pieces_stay_stock():
    part = slotted()
    check(part)
    assert Counter(part.labels) == {"stock": 7, "rectangular_through_slot": 3}
    assert area_of(part, "rectangular_through_slot") == pytest.approx(30 * (8 + 10 + 8))


def test_labels_stay_right_where_a_hole_crosses_a_slot():
    part = cut(slotted(), [cylinder(20, 15, -1, 8, 30)], "through_hole")
    check(part)
    # The hole is wider than the slot: it cuts the floor and both walls in two.
    assert Counter(part.labels) == {"stock": 7, "rectangular_through_slot": 6, "through_hole": 1}
    for face, label in zip(faces(part.solid), part.labels, strict=True):
        round_face = BRepAdaptor_Surface(face).GetType() == GeomAbs_SurfaceType.GeomAbs_Cylinder
        assert round_face == (label == "through_hole")
    half_chord = np.sqrt(8**2 - 5**2)
    strip = 2 * (5 * half_chord + 64 * np.arcsin(5 / 8))  # disc of radius 8 within the slot's width of 10
    walls = 2 * 8 * (30 - 2 * half_chord)
    assert area_of(part, "rectangular_through_slot") == pytest.approx(300 - strip + walls)
    open_angle = 4 * np.arcsin(5 / 8)  # part of the circle that ends at the slot's floor
    assert area_of(part, "through_hole") == pytest.approx(8 * (2 * np.pi * 12 + (2 * np.pi - open_angle) * 8))


def edge_between(part: LabelledSolid, one: str, other: str):
    for edge in edges(part.solid):
        sides = [
            k for f, k in zip(faces(part.solid), part.labels, strict=True) if any(edge.IsSame(e) for e in edges(f))
        ]
        if sorted(sides) == sorted([one, other]):
            yield edge


def test_fillet_in_a_slot_labels_the_round_face_only():
    slot = slotted()
    inner = list(edge_between(slot, "rectangular_through_slot", "rectangular_through_slot"))
    assert len(inner) == 2  # floor meets wall
    part = fillet(slot, inner[:1], 2.0)
    check(part)
    assert Counter(part.labels) == {"stock": 7, "rectangular_through_slot": 3, "fillet": 1}
    assert area_of(part, "fillet") == pytest.approx(30 * 2 * np.pi / 2)


def test_chamfer_on_a_slot_edge_labels_the_bevel_only():
    slot = slotted()
    rims = list(edge_between(slot, "stock", "rectangular_through_slot"))
    part = chamfer(slot, [e for e in rims if measure_length(e) == pytest.approx(30)][:1], 1.5)
    assert Counter(part.labels) == {"stock": 7, "rectangular_through_slot": 3, "chamfer": 1}
    assert area_of(part, "chamfer") == pytest.approx(30 * 1.5 * np.sqrt(2))


def measure_length(edge) -> float:
    BRepGProp.LinearProperties_s(edge, length := GProp_GProps())
    return length.Mass()


def test_boss_adds_its_faces_and_a_hole_through_it_keeps_them():
    part = fuse(box((0, 0, 0), (40, 30, 20)), [cylinder(20, 15, 19, 8, 6)], "boss")
    assert Counter(part.labels) == {"stock": 6, "boss": 2}
    part = cut(part, [cylinder(20, 15, -1, 3, 40)], "through_hole")
    check(part)
    assert Counter(part.labels) == {"stock": 6, "boss": 2, "through_hole": 1}
    assert area_of(part, "boss") == pytest.approx(np.pi * (64 - 9) + 2 * np.pi * 8 * 5)


def test_a_face_claimed_by_two_features_is_a_rejection():
    low = box((5, 5, 12), (20, 20, 21)).solid
    part = cut(box((0, 0, 0), (40, 30, 20)), [low], "rectangular_pocket")
    with pytest.raises(Rejected, match="two labels"):
        cut(part, [cylinder(20, 15, 12, 6, 10)], "circular_pocket")  # its floor lies in the pocket's floor


def test_a_part_that_falls_apart_is_a_rejection():
    with pytest.raises(Rejected, match="several solids"):
        cut(box((0, 0, 0), (40, 30, 20)), [box((15, -1, -1), (25, 31, 21)).solid], "rectangular_through_slot")


@pytest.mark.parametrize("name", [c for c in FACE_CLASSES if c != "stock"])
def test_every_face_class_can_be_made_alone(name):
    rng = np.random.default_rng(0)
    for _ in range(5):
        try:
            part = draw.build(rng, "block", [name])
        except Rejected:
            continue
        assert set(part.labels) == {"stock", name}
        return
    pytest.fail(f"five draws of {name} rejected")


@pytest.mark.parametrize("family", PART_CLASSES)
def test_every_family_is_one_valid_solid_with_several_features(family):
    rng = np.random.default_rng(1)
    for _ in range(10):
        try:
            part = draw.build(rng, family, ["o_ring_groove", "through_hole", "rectangular_pocket", "fillet"])
        except Rejected:
            continue
        assert only_solid(part.solid).IsSame(part.solid)
        assert BRepCheck_Analyzer(part.solid).IsValid()
        assert len(part.labels) == len(faces(part.solid))
        return
    pytest.fail(f"ten draws of {family} rejected")


def test_a_batch_covers_families_and_most_classes(made):
    records = [json.loads(line) for line in (made[0] / "labels.jsonl").read_text().splitlines()]
    assert {r["part"] for r in records} <= set(PART_CLASSES) and len({r["part"] for r in records}) >= 4
    seen = {label for r in records for label in r["faces"]}
    assert seen <= set(FACE_CLASSES) and len(seen) >= 18


def test_names_in_the_file_join_labels_to_the_faces_they_were_given_to(made):
    out, _ = made
    for index, line in enumerate((out / "labels.jsonl").read_text().splitlines()):
        record, part = json.loads(line), draw_part(SEED, index)
        assert record["faces"] == list(part.labels) and record["part"] == part.family
        reader = STEPControl_Reader()
        reader.ReadFile(str(out / record["file"]))
        reader.TransferRoots()
        solid = only_solid(reader.OneShape())
        assert BRepCheck_Analyzer(solid).IsValid()
        transfer, read = reader.WS().TransferReader(), {}
        for face in faces(solid):
            read[int(transfer.EntityFromShapeResult(face, 1).Name().ToCString())] = measure(face)
        assert sorted(read) == list(range(len(part.labels)))
        for face_id, face in enumerate(faces(part.solid)):
            area, centre = measure(face)
            assert read[face_id][0] == pytest.approx(area, rel=1e-4)
            assert read[face_id][1] == pytest.approx(centre, abs=1e-2)


def test_the_folder_holds_what_it_says_and_nothing_else(made):
    out, report = made
    names = {f"step/{i:06d}.step" for i in range(SOLIDS)}
    assert set(contents(out)) == names | {"labels.jsonl", "classes.json", "generator.json"}
    records = [json.loads(line) for line in (out / "labels.jsonl").read_text().splitlines()]
    assert [r["file"] for r in records] == sorted(names)
    assert json.loads((out / "classes.json").read_text()) == {"face": list(FACE_CLASSES), "part": list(PART_CLASSES)}
    assert report.solids == report.made == SOLIDS
    assert report.attempts == SOLIDS + sum(report.rejected.values())


def test_bytes_do_not_depend_on_workers(made, tmp_path):
    generate(tmp_path / "set", "machined", SOLIDS, SEED, workers=2)
    assert contents(tmp_path / "set") == contents(made[0])


def test_another_seed_draws_other_parts(made, tmp_path):
    generate(tmp_path / "set", "machined", 1, SEED + 1, workers=1)
    assert contents(tmp_path / "set")["step/000000.step"] != contents(made[0])["step/000000.step"]


def test_a_stopped_run_goes_on_without_making_parts_again(made, tmp_path, monkeypatch):
    out, drawn = tmp_path / "set", []

    def stop_at_five(seed, index):
        if index == 5:
            raise KeyboardInterrupt
        return draw_part(seed, index)

    monkeypatch.setattr(draw, "draw_part", stop_at_five)
    with pytest.raises(KeyboardInterrupt):
        generate(out, "machined", SOLIDS, SEED, workers=1)
    before = {p: p.stat().st_mtime_ns for p in (out / "step").iterdir()}
    assert len(before) == 5

    monkeypatch.setattr(draw, "draw_part", lambda s, i: drawn.append(i) or draw_part(s, i))
    (out / "step" / "000002.step").unlink()
    report = generate(out, "machined", SOLIDS, SEED, workers=1)
    assert drawn == [2, *range(5, SOLIDS)] and report.made == len(drawn)
    kept = {p: t for p, t in before.items() if p.name != "000002.step"}
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    assert contents(out) == contents(made[0])


def test_a_finished_folder_grows(tmp_path, made):
    generate(tmp_path / "set", "machined", 2, SEED, workers=1)
    assert generate(tmp_path / "set", "machined", 4, SEED, workers=1).made == 2
    grown, whole = contents(tmp_path / "set"), contents(made[0])
    assert all(grown[f"step/{i:06d}.step"] == whole[f"step/{i:06d}.step"] for i in range(4))
    assert grown["labels.jsonl"].splitlines() == whole["labels.jsonl"].splitlines()[:4]


@pytest.mark.parametrize("solids, seed, reason", [(SOLIDS, SEED + 1, "drawn with"), (2, SEED, "beyond the 2 asked")])
def test_a_folder_of_other_settings_is_refused(made, solids, seed, reason):
    before = contents(made[0])
    with pytest.raises(ValueError, match=reason):
        generate(made[0], "machined", solids, seed, workers=1)
    assert contents(made[0]) == before


def test_a_folder_of_somebody_is_refused_and_what_comes_into_ours_stays(tmp_path):
    (tmp_path / "labels.jsonl").write_text("mine")
    with pytest.raises(ValueError, match=r"holds labels\.jsonl, and no parts of this program; use a new folder"):
        generate(tmp_path, "milled", 1, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["labels.jsonl"]
    out = tmp_path / "out"
    generate(out, "milled", 1, 0)
    (out / "parts").mkdir()
    (out / "parts" / "notes.txt").write_text("mine")
    generate(out, "milled", 2, 0)
    assert [path.name for path in (out / "parts").iterdir()] == ["notes.txt"]


def test_rejected_draws_are_counted_by_reason(monkeypatch):
    build, reasons = draw.build, ["sliver face", "open shell", "sliver face"]

    def rejecting(rng, family):
        if reasons:
            raise Rejected(reasons.pop())
        return build(rng, "block", ["through_hole"])

    monkeypatch.setattr(draw, "build", rejecting)
    part = draw_part(0, 0)
    assert part.attempts == 4 and part.rejected == {"sliver face": 2, "open shell": 1}
