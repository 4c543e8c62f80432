"""BREP and IGES files -> their solids. Neither has names, products or assemblies that could be kept."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from OCP.BinTools import BinTools
from OCP.BRep import BRep_Builder
from OCP.BRepLib import BRepLib
from OCP.BRepTools import BRepTools, BRepTools_ShapeSet
from OCP.IFSelect import IFSelect_RetDone
from OCP.IGESControl import IGESControl_Reader
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_SHAPE, TopAbs_SHELL, TopAbs_SOLID
from OCP.TopoDS import TopoDS_Shape

from brep_mae.brep.read.brep_text import whole_text
from brep_mae.brep.read.formats import unmarked
from brep_mae.brep.read.iges_text import check
from brep_mae.brep.read.loose.sewing import solids_and_rest
from brep_mae.brep.read.solids import ReadSolid, bare, leftovers, misplaced, solids_of, subshapes, together
from brep_mae.brep.reject import Reject

BINARY = b"\nOpen CASCADE Topology V"
"""First letters of the kernel's binary format."""


def read_brep(path: Path) -> list[ReadSolid | Reject]:
    """Solids of the kernel's own format, text or binary, or of a set of shapes without a root, as occwl writes it.

    It has no unit: lengths are taken as mm.

    Raises:
        Reject: unreadable.
    """
    data = unmarked(path.read_bytes())
    shape = TopoDS_Shape()
    if data.startswith(BINARY):
        BinTools.Read_s(shape, io.BytesIO(data))
    else:
        text, roots = whole_text(data, path.name)
        if roots:
            shapes = BRepTools_ShapeSet()
            shapes.Read(io.BytesIO(text))
            shape = together(shapes.Shape(number) for number in roots)
        else:
            BRepTools.Read_s(shape, io.BytesIO(text), BRep_Builder())
    if shape.IsNull():
        raise Reject("unreadable", f"{path.name}: a BREP file without a shape; export it again")
    return _entries(shape, 1.0, path.name)


def read_iges(path: Path) -> list[ReadSolid | Reject]:
    """Solids of an IGES file. Most hold loose faces: these are sewn, and what closes becomes a solid."""
    data = path.read_bytes()
    text = unmarked(data)
    check(text, path.name)
    reader = IGESControl_Reader()
    with _as_file(path, text if text is not data else None) as file:
        if reader.ReadFile(file) != IFSelect_RetDone:
            raise Reject("unreadable", f"{path.name}: a broken IGES file; export it again")
    header = reader.IGESModel().GlobalSection()
    unit_mm = float(header.UnitValue())
    reader.TransferRoots()
    if reader.NbShapes() == 0:
        return []
    return _entries(_sewn(reader.OneShape(), header.Resolution() * unit_mm), unit_mm, path.name)


@contextmanager
def _as_file(path: Path, changed: bytes | None) -> Iterator[str]:
    """Where the text lies, in a file of its own where it was changed: the kernel reads IGES from files alone."""
    if changed is None:
        yield str(path)
        return
    with tempfile.NamedTemporaryFile(suffix=".igs") as copy:
        copy.write(changed)
        copy.flush()
        yield copy.name


def _sewn(shape: TopoDS_Shape, gap_mm: float) -> TopoDS_Shape:
    """The shape with its loose faces made into solids as far as they bound some; the same shape where it has none."""
    if next(subshapes(shape, TopAbs_FACE, TopAbs_SHELL), None) is None:
        return shape
    kinds = ((TopAbs_SOLID, TopAbs_SHAPE), (TopAbs_SHELL, TopAbs_SOLID), (TopAbs_EDGE, TopAbs_FACE))
    solids, rest = solids_and_rest(shape, gap_mm)
    return together([*(part for kind in kinds for part in subshapes(shape, *kind)), *solids, *rest])


def _entries(shape: TopoDS_Shape, unit_mm: float, file: str) -> list[ReadSolid | Reject]:
    entries: list[ReadSolid | Reject] = []
    for solid in solids_of(shape):
        if misplaced(solid):
            entries.append(Reject("scaled_placement", f"{file}: solid {len(entries)} is placed with a change of size"))
            continue
        if lacks := bare(solid):
            entries.append(Reject("no_geometry", f"{file}: solid {len(entries)} has {lacks}; export it as a solid"))
            continue
        BRepLib.OrientClosedSolid_s(solid)
        entries.append(ReadSolid(solid, len(entries), "", unit_mm))
    return entries + leftovers(shape, f"{file}: ")
