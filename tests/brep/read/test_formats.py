"""Files that are cut off, damaged, packed, marked or named wrongly: read rightly, or refused at once with a reason."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from OCP.BinTools import BinTools
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert
from OCP.BRepGProp import BRepGProp
from OCP.BRepMesh import BRepMesh_IncrementalMesh
from OCP.BRepTools import BRepTools, BRepTools_ShapeSet
from OCP.GProp import GProp_GProps
from OCP.IGESControl import IGESControl_Writer
from OCP.Interface import Interface_Static
from OCP.Message import Message_ProgressRange
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Writer
from OCP.TopAbs import TopAbs_FACE
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Face, TopoDS_Shape, TopoDS_Shell, TopoDS_Solid
from OCP.TopTools import TopTools_FormatVersion

from brep_mae.brep.read.brep_text import whole_text
from brep_mae.brep.read.solids import ReadSolid, subshapes, together
from brep_mae.brep.read.step import read_solids
from brep_mae.brep.reject import Reject
from tests.brep.solids import SHAPES, box, graph_of, write_step

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
VERSIONS = [getattr(TopTools_FormatVersion, f"TopTools_FormatVersion_VERSION_{n}") for n in (1, 2, 3)]


def volumes(path: Path) -> list[float]:
    """Of the solids; everything in the file must be one."""
    sizes = []
    for entry in read_solids(path):
        assert isinstance(entry, ReadSolid), entry
        properties = GProp_GProps()
        BRepGProp.VolumeProperties_s(entry.shape, properties)
        sizes.append(properties.Mass())
    return sizes


def refusal(path: Path, content: bytes) -> str:
    """Why the content is refused under this name."""
    path.write_bytes(content)
    with pytest.raises(Reject) as caught:
        read_solids(path)
    assert caught.value.reason == "unreadable"
    assert caught.value.detail.startswith(f"{path.name}: ")
    return caught.value.detail


def written(write: Callable[[io.BytesIO], None]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def as_text(shape: TopoDS_Shape) -> bytes:
    return b"DBRep_DrawableShape\n" + written(lambda stream: BRepTools.Write_s(shape, stream))


def as_set(*shapes: TopoDS_Shape) -> bytes:
    """As occwl's `save_to_occ_native` writes: a set of shapes that names no root."""
    shape_set = BRepTools_ShapeSet(False)
    for shape in shapes:
        shape_set.Add(shape)
    return written(shape_set.Write)


def as_iges(folder: Path, shape: TopoDS_Shape, kind: int = 1) -> bytes:
    writer = IGESControl_Writer("MM", kind)
    writer.AddShape(shape)
    writer.ComputeModel()
    assert writer.Write(str(folder / "written.igs"))
    return (folder / "written.igs").read_bytes()


@pytest.mark.parametrize("name", ["notched block", "sphere"])
@pytest.mark.parametrize("mesh", [False, True])
@pytest.mark.parametrize("splines", [False, True])
def test_brep_text_of_every_version_is_found_whole(tmp_path, name, mesh, splines):
    shape = SHAPES[name]
    if splines:
        shape = BRepBuilderAPI_NurbsConvert(shape, True).Shape()
    if mesh:
        BRepMesh_IncrementalMesh(shape, 0.1, False, 0.5, True)
    for version in VERSIONS:
        path = str(tmp_path / "part.brep")
        assert BRepTools.Write_s(shape, path, mesh, mesh, version, Message_ProgressRange())
        text, roots = whole_text(Path(path).read_bytes(), "part.brep")
        assert roots == [] and text.startswith(b"\nCASCADE Topology V")


def test_brep_text_cut_off_anywhere_is_refused_at_once(tmp_path):
    """The kernel's reader loops for ever at most of these."""
    text = as_text(SHAPES["cylinder"])
    for end in range(0, len(text) - 8, 97):
        detail = refusal(tmp_path / "cut.brep", text[:end])
        assert "cut off" in detail or "not a BREP file" in detail or "damaged" in detail, detail
    assert "in its Curve2ds" in refusal(tmp_path / "cut.brep", text[: text.index(b"Curve2ds") + 20])


def test_damaged_brep_text_is_refused_at_once(tmp_path):
    text = as_text(SHAPES["part of a cylinder"])
    for table in (b"Curve2ds", b"Curves", b"Surfaces", b"TShapes"):
        (count,) = re.findall(table + rb" ([0-9]+)", text)
        for wrong in (int(count) - 1, int(count) + 1):
            content = text.replace(table + b" " + count, b"%s %d" % (table, wrong))
            assert "damaged" in refusal(tmp_path / "count.brep", content), (table, wrong)
    lines = text.splitlines(keepends=True)
    for number in range(4, len(lines) - 1):
        if lines[number].strip():
            assert "damaged" in refusal(tmp_path / "word.brep", b"".join([*lines[:number], b"x ", *lines[number:]]))
        if lines[number].strip() and b"TShapes" in b"".join(lines[number:]):
            assert "damaged" in refusal(tmp_path / "less.brep", b"".join(lines[:number] + lines[number + 1 :]))


def test_brep_shapes_that_lack_a_curve_or_a_surface_are_refused(tmp_path):
    """The kernel, or the sampling of faces, would end the process."""
    head, table = as_text(SHAPES["part of a cylinder"]).split(b"TShapes")
    reasons = set()
    for piece in re.findall(rb"\n[123]  [0-9]+ .*|\n0  1e-07 [0-9]+ 0", table):
        changed = piece[:-3] + b"0 0" if piece.startswith(b"\n0") else b""
        (tmp_path / "less.brep").write_bytes(head + b"TShapes" + table.replace(piece, changed, 1))
        (entry,) = read_solids(tmp_path / "less.brep")
        if isinstance(entry, Reject):
            assert entry.reason == "no_geometry"
            reasons.add(entry.detail.partition(" has ")[2].partition(";")[0])
        else:
            graph_of(entry.shape)  # the sides of planes need no curve in the plane
    face, curve = "a face without a surface, a mesh at most", "an edge without a curve"
    assert reasons == {face, curve, f"{curve} on its surface"}


def test_binary_brep_is_read_or_refused(tmp_path):
    data = written(lambda stream: BinTools.Write_s(box(1, 2, 3), stream))
    (tmp_path / "binary.brep").write_bytes(data)
    assert volumes(tmp_path / "binary.brep") == pytest.approx([6])
    for end in range(100, len(data) - 8, 397):
        assert "cut off" in refusal(tmp_path / "cut.brep", data[:end])


def test_sets_of_shapes_without_a_root_are_read(tmp_path):
    (tmp_path / "one.brep").write_bytes(as_set(box(1, 2, 3)))
    (tmp_path / "two.brep").write_bytes(as_set(box(1, 2, 3), SHAPES["notched block"]))
    (tmp_path / "compound.brep").write_bytes(as_set(together([box(1, 2, 3), box(1, 1, 1)])))
    assert volumes(tmp_path / "one.brep") == pytest.approx([6])
    assert volumes(tmp_path / "two.brep")[0] == pytest.approx(6)
    assert len(volumes(tmp_path / "two.brep")) == 2
    assert volumes(tmp_path / "compound.brep") == pytest.approx([6, 1])
    assert "cut off" in refusal(tmp_path / "cut.brep", as_set(box(1, 2, 3))[:-30])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_before_brep_and_iges(tmp_path, encoding):
    (tmp_path / "a.brep").write_bytes(as_text(box(1, 2, 3)).decode().encode(encoding))
    (tmp_path / "b.brep").write_bytes(as_set(box(1, 2, 3)).lstrip().decode().encode(encoding))
    (tmp_path / "c.igs").write_bytes(as_iges(tmp_path, box(1, 2, 3)).decode().encode(encoding))
    for name in ("a.brep", "b.brep", "c.igs"):
        assert volumes(tmp_path / name) == pytest.approx([6]), name


def test_iges_cut_off_or_damaged_is_refused_and_nothing_dropped(tmp_path):
    lines = as_iges(tmp_path, together([box(1, 2, 3), box(1, 1, 1, (5, 0, 0))])).splitlines(keepends=True)
    parameters = next(number for number, line in enumerate(lines) if line[72:73] == b"P")
    assert "cut off" in refusal(tmp_path / "cut.igs", b"".join(lines[: parameters + 40]))
    assert "cut off" in refusal(tmp_path / "cut.igs", b"".join(lines[:-1]))
    assert "damaged" in refusal(tmp_path / "cut.igs", b"".join(lines[: parameters + 40])[:-30])
    without_one = b"".join([*lines[: parameters + 20], *lines[parameters + 21 :]])
    assert f"line {parameters + 21}" in refusal(tmp_path / "less.igs", without_one)


@pytest.mark.parametrize("suffix", ["step", "igs", "brep"])
def test_files_under_a_wrong_name_are_called_what_they_are(tmp_path, suffix):
    step = write_step(tmp_path / "part.step", box(1, 1, 1)).read_bytes()
    contents = {PNG: "PNG", b"": "empty", bytes(range(256)): "unknown", zipped({"a.txt": b""}): "zip"}
    if suffix != "step":
        contents[step] = "STEP"
    if suffix != "brep":
        contents[as_text(box(1, 1, 1))] = "BREP"
    for content, kind in contents.items():
        assert kind in refusal(tmp_path / f"wrong.{suffix}", content)


def zipped(members: dict[str, bytes], **options: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_archives_made_on_macos_and_plain_files_with_the_suffix_of_packed_ones(tmp_path):
    step = write_step(tmp_path / "part.step", box(1, 2, 3)).read_bytes()
    extra = {"__MACOSX/._part.stp": b"\x00\x05\x16\x07", "sub/._part.stp": b"\x00\x05", ".DS_Store": b"x"}
    (tmp_path / "mac.stpz").write_bytes(zipped({"part.stp": step, **extra}))
    (tmp_path / "plain.stpz").write_bytes(step)
    (tmp_path / "plain.step.gz").write_bytes(step)
    (tmp_path / "zip.stp.gz").write_bytes(zipped({"deep/PART.STEP": step}, compression=zipfile.ZIP_LZMA))
    for name in ("mac.stpz", "plain.stpz", "plain.step.gz", "zip.stp.gz"):
        assert volumes(tmp_path / name) == pytest.approx([6]), name


def test_archives_that_hold_not_one_step_file_or_are_damaged(tmp_path):
    step = write_step(tmp_path / "part.step", box(1, 2, 3)).read_bytes()
    two = refusal(tmp_path / "two.stpz", zipped({"a.stp": step, "b.step": step}))
    assert "holds 2 STEP files" in two and "a.stp, b.step" in two and "unpack it first" in two
    assert "holds 0 STEP files" in refusal(tmp_path / "none.stpz", zipped({"readme.txt": b"no part"}))
    assert "holds 0 STEP files" in refusal(tmp_path / "nothing.stpz", zipped({}))
    stored = bytearray(zipped({"a.stp": step}))
    stored[500] ^= 1
    assert "CRC" in refusal(tmp_path / "crc.stpz", bytes(stored))
    locked = bytearray(zipped({"a.stp": step}))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(magic) + flags] |= 1
    assert "encrypted" in refusal(tmp_path / "locked.stpz", bytes(locked))
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        whole = zipped({"a.stp": step}, compression=method)
        for place in range(40, len(whole), 301):
            broken = bytearray(whole)
            broken[place : place + 20] = bytes(255 - byte for byte in broken[place : place + 20])
            refusal(tmp_path / "broken.stpz", bytes(broken))


def mesh_only(shape: TopoDS_Shape) -> TopoDS_Solid:
    """A solid of faces that have triangles and no surface."""
    BRepMesh_IncrementalMesh(shape, 0.1, False, 0.5, True)
    builder, shell, solid = BRep_Builder(), TopoDS_Shell(), TopoDS_Solid()
    builder.MakeShell(shell)
    for face in subshapes(shape, TopAbs_FACE):
        triangles = TopoDS_Face()
        builder.MakeFace(triangles, BRep_Tool.Triangulation_s(TopoDS.Face_s(face), TopLoc_Location()))
        builder.Add(shell, triangles)
    builder.MakeSolid(solid)
    builder.Add(solid, shell)
    return solid


def test_meshes_and_sheets_are_refused(tmp_path):
    mesh, sheet = mesh_only(box(1, 2, 3)), next(subshapes(box(1, 2, 3), TopAbs_FACE))
    (tmp_path / "mesh.brep").write_bytes(as_text(mesh))
    (tmp_path / "sheet.brep").write_bytes(as_text(sheet))
    (tmp_path / "sheet.igs").write_bytes(as_iges(tmp_path, sheet, 0))
    (entry,) = read_solids(tmp_path / "mesh.brep")
    assert isinstance(entry, Reject) and entry.reason == "no_geometry" and "mesh" in entry.detail
    for name in ("sheet.brep", "sheet.igs"):
        (entry,) = read_solids(tmp_path / name)
        assert isinstance(entry, Reject) and entry.reason == "sheet_body"
    writer = STEPControl_Writer()
    Interface_Static.SetCVal_s("write.step.schema", "AP242DIS")
    try:
        assert writer.Transfer(mesh, STEPControl_AsIs) and writer.Write(str(tmp_path / "mesh.step"))
    finally:
        Interface_Static.SetCVal_s("write.step.schema", "AP214IS")
    assert "TESSELLATED_SOLID" in (tmp_path / "mesh.step").read_text()
    (solid,) = read_solids(tmp_path / "mesh.step")
    with pytest.raises(Reject) as caught:
        graph_of(solid.shape)
    assert caught.value.reason == "no_geometry"
