"""STEP file -> located solids in millimetres, with the names the file gives to their faces."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from OCP.IFSelect import IFSelect_RetDone
from OCP.Interface import Interface_Static
from OCP.Message import Message, Message_Gravity
from OCP.STEPConstruct import STEPConstruct_UnitContext
from OCP.STEPControl import STEPControl_Reader
from OCP.StepRepr import StepRepr_GlobalUnitAssignedContext
from OCP.TColStd import TColStd_SequenceOfAsciiString
from OCP.TopAbs import TopAbs_SOLID
from OCP.TopExp import TopExp_Explorer
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Face, TopoDS_Shape, TopoDS_Solid

from brep_mae.brep.reject import Reject

SUFFIXES = (".step", ".stp")

UNITS_MM = {"millimetre": 1.0, "metre": 1000.0, "centimetre": 10.0, "inch": 25.4, "foot": 304.8}


@dataclass(frozen=True)
class ReadSolid:
    """One solid of a file, where its placement puts it.

    Args:
        shape: in mm, located.
        index: number of the solid in the file.
        name: name of the solid in the file, "" where it has none.
        unit_mm: the file's length unit.
        face_name: face of `shape` -> its name in the file, "" where it has none.
    """

    shape: TopoDS_Solid
    index: int
    name: str
    unit_mm: float
    face_name: Callable[[TopoDS_Face], str]


def silence() -> None:
    """OCCT prints on every transfer; keep failures only."""
    for printer in Message.DefaultMessenger_s().Printers():
        printer.SetTraceLevel(Message_Gravity.Message_Fail)


def read_solids(path: Path) -> list[ReadSolid]:
    """Every solid of the file, also those of assemblies and of several roots, in the order of OCCT's explorer.

    Raises:
        Reject: missing, unreadable or no_solid.
    """
    if not path.is_file():
        raise Reject("missing", f"{path.name}: no such file")
    if path.suffix.lower() not in SUFFIXES:
        raise Reject("unreadable", f"{path.name}: suffix {path.suffix or 'none'}, known are {', '.join(SUFFIXES)}")
    silence()
    Interface_Static.SetCVal_s("xstep.cascade.unit", "MM")
    reader = STEPControl_Reader()
    if reader.ReadFile(str(path)) != IFSelect_RetDone:  # a transfer after a failed read ends the process
        raise Reject("unreadable", f"{path.name}: not a STEP file, or a broken one")
    unit_mm = _unit_mm(reader)
    reader.TransferRoots()
    if reader.NbShapes() == 0:
        raise Reject("no_solid", f"{path.name}: nothing in it could be made into a shape")
    names = _Names(reader)
    solids: list[ReadSolid] = []
    explorer = TopExp_Explorer(reader.OneShape(), TopAbs_SOLID)
    while explorer.More():
        shape = TopoDS.Solid_s(explorer.Current())
        solids.append(ReadSolid(shape, len(solids), names(shape), unit_mm, names))
        explorer.Next()
    if not solids:
        raise Reject("no_solid", f"{path.name}: holds shapes, none of them a solid")
    return solids


class _Names:
    """Shape -> its name in the file. Placed parts are looked up where they were before their placement."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader  # the results live as long as the reader
        self._results = reader.WS().TransferReader()

    def __call__(self, shape: TopoDS_Shape) -> str:
        for candidate in (shape, shape.Located(TopLoc_Location())):
            entity = self._results.EntityFromShapeResult(candidate, 1)
            if entity is not None:
                name = entity.Name() if hasattr(entity, "Name") else None
                return name.ToCString() if name is not None else ""
        return ""


def _unit_mm(reader: Any) -> float:
    """Length unit of the first root: by its name, else by the factor the file states."""
    lengths, angles, solid_angles = (TColStd_SequenceOfAsciiString() for _ in range(3))
    reader.FileUnits(lengths, angles, solid_angles)
    name = lengths.Value(1).ToCString().lower() if lengths.Length() else "millimetre"
    if name in UNITS_MM:
        return UNITS_MM[name]
    model = reader.Model()
    for i in range(1, model.NbEntities() + 1):
        entity = model.Value(i)
        if hasattr(entity, "GlobalUnitAssignedContext"):
            entity = entity.GlobalUnitAssignedContext()
        if isinstance(entity, StepRepr_GlobalUnitAssignedContext):
            unit = STEPConstruct_UnitContext()
            if unit.ComputeFactors(entity) == 0:
                return float(unit.LengthFactor())
    return 1.0
