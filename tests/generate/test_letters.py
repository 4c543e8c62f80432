"""Letters: outlines become exact solids, labels say how each face was made, and the seed settles everything."""

import json
import os
import signal
from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.path import Path as Polygon
from OCP.BRep import BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Curve, BRepAdaptor_Surface
from OCP.BRepGProp import BRepGProp
from OCP.BRepTools import BRepTools
from OCP.GeomAbs import GeomAbs_Shape, GeomAbs_SurfaceType
from OCP.GProp import GProp_GProps
from OCP.ShapeAnalysis import ShapeAnalysis_ShapeTolerance
from OCP.ShapeUpgrade import ShapeUpgrade_ShapeDivideContinuity
from OCP.TopAbs import TopAbs_VERTEX, TopAbs_WIRE
from OCP.TopExp import TopExp
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.datasets.source import open_source
from brep_mae.generate.generate import generate
from brep_mae.generate.generators.letters import draw
from brep_mae.generate.generators.letters.classes import FACE_CLASSES, PART_CLASSES
from brep_mae.generate.generators.letters.draw import build, draw_part
from brep_mae.generate.generators.letters.glyphs import Glyph, base, glyph_of
from brep_mae.generate.generators.letters.outlines import FONTS
from brep_mae.generate.generators.letters.solids import extruded, tapered
from brep_mae.generate.labelled import Rejected, check, edges, faces

SOLIDS, SEED, EM_MM, DEPTH_MM = 12, 3, 50.0, 8.0
SPLINES = {GeomAbs_SurfaceType.GeomAbs_SurfaceOfExtrusion, GeomAbs_SurfaceType.GeomAbs_BSplineSurface}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("letters") / "set"
    return out, generate(out, "letters", SOLIDS, SEED, workers=1)


def glyph(character: str, font: str = "DejaVuSans") -> Glyph:
    return Glyph(character.upper(), character, font)


def upright(character: str, font: str = "DejaVuSans"):
    return base(glyph(character, font), EM_MM * np.eye(2))


def plain(character: str, font: str = "DejaVuSans"):
    return extruded(upright(character, font), DEPTH_MM)[0]


def count(shape, kind) -> int:
    found = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, kind, found)
    return found.Extent()


def volume_mm3(solid) -> float:
    """Faces and edges are first cut at their splines' knots, over which OCCT's integral is off by up to 2e-3."""
    split = ShapeUpgrade_ShapeDivideContinuity(solid)
    split.SetBoundaryCriterion(GeomAbs_Shape.GeomAbs_C2)
    split.SetSurfaceCriterion(GeomAbs_Shape.GeomAbs_C2)
    split.Perform()
    BRepGProp.VolumeProperties_s(split.Result(), size := GProp_GProps())
    return size.Mass()


def drawn_area(character: str, font: str) -> float:
    """Area of a letter in em, by matplotlib's own reading of the font and the shoelace on a fine flattening."""
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    reader = FT2Font(str(file))
    reader.set_size(4000, 72)  # so large that rounding to the pixel does not tell
    reader.load_char(ord(character), flags=LoadFlags.NO_HINTING)
    drawn = Polygon(*reader.get_path())
    chords = [curve(np.linspace(0, 1, 50)) for curve, _ in drawn.iter_bezier()]
    twice = sum(np.sum(p[:-1, 0] * p[1:, 1] - p[1:, 0] * p[:-1, 1]) for p in chords)
    return abs(twice) / 2 / 4000**2


@pytest.mark.parametrize("character, holes", [("I", 0), ("O", 1), ("B", 2)])
@pytest.mark.parametrize("form", ["plain", "tapered", "fillet"])
def test_a_letter_has_as_many_holes_as_we_see(character, holes, form):
    part = first(glyph(character), form)
    solid, n_faces = part.solid, len(part.labels)
    n_edges = sum(not BRep_Tool.Degenerated_s(edge) for edge in edges(solid))  # a fillet may end in a point
    euler = count(solid, TopAbs_VERTEX) - n_edges + n_faces
    inner = count(solid, TopAbs_WIRE) - n_faces  # loops beyond the outer one of each face
    assert euler - inner == 2 - 2 * holes
    ends = [f for f, label in zip(faces(solid), part.labels, strict=True) if label == "extrude_end"]
    assert [count(end, TopAbs_WIRE) for end in ends] == [1 + holes] * 2


def first(of: Glyph, form: str):
    rng = np.random.default_rng(0)
    for _ in range(20):
        try:
            return build(rng, of, form)
        except Rejected:
            continue
    pytest.fail(f"20 draws of {of} with {form} rejected")


def test_a_sans_i_is_a_box_and_its_labels_are_the_sweeps():
    part = plain("I")
    check(part)
    assert Counter(part.labels) == {"extrude_side": 4, "extrude_end": 2}
    heights = {label: set() for label in part.labels}
    for face, label in zip(faces(part.solid), part.labels, strict=True):
        BRepGProp.SurfaceProperties_s(face, size := GProp_GProps())
        heights[label].add(round(size.CentreOfMass().Z(), 6))
    assert heights == {"extrude_side": {DEPTH_MM / 2}, "extrude_end": {0.0, DEPTH_MM}}


@pytest.mark.parametrize("font", ["DejaVuSans", "DejaVuSerif-BoldItalic", "STIXGeneral", "cmti10", "cmss10"])
def test_volume_is_the_fonts_own_area_times_depth(font):
    for character in "AOBSgemQ":
        expected = drawn_area(character, font) * EM_MM**2 * DEPTH_MM
        assert volume_mm3(plain(character, font).solid) == pytest.approx(expected, rel=1e-3), character


def test_a_taper_shrinks_both_ways_about_its_apex():
    outline, ratio = upright("B"), 0.8
    part = tapered(outline, DEPTH_MM, ratio, 10.0, 20.0)
    check(part)
    share = (1 + ratio + ratio**2) / 3  # frustum of a cone
    assert volume_mm3(part.solid) == pytest.approx(share * volume_mm3(plain("B").solid), rel=1e-6)
    assert Counter(part.labels) == Counter(plain("B").labels)


@pytest.mark.parametrize("form", ["plain", "tapered"])
def test_curved_strokes_have_spline_walls_and_straight_ones_planes(form):
    for character, curved in (("S", True), ("E", False), ("O", True)):
        part = first(glyph(character), form)
        walls = [f for f, label in zip(faces(part.solid), part.labels, strict=True) if label == "extrude_side"]
        kinds = {BRepAdaptor_Surface(wall).GetType() for wall in walls}
        assert bool(kinds & SPLINES) == curved and kinds <= SPLINES | {GeomAbs_SurfaceType.GeomAbs_Plane}
    assert kinds <= SPLINES  # an O has no straight stroke


def test_a_curved_wall_is_a_spline_swept_along_a_line():
    part = plain("O")
    wall = next(
        s
        for f in faces(part.solid)
        if (s := BRepAdaptor_Surface(f)).GetType() == GeomAbs_SurfaceType.GeomAbs_SurfaceOfExtrusion
    )
    assert wall.BasisCurve().BSpline().Degree() == 2 and abs(wall.Direction().Z()) == pytest.approx(1)


@pytest.mark.parametrize("form", ["fillet", "chamfer"])
def test_rims_leave_ends_and_sides_their_labels(form):
    part = first(glyph("T"), form)
    held = Counter(part.labels)
    assert held["extrude_end"] == 2 and held["extrude_side"] == 8
    assert held[form] in (8, 16) and set(held) == {"extrude_end", "extrude_side", form}
    round_or_flat = GeomAbs_SurfaceType.GeomAbs_Cylinder if form == "fillet" else GeomAbs_SurfaceType.GeomAbs_Plane
    for face, label in zip(faces(part.solid), part.labels, strict=True):
        if label == form:
            assert BRepAdaptor_Surface(face).GetType() == round_or_flat


@pytest.mark.parametrize("font", FONTS)
def test_the_dots_of_i_and_j_hang_on(font):
    for character in "ij":
        outline = upright(character, font)
        assert count(outline, TopAbs_WIRE) == 1
        check(extruded(outline, DEPTH_MM)[0])
        BRepGProp.SurfaceProperties_s(outline, size := GProp_GProps())
        assert 1.0 < size.Mass() / EM_MM**2 / drawn_area(character, font) < 1.15  # a bar, and a thin one


def test_outlines_keep_to_one_plane_without_short_edges():
    for character in "agsQ":
        outline = upright(character, "cmti10")
        low = BRepTools.OuterWire_s(outline)
        for edge in edges(low):
            curve = BRepAdaptor_Curve(edge)
            assert curve.Value(curve.FirstParameter()).Z() == 0.0
            BRepGProp.LinearProperties_s(edge, length := GProp_GProps())
            assert length.Mass() > 0.0025 * EM_MM
        assert BRep_Tool.IsClosed_s(low)


def test_all_letters_come_about_equally_often_in_both_cases_and_all_fonts():
    drawn = [glyph_of(0, i) for i in range(2600)]
    letters = Counter(g.letter for g in drawn)
    assert set(letters) == set(PART_CLASSES) and len(PART_CLASSES) == 26 and min(letters.values()) > 60
    assert {g.font for g in drawn} == set(FONTS)
    assert 0.45 < np.mean([g.character.isupper() for g in drawn]) < 0.55
    assert all(g.character.upper() == g.letter for g in drawn)


def test_a_rejected_attempt_does_not_change_the_letter(monkeypatch):
    seen, real = [], build

    def rejecting(rng, of):
        seen.append(of)
        if len(seen) < 4:
            raise Rejected("invalid by BRepCheck")
        return real(rng, of, "plain")

    monkeypatch.setattr(draw, "build", rejecting)
    part = draw_part(SEED, 0)
    assert set(seen) == {glyph_of(SEED, 0)} and part.family == seen[0].letter
    assert part.attempts == 4 and part.rejected == {"invalid by BRepCheck": 3}


def test_same_seed_same_bytes_and_another_seed_other_parts(made, tmp_path):
    generate(tmp_path / "same", "letters", 4, SEED, workers=1)
    generate(tmp_path / "other", "letters", 1, SEED + 1, workers=1)
    read = [(folder / "step" / "000000.step").read_bytes() for folder in (made[0], tmp_path / "other")]
    assert read[0] != read[1]
    for i in range(4):
        name = f"step/{i:06d}.step"
        assert (tmp_path / "same" / name).read_bytes() == (made[0] / name).read_bytes()


@pytest.mark.parametrize("character, font", [("a", "cmr10"), ("e", "DejaVuSerif-Italic"), ("N", "cmtt10")])
def test_a_sharp_notch_is_not_bevelled_since_the_kernel_may_crash(character, font, monkeypatch):
    monkeypatch.setattr(draw, "chamfer", lambda *_: pytest.fail("the kernel was asked"))
    with pytest.raises(Rejected, match="notch too sharp"):
        build(np.random.default_rng(0), glyph(character, font), "chamfer")


def test_a_chamfer_that_ends_the_process_is_drawn_again(monkeypatch):
    parent = os.getpid()

    def deadly(*_):
        if os.getpid() == parent:
            pytest.fail("not tried in a child first")
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(draw, "chamfer", deadly)
    with pytest.raises(Rejected, match="crashes the kernel"):
        build(np.random.default_rng(0), glyph("l"), "chamfer")


def test_a_fillet_held_together_by_tolerance_is_drawn_again():
    part = draw_part(0, 42)
    assert part.rejected["edge far from its faces"] == 1
    assert ShapeAnalysis_ShapeTolerance().Tolerance(part.solid, 1) < 0.01


def test_files_parse_and_every_face_gets_its_label(made, tmp_path):
    out, report = made
    assert report.attempts == SOLIDS + sum(report.rejected.values())
    source = open_source("generated", str(out), 0, tmp_path)
    assert (source.face_classes, source.part_classes) == (FACE_CLASSES, PART_CLASSES)
    for line in (out / "labels.jsonl").read_text().splitlines():
        record = json.loads(line)
        found = file_graphs(out / record["file"], record["file"], record["file"], Sampling(4, 0, 0, False, False))
        assert len(found) == 1 and not isinstance(found[0], Reject), found
        graph = source.label(found[0])
        labels = [FACE_CLASSES[i] for i in graph.face_label]
        assert Counter(labels) == Counter(record["faces"])
        assert PART_CLASSES[graph.part_label] == record["part"]
        ends = graph.face_axes[np.array(labels) == "extrude_end", 2]
        assert len(ends) == 2 and ends[0] @ ends[1] == pytest.approx(-1, abs=1e-5)  # they face away from each other
