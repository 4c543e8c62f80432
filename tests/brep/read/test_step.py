import gzip
import io
import re
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from OCP.BinTools import BinTools
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_MakeSolid
from OCP.BRepFilletAPI import BRepFilletAPI_MakeFillet
from OCP.BRepPrimAPI import BRepPrimAPI_MakeSphere, BRepPrimAPI_MakeTorus
from OCP.BRepTools import BRepTools
from OCP.GeomAbs import GeomAbs_C0
from OCP.gp import gp_Pnt, gp_Trsf, gp_Vec
from OCP.IFSelect import IFSelect_RetDone
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_Reader
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_SHELL
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Compound, TopoDS_Shape, TopoDS_Shell

from brep_mae.brep.read.solids import count_faces, subshapes
from brep_mae.brep.read.step import REGULARITY, read_solids
from brep_mae.brep.reject import Reject
from tests.brep.read.kernel_measures import middle_x, volume
from tests.brep.solids import SHAPES, box, write_step


def test_several_roots_and_a_moved_solid(tmp_path):
    move = gp_Trsf()
    move.SetTranslation(gp_Vec(100, 0, 0))
    path = write_step(tmp_path / "TWO.STP", box(1, 1, 1), box(1, 1, 1).Moved(TopLoc_Location(move)))
    assert [middle_x(solid.shape) for solid in read_solids(path)] == pytest.approx([0.5, 100.5])


@pytest.mark.parametrize("shape", [BRepPrimAPI_MakeSphere(2.0).Shape(), BRepPrimAPI_MakeTorus(3.0, 1.0).Shape()])
def test_solids_of_one_face_are_kept(tmp_path, shape):
    (solid,) = read_solids(write_step(tmp_path / "one.step", shape))
    assert count_faces(solid.shape) == 1


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
