"""Length unit of a file, in mm."""

from typing import Any

from OCP.STEPConstruct import STEPConstruct_UnitContext
from OCP.StepRepr import StepRepr_GlobalUnitAssignedContext
from OCP.TColStd import TColStd_SequenceOfAsciiString

UNITS_MM = {
    "nanometre": 1e-6,
    "micrometre": 1e-3,
    "millimetre": 1.0,
    "centimetre": 10.0,
    "decimetre": 100.0,
    "metre": 1000.0,
    "kilometre": 1e6,
    "inch": 25.4,
    "foot": 304.8,
}


def step_unit_mm(reader: Any) -> float:
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
