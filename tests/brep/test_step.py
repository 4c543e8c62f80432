import gzip
import io
import re
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from OCP.BinTools import BinTools
from OCP.Bnd import Bnd_Box
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_MakeSolid
from OCP.BRepFilletAPI import BRepFilletAPI_MakeFillet
from OCP.BRepGProp import BRepGProp
from OCP.BRepPrimAPI import BRepPrimAPI_MakeSphere, BRepPrimAPI_MakeTorus
from OCP.BRepTools import BRepTools
from OCP.GeomAbs import GeomAbs_C0
from OCP.gp import gp_Pnt, gp_Trsf, gp_Vec
from OCP.GProp import GProp_GProps
from OCP.IFSelect import IFSelect_RetDone
from OCP.IGESControl import IGESControl_Writer
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Reader, STEPControl_Writer
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_SHELL
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Compound, TopoDS_Shape, TopoDS_Shell

from brep_mae.brep.read.colors import no_color
from brep_mae.brep.read.entities import no_name
from brep_mae.brep.read.solids import count_faces, subshapes
from brep_mae.brep.read.step import REGULARITY, read_solids, silence
from brep_mae.brep.reject import Reject
from tests.brep.solids import SHAPES, box, write_step


def longest_side(shape) -> float:
    bounds = Bnd_Box()
    BRepBndLib.AddOptimal_s(shape, bounds, False, False)
    x0, y0, z0, x1, y1, z1 = bounds.Get()
    return max(x1 - x0, y1 - y0, z1 - z0)


def properties(shape: TopoDS_Shape) -> GProp_GProps:
    found = GProp_GProps()
    BRepGProp.VolumeProperties_s(shape, found)
    return found


def volume(shape: TopoDS_Shape) -> float:
    return properties(shape).Mass()


def middle_x(shape: TopoDS_Shape) -> float:
    return properties(shape).CentreOfMass().X()


def test_lengths_are_millimetres_whatever_the_unit_of_the_file(tmp_path):
    (inch,) = read_solids(write_step(tmp_path / "inch.step", box(25.4, 50.8, 10), unit="INCH"))
    (mm,) = read_solids(write_step(tmp_path / "mm.step", box(25.4, 50.8, 10)))
    assert (inch.unit_mm, mm.unit_mm) == (25.4, 1.0)
    assert "INCH" in (tmp_path / "inch.step").read_text()
    assert longest_side(inch.shape) == pytest.approx(50.8, abs=1e-5)


def test_several_roots_and_a_moved_solid(tmp_path):
    move = gp_Trsf()
    move.SetTranslation(gp_Vec(100, 0, 0))
    path = write_step(tmp_path / "TWO.STP", box(1, 1, 1), box(1, 1, 1).Moved(TopLoc_Location(move)))
    assert [middle_x(solid.shape) for solid in read_solids(path)] == pytest.approx([0.5, 100.5])


@pytest.mark.parametrize("shape", [BRepPrimAPI_MakeSphere(2.0).Shape(), BRepPrimAPI_MakeTorus(3.0, 1.0).Shape()])
def test_solids_of_one_face_are_kept(tmp_path, shape):
    (solid,) = read_solids(write_step(tmp_path / "one.step", shape))
    assert count_faces(solid.shape) == 1


@pytest.mark.parametrize("in_assembly", [False, True])
def test_names_of_faces_come_from_the_file_also_for_placed_parts(tmp_path, in_assembly):
    shape = box(1, 2, 3)
    if in_assembly:
        move, builder, shape = gp_Trsf(), BRep_Builder(), TopoDS_Compound()
        move.SetTranslation(gp_Vec(100, 0, 0))
        builder.MakeCompound(shape)
        builder.Add(shape, box(1, 2, 3).Moved(TopLoc_Location(move)))
    path = write_step(tmp_path / "named.step", shape, assembly=in_assembly)
    text, number = path.read_text(), iter(range(6))
    assert ("NEXT_ASSEMBLY_USAGE_OCCURRENCE" in text) == in_assembly
    parts = text.split("ADVANCED_FACE(''")
    path.write_text(parts[0] + "".join(f"ADVANCED_FACE('{next(number)}'{part}" for part in parts[1:]))
    (solid,) = read_solids(path)
    names = [solid.face_name(TopoDS.Face_s(face)) for face in subshapes(solid.shape, TopAbs_FACE)]
    assert sorted(names) == list("012345")


def reason(path: Path) -> str:
    with pytest.raises(Reject) as caught:
        read_solids(path)
    assert path.name in caught.value.detail
    return caught.value.reason


def test_what_cannot_be_read_says_why(tmp_path):
    whole = write_step(tmp_path / "whole.step", box(1, 1, 1)).read_bytes()
    assert reason(tmp_path / "absent.step") == "missing"
    assert reason(tmp_path) == "missing"  # a folder
    files = {
        "text.step": b"this is no STEP file",
        "empty.step": b"",
        "whole.xyz": whole,
        "no_suffix": whole,
        "cut.stp.gz": gzip.compress(whole)[:800],
        "garbage.brep": b"hello",
        "garbage.igs": b"hello",
        "binary.iges": bytes(range(256)) * 4,
        "two.stpz": zipped({"a.step": whole, "b.stp": whole}),
        "none.stpz": zipped({"readme.txt": b"no part"}),
        "cut.stpz": zipped({"a.step": whole})[:900],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert reason(tmp_path / name) == "unreadable", name
    (tmp_path / "cut.step").write_bytes(whole[:1500])
    assert reason(tmp_path / "cut.step") in ("unreadable", "no_solid")
    (tmp_path / "garbage_body.igs").write_bytes(b"S" * 200)
    assert reason(tmp_path / "garbage_body.igs") in ("unreadable", "no_solid")


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_compressed_files_are_read_and_nothing_is_written(tmp_path):
    text = write_step(tmp_path / "plain.step", box(1, 2, 3)).read_bytes()
    (tmp_path / "a.STEP.gz").write_bytes(gzip.compress(text))
    (tmp_path / "b.stp.GZ").write_bytes(gzip.compress(text))
    (tmp_path / "c.stpZ").write_bytes(gzip.compress(text))
    (tmp_path / "d.stpz").write_bytes(zipped({"../../up/part.stp": text, "preview.png": b"p"}))
    before = sorted(tmp_path.rglob("*"))
    for name in ("a.STEP.gz", "b.stp.GZ", "c.stpZ", "d.stpz"):
        (solid,) = read_solids(tmp_path / name)
        assert volume(solid.shape) == pytest.approx(6.0)
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parents[1] / "up").exists()


def test_an_archive_that_unpacks_to_too_much_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("brep_mae.brep.read.formats.MAX_UNPACKED", 2**22)
    for name, content in (("gz.stpz", gzip.compress(bytes(2**26))), ("zip.stpz", zipped({"a.stp": bytes(2**26)}))):
        (tmp_path / name).write_bytes(content)
        tracemalloc.start()
        assert reason(tmp_path / name) == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 2**25
        tracemalloc.stop()


def entries(path: Path) -> list[float | str]:
    """Volumes of the solids and reasons of the rejects."""
    return [e.reason if isinstance(e, Reject) else round(volume(e.shape), 6) for e in read_solids(path)]


def compound(*shapes: TopoDS_Shape) -> TopoDS_Compound:
    builder, whole = BRep_Builder(), TopoDS_Compound()
    builder.MakeCompound(whole)
    for shape in shapes:
        builder.Add(whole, shape)
    return whole


def open_shell() -> TopoDS_Shell:
    builder, shell = BRep_Builder(), TopoDS_Shell()
    builder.MakeShell(shell)
    for face in list(subshapes(box(1, 2, 3), TopAbs_FACE))[:4]:
        builder.Add(shell, face)
    return shell


def test_nothing_is_dropped_without_a_reason(tmp_path):
    closed = next(subshapes(box(1, 1, 5), TopAbs_SHELL))
    face = next(subshapes(box(1, 1, 1), TopAbs_FACE))
    line = BRepBuilderAPI_MakeEdge(gp_Pnt(0, 0, 0), gp_Pnt(1, 0, 0)).Edge()
    mixed = compound(box(1, 2, 3), open_shell(), closed, face, box(1, 1, 1))
    assert entries(write_step(tmp_path / "mixed.step", mixed)) == [6, 1, 5, "open_shell", "open_shell"]
    assert entries(write_step(tmp_path / "wire.step", line)) == ["wireframe"]
    assert entries(write_step(tmp_path / "open.step", open_shell())) == ["open_shell"]
    assert BRepTools.Write_s(compound(mixed, line), str(tmp_path / "mixed.brep"))
    assert entries(tmp_path / "mixed.brep") == [6, 1, 5, "open_shell", "sheet_body", "wireframe"]


def test_what_the_kernel_could_not_make_is_counted(tmp_path):
    text = write_step(tmp_path / "two.step", box(1, 1, 1), box(2, 2, 2)).read_text()
    for name, keyword in (("face", "PLANE("), ("solid", "CLOSED_SHELL(")):
        at = text.rindex(keyword)
        (tmp_path / f"{name}.step").write_text(text[:at] + "X" + text[at + 1 :])
    assert entries(tmp_path / "face.step") == [1, "open_shell", "not_transferred"]
    assert entries(tmp_path / "solid.step") == [1, "not_transferred"]


def test_voids_stay_and_faces_end_up_pointing_outward(tmp_path):
    hollow = BRepAlgoAPI_Cut(box(4, 4, 4), box(1, 1, 1, (1, 1, 1))).Shape()
    (solid,) = read_solids(write_step(tmp_path / "hollow.step", hollow))
    assert len(list(subshapes(solid.shape, TopAbs_SHELL))) == 2
    assert volume(solid.shape) == pytest.approx(63)
    shell = next(subshapes(box(1, 2, 3), TopAbs_SHELL))
    inside_out = BRepBuilderAPI_MakeSolid(TopoDS.Shell_s(shell.Reversed())).Solid()
    assert volume(inside_out) == pytest.approx(-6)
    assert entries(write_step(tmp_path / "inside_out.step", inside_out)) == [6]
    assert BRepTools.Write_s(inside_out, str(tmp_path / "inside_out.BRP"))
    assert entries(tmp_path / "inside_out.BRP") == [6]


@pytest.mark.parametrize("prefix, mm", [("MICRO", 1e-3), ("CENTI", 10.0), ("KILO", 1e6)])
def test_prefixed_units(tmp_path, prefix, mm):
    path = write_step(tmp_path / "unit.step", box(1, 2, 3))
    path.write_text(path.read_text().replace("SI_UNIT(.MILLI.", f"SI_UNIT(.{prefix}."))
    (solid,) = read_solids(path)
    assert solid.unit_mm == pytest.approx(mm)
    assert volume(solid.shape) == pytest.approx(6 * mm**3)


def test_a_unit_with_a_name_of_its_own_counts_by_its_factor(tmp_path):
    path = write_step(tmp_path / "ell.step", box(25.4, 25.4, 25.4), unit="INCH")
    path.write_text(path.read_text().replace("'INCH'", "'ELL'").replace("UNIT(25.4", "UNIT(600."))
    (solid,) = read_solids(path)
    assert solid.unit_mm == pytest.approx(600)
    assert volume(solid.shape) == pytest.approx(600**3)


@pytest.mark.parametrize("name, mm", [("INCH", 1.0), ("MILLIMETRE", 25.4), ("METRE", 0.5)])
def test_the_factor_of_a_unit_counts_and_not_its_name(tmp_path, name, mm):
    path = write_step(tmp_path / "unit.step", box(25.4, 50.8, 76.2), unit="INCH")
    path.write_text(path.read_text().replace("'INCH'", f"'{name}'").replace("UNIT(25.4", f"UNIT({mm}"))
    (solid,) = read_solids(path)
    assert solid.unit_mm == pytest.approx(mm)
    assert volume(solid.shape) == pytest.approx(6 * mm**3)


@pytest.mark.parametrize("kind", [0, 1])  # shells outside a solid; solids
def test_every_root_has_its_own_unit(tmp_path, kind):
    silence()
    writer = STEPControl_Writer()
    for unit in ("MM", "INCH", "M"):
        Interface_Static.SetCVal_s("write.step.unit", unit)
        shape = box(1, 2, 3)
        writer.Transfer(shape if kind else next(subshapes(shape, TopAbs_SHELL)), STEPControl_AsIs)
    Interface_Static.SetCVal_s("write.step.unit", "MM")
    assert writer.Write(str(tmp_path / "units.step")) == IFSelect_RetDone
    solids = read_solids(tmp_path / "units.step")
    assert [solid.unit_mm for solid in solids] == pytest.approx([1, 25.4, 1000])
    for solid in solids:  # the writer does not convert the second root and those behind it
        assert volume(solid.shape) in (pytest.approx(6), pytest.approx(6 * solid.unit_mm**3))


def with_reference(text: str, *files: str) -> str:
    """The STEP text, made to refer to files as parts, as AP214 and AP242 do."""
    (product,) = re.findall(r"(#\d+) = PRODUCT_DEFINITION\(", text)[:1]
    lines = []
    for number, file in enumerate(files):
        n = [f"#{90000 + 20 * number + i}" for i in range(9)]
        lines += [
            f"{n[0]} = DOCUMENT_TYPE('geometry');",
            f"{n[1]} = DOCUMENT_FILE('{file}','','',{n[0]},'','');",
            f"{n[2]} = APPLIED_DOCUMENT_REFERENCE({n[1]},'',({product}));",
            f"{n[3]} = IDENTIFICATION_ROLE('external document id and location',$);",
            f"{n[4]} = EXTERNAL_SOURCE(IDENTIFIER(''));",
            f"{n[5]} = APPLIED_EXTERNAL_IDENTIFICATION_ASSIGNMENT('{file}',{n[3]},{n[4]},({n[1]}));",
            f"{n[6]} = DOCUMENT_REPRESENTATION_TYPE('digital',{n[1]});",
        ]
    head, end, tail = text.rpartition("ENDSEC;")
    return head + "\n".join(lines) + "\n" + end + tail


def test_parts_that_are_other_files_are_named(tmp_path):
    whole = write_step(tmp_path / "whole.step", box(1, 2, 3)).read_text()
    hollow = re.sub(r"(ADVANCED_BREP_SHAPE_REPRESENTATION\('',\(#\d+),#\d+\)", r"\1)", whole)
    assert hollow != whole
    (tmp_path / "hollow.step").write_text(with_reference(hollow, "arm.stp", "leg.prt"))
    found = read_solids(tmp_path / "hollow.step")
    assert all(isinstance(entry, Reject) for entry in found)
    told = " ".join(entry.detail for entry in found if entry.reason == "other_file")
    assert "'arm.stp'" in told and "'leg.prt'" in told and "export all as one file" in told
    (tmp_path / "both.step").write_text(with_reference(whole, "arm.stp", "manual.pdf"))
    solid, reject = read_solids(tmp_path / "both.step")
    assert reject.reason == "other_file" and "'arm.stp'" in reject.detail
    assert volume(solid.shape) == pytest.approx(6)


@pytest.mark.parametrize("unit, mm", [("MM", 1.0), ("IN", 25.4), ("M", 1000.0)])
@pytest.mark.parametrize("kind", [0, 1])  # loose faces, which are sewn; a solid
def test_iges_in_any_unit(tmp_path, unit, mm, kind):
    writer = IGESControl_Writer(unit, kind)
    writer.AddShape(box(25.4, 50.8, 10))
    writer.ComputeModel()
    assert writer.Write(str(tmp_path / "part.IGS"))
    (solid,) = read_solids(tmp_path / "part.IGS")
    assert solid.unit_mm == pytest.approx(mm)
    assert volume(solid.shape) == pytest.approx(25.4 * 50.8 * 10, rel=1e-6)


def test_names_that_are_not_ascii(tmp_path):
    path = write_step(tmp_path / "name.step", box(1, 2, 3))
    text = path.read_bytes()
    path.write_bytes(text.replace(b"MANIFOLD_SOLID_BREP(''", b"MANIFOLD_SOLID_BREP('a\\X2\\00E9\\X0\\b'"))
    (solid,) = read_solids(path)
    assert solid.name == "a\u00e9b"


@pytest.mark.parametrize(
    "name, found",
    [
        (b"Geh\xe4use 5\xb0", "Geh\xe4use 5\xb0"),  # ISO 8859-1
        (b"5 \x80 \x96 M\xfcnchen", "5 \u20ac \u2013 M\xfcnchen"),  # Windows-1252
        (b"a\x81b", "a\ufffdb"),  # neither
        ("Geh\xe4use \u90e8\u54c1".encode(), "Geh\xe4use \u90e8\u54c1"),
        ("\u90e8".encode() + b" Geh\xe4use", "\u90e8 Geh\xe4use"),
        (b"Geh\\X\\E4use \\S\\d", "Geh\xe4use \xe4"),
    ],
)
def test_no_letter_of_a_name_is_swallowed(tmp_path, name, found):
    path = write_step(tmp_path / "name.step", box(1, 2, 3))
    text = path.read_bytes().replace(b"MANIFOLD_SOLID_BREP(''", b"MANIFOLD_SOLID_BREP('" + name + b"'")
    for place, content in ((path, text), (tmp_path / "name.stpz", gzip.compress(text))):
        place.write_bytes(content)
        (solid,) = read_solids(place)
        assert solid.name == found


@pytest.mark.parametrize(
    "before", [b"\xef\xbb\xbf", b"/* " + b"x" * 9000 + b"*/\n", b"\r\n  /* a */ /* b\n */\n", b"\xef\xbb\xbf/* a */"]
)
def test_marks_and_comments_may_stand_before_the_text(tmp_path, before):
    path = write_step(tmp_path / "part.step", box(1, 2, 3))
    text = path.read_bytes()
    path.write_bytes(before + text)
    (tmp_path / "part.stpz").write_bytes(gzip.compress(before + text))
    assert entries(path) == entries(tmp_path / "part.stpz") == [6]
    path.write_bytes(before + text.replace(b"ISO-10303-21", b"ISO-10303-12"))
    assert reason(path) == "unreadable"


def test_a_file_that_names_no_face_says_so(tmp_path):
    path = write_step(tmp_path / "plain.step", box(1, 2, 3))
    (solid,) = read_solids(path)
    assert solid.face_name is no_name and solid.face_color is no_color
    path.write_text(path.read_text().replace("ADVANCED_FACE(''", "ADVANCED_FACE('top'", 1))
    (solid,) = read_solids(path)
    assert sorted(solid.face_name(TopoDS.Face_s(face)) for face in subshapes(solid.shape, TopAbs_FACE)) == [
        *[""] * 5,
        "top",
    ]


@pytest.mark.parametrize("name", SHAPES)
def test_a_repaired_file_is_what_the_kernel_reads_by_default(tmp_path, name):
    path = write_step(tmp_path / "part.step", SHAPES[name])
    (solid,) = read_solids(path)
    reader = STEPControl_Reader()
    assert reader.ReadFile(str(path)) == IFSelect_RetDone
    reader.TransferRoots()
    assert as_bytes(solid.shape) == as_bytes(reader.OneShape())


def test_the_kernel_does_not_look_for_smooth_edges(tmp_path):
    """It takes a quarter of the time of reading, and nobody asks it: see what it finds when it does."""
    solid = box(4, 4, 4)
    rounded = BRepFilletAPI_MakeFillet(solid)
    rounded.Add(1.0, TopoDS.Edge_s(next(subshapes(solid, TopAbs_EDGE))))
    path = write_step(tmp_path / "part.step", rounded.Shape())
    (read,) = read_solids(path)
    reader = STEPControl_Reader()
    Interface_Static.SetRVal_s(REGULARITY, 0.01)
    assert reader.ReadFile(str(path)) == IFSelect_RetDone
    reader.TransferRoots()
    smooth = [
        sum(BRep_Tool.MaxContinuity_s(TopoDS.Edge_s(edge)) != GeomAbs_C0 for edge in subshapes(shape, TopAbs_EDGE))
        for shape in (read.shape, reader.OneShape())
    ]
    assert smooth[0] == 0 < smooth[1]


def as_bytes(shape: TopoDS_Shape) -> bytes:
    """Topology, geometry, parameter ranges and tolerances, all bits of them."""
    stream = io.BytesIO()
    BinTools.Write_s(shape, stream)
    return stream.getvalue()
