"""Length units of a STEP file, in mm."""

from collections.abc import Iterator
from typing import Any

from OCP.STEPConstruct import STEPConstruct_UnitContext
from OCP.StepRepr import StepRepr_GlobalUnitAssignedContext
from OCP.StepShape import StepShape_ShapeRepresentation, StepShape_ShellBasedSurfaceModel

from brep_mae.brep.read.entities import of_type


class Units:
    """Unit of each solid, by the factor that the file states: names of units may say anything.

    A file may hold roots in several units; each counts for the solids and shells that its representation lists.
    """

    def __init__(self, model: Any) -> None:
        self._kept = list(of_type(model, StepShape_ShapeRepresentation))  # an entity keeps its id as long as it is held
        self._contexts = [_factor(representation.ContextOfItems()) for representation in self._kept]
        stated = [factor for factor in self._contexts if factor is not None]
        self._first = stated[0] if stated else 1.0
        self._by_item: dict[int, float] | None = None if len(set(stated)) > 1 else {}

    def of(self, entity: Any) -> float:
        """Unit of a solid or shell; that of the first representation for what none lists."""
        if self._by_item is None:
            self._by_item = dict(self._listed())
        return self._by_item.get(id(entity), self._first)

    def _listed(self) -> Iterator[tuple[int, float]]:
        for representation, factor in zip(list(self._kept), self._contexts, strict=True):
            if factor is None:
                continue
            for i in range(1, representation.NbItems() + 1):
                for item in _parts(representation.ItemsValue(i)):
                    self._kept.append(item)
                    yield id(item), factor


def _parts(item: Any) -> Iterator[Any]:
    """The item, or the shells of a surface model."""
    if not isinstance(item, StepShape_ShellBasedSurfaceModel):
        yield item
        return
    for i in range(1, item.NbSbsmBoundary() + 1):
        yield item.SbsmBoundaryValue(i).Value()


def _factor(context: Any) -> float | None:
    """Length unit of a context in mm, None where it states none."""
    if hasattr(context, "GlobalUnitAssignedContext"):
        context = context.GlobalUnitAssignedContext()
    unit = STEPConstruct_UnitContext()
    if not isinstance(context, StepRepr_GlobalUnitAssignedContext) or unit.ComputeFactors(context) != 0:
        return None
    return float(unit.LengthFactor())
