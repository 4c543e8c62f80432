"""BREP and IGES files -> their solids. Neither has names, products or assemblies that could be kept."""

from pathlib import Path

from OCP.BRep import BRep_Builder
from OCP.BRepBuilderAPI import BRepBuilderAPI_Sewing
from OCP.BRepLib import BRepLib
from OCP.BRepTools import BRepTools
from OCP.IFSelect import IFSelect_RetDone
from OCP.IGESControl import IGESControl_Reader
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_SHAPE, TopAbs_SHELL, TopAbs_SOLID
from OCP.TopoDS import TopoDS_Compound, TopoDS_Shape

from brep_mae.brep.parts import ReadSolid, found, leftovers, misplaced, solids_of
from brep_mae.brep.reject import Reject

SEWING_MM = (1e-6, 1e-2)
"""Least and greatest gap between faces of an IGES file that is sewn shut; between them the file's own resolution."""


def read_brep(path: Path) -> list[ReadSolid | Reject]:
    """Solids of the kernel's own text format. It has no unit: lengths are taken as mm."""
    shape = TopoDS_Shape()
    if not BRepTools.Read_s(shape, str(path), BRep_Builder()) or shape.IsNull():
        raise Reject("unreadable", f"{path.name}: not a BREP file, or a broken one")
    return _entries(shape, 1.0, path.name)


def read_iges(path: Path) -> list[ReadSolid | Reject]:
    """Solids of an IGES file. Most hold loose faces: these are sewn, and what closes becomes a solid."""
    with path.open("rb") as file:
        if file.read(80)[72:73] not in (b"S", b"C"):  # column 73 names the section: start, or compressed
            raise Reject("unreadable", f"{path.name}: not an IGES file")
    reader = IGESControl_Reader()
    if reader.ReadFile(str(path)) != IFSelect_RetDone:
        raise Reject("unreadable", f"{path.name}: not an IGES file, or a broken one")
    header = reader.IGESModel().GlobalSection()
    unit_mm = float(header.UnitValue())
    reader.TransferRoots()
    if reader.NbShapes() == 0:
        return []
    return _entries(_sewn(reader.OneShape(), header.Resolution() * unit_mm), unit_mm, path.name)


def _sewn(shape: TopoDS_Shape, gap_mm: float) -> TopoDS_Shape:
    """The shape with its loose faces sewn to shells; the same shape where it has none."""
    loose = list(found(shape, TopAbs_FACE, TopAbs_SHELL))
    if not loose:
        return shape
    low, high = SEWING_MM
    sewing = BRepBuilderAPI_Sewing(min(max(gap_mm, low), high))
    for face in loose:
        sewing.Add(face)
    sewing.Perform()
    builder, all_of_it = BRep_Builder(), TopoDS_Compound()
    builder.MakeCompound(all_of_it)
    for kind, outside in ((TopAbs_SOLID, TopAbs_SHAPE), (TopAbs_SHELL, TopAbs_SOLID), (TopAbs_EDGE, TopAbs_FACE)):
        for part in found(shape, kind, outside):
            builder.Add(all_of_it, part)
    builder.Add(all_of_it, sewing.SewedShape())
    return all_of_it


def _entries(shape: TopoDS_Shape, unit_mm: float, file: str) -> list[ReadSolid | Reject]:
    entries: list[ReadSolid | Reject] = []
    for solid in solids_of(shape):
        if misplaced(solid):
            entries.append(Reject("scaled_placement", f"{file}: solid {len(entries)} is placed with a change of size"))
            continue
        BRepLib.OrientClosedSolid_s(solid)
        entries.append(ReadSolid(solid, len(entries), "", unit_mm))
    return entries + leftovers(shape, f"{file}: ")
