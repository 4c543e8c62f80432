"""Which entity of a STEP file a shape was made from: names, products and the place in the assembly."""

from collections.abc import Iterator
from typing import Any

from OCP.StepRepr import StepRepr_NextAssemblyUsageOccurrence
from OCP.StepShape import (
    StepShape_ConnectedFaceSet,
    StepShape_FaceSurface,
    StepShape_ManifoldSolidBrep,
    StepShape_SolidModel,
)
from OCP.TopAbs import TopAbs_COMPOUND, TopAbs_COMPSOLID, TopAbs_FACE
from OCP.TopExp import TopExp
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Face, TopoDS_Iterator, TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

FEW = 64
"""Questions that are cheaper to ask one by one: each is a linear search in the kernel, a table costs as much as 100."""
ASKED_FOR = (
    StepShape_FaceSurface,
    StepShape_SolidModel,
    StepShape_ConnectedFaceSet,
    StepRepr_NextAssemblyUsageOccurrence,
)


def no_name(face: TopoDS_Face) -> str:
    """`face_name` of every solid of a file that names no face; to be recognised by `is`, it need not be called."""
    return ""


def text_of(string: Any) -> str:
    """A kernel string as it is; bytes that are no UTF-8 become U+FFFD."""
    if string is None:
        return ""
    try:
        return str(string.ToCString())
    except UnicodeDecodeError:
        return "".join(chr(c) if 0 < (c := _code(string, i)) < 128 else "\ufffd" for i in range(string.Length()))


def _code(string: Any, index: int) -> int:
    try:
        return ord(string.Value(index + 1))
    except (UnicodeDecodeError, TypeError, ValueError):
        return 0


def name_of(entity: Any) -> str:
    """Name of an entity, "" for those without."""
    return text_of(entity.Name()) if hasattr(entity, "Name") else ""


def product_name(definition: Any) -> str:
    """Name of the product, or its id where it has no name; "" for what is no PRODUCT_DEFINITION."""
    formation = definition.Formation() if hasattr(definition, "Formation") else None
    product = formation.OfProduct() if formation is not None else None
    if product is None:
        return ""
    return text_of(product.Name()).strip() or text_of(product.Id()).strip()


def of_type(model: Any, kind: Any) -> Iterator[Any]:
    """Entities of a model that are of a class of the kernel's, in the file's order."""
    found = model.Entities()  # it picks them itself, which is 20 times as fast as to ask for each
    found.SelectType(kind.get_type_descriptor_s(), True)
    found.Start()
    while found.More():
        yield found.Value()
        found.Next()


class Entities:
    """Shape of a transfer that is done -> entity of the file. Placed shapes are found where they were made.

    The kernel keeps the table the other way round, and its search is linear. Past FEW questions a table of our own is
    built: a second transfer of an entity that was transferred only hands out its shape.
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader  # the results live as long as the reader
        self._results = reader.WS().TransferReader()
        self._asked = 0
        self._found: list[Any] | None = None
        self._kept: list[Any] = []  # an entity keeps its id as long as it is held
        self._shapes = TopTools_IndexedMapOfShape()

    def of(self, shape: TopoDS_Shape) -> Any:
        """Entity of the shape without its placement; None where there is none."""
        return self.placed(shape.Located(TopLoc_Location()))

    def placed(self, shape: TopoDS_Shape) -> Any:
        """Entity of the shape as it is placed: for a part of an assembly, one that is moved, its occurrence."""
        self._asked += 1
        if self._found is None and self._asked > FEW:
            self._found = list(self._table())
        if self._found is not None:
            return self._found[i - 1] if (i := self._shapes.FindIndex(shape)) else None
        return self._results.EntityFromShapeResult(shape, 1)

    def _transferred(self) -> Iterator[Any]:
        """Every entity that the transfer touched, in its order."""
        process = self._results.TransientProcess()
        for i in range(1, process.NbMapped() + 1):
            yield process.Mapped(i)

    def _table(self) -> Iterator[Any]:
        model = self._reader.Model()
        ranks: dict[int, int] = {}
        for rank in range(1, model.NbEntities() + 1):
            entity = model.Value(rank)
            if isinstance(entity, ASKED_FOR):
                ranks[id(entity)] = rank
                self._kept.append(entity)
        for entity in self._transferred():
            rank = ranks.get(id(entity), 0)
            self._reader.ClearShapes()
            if rank and self._reader.TransferOne(rank) and self._reader.NbShapes():
                before = self._shapes.Extent()
                if self._shapes.Add(self._reader.Shape(1)) > before:  # the first entity of a shape, as in the search
                    yield entity


class FaceEntities:
    """Face of a solid -> its entity.

    The kernel makes the faces of a shell in the file's order, so the k-th face has the shell's k-th entity. Where the
    numbers differ, or the first or last face was made from another entity, or where repairs may have changed the order,
    each face is looked up, which takes ten times as long.
    """

    def __init__(self, entities: Entities, solid: TopoDS_Shape, entity: Any, repaired: bool) -> None:
        self._entities, self._entity, self._repaired = entities, entity, repaired
        self._solid = solid.Located(TopLoc_Location())
        self._faces: TopTools_IndexedMapOfShape | None = None
        self._found: list[Any] = []

    def __call__(self, face: TopoDS_Shape) -> Any:
        if self._faces is None:
            self._faces = TopTools_IndexedMapOfShape()
            TopExp.MapShapes_s(self._solid, TopAbs_FACE, self._faces)
            self._found = self._in_order()
        if not self._found:
            return self._entities.of(face)
        return self._found[self._faces.FindIndex(face.Located(TopLoc_Location())) - 1]

    def name(self, face: TopoDS_Face) -> str:
        """Empty where it has none."""
        return name_of(self(face))

    def _in_order(self) -> list[Any]:
        """Those of all faces, none where the order is in doubt."""
        assert self._faces is not None
        shell = self._entity.Outer() if type(self._entity) is StepShape_ManifoldSolidBrep else None
        count = self._faces.Extent()
        if self._repaired or shell is None or shell.NbCfsFaces() != count:
            return []
        found = [shell.CfsFacesValue(i + 1) for i in range(count)]
        if any(self._entities.of(self._faces.FindKey(i + 1)) is not found[i] for i in (0, count - 1)):
            return []
        return found


def placed_parts(
    shape: TopoDS_Shape, definition: Any, entities: Entities, path: tuple[str, ...]
) -> Iterator[tuple[TopoDS_Shape, str, tuple[str, ...]]]:
    """(shape that is no compound, product, names on the way to it) of an assembly, depth first, as the explorer goes.

    Args:
        definition: PRODUCT_DEFINITION of the shape.
        path: names from the root to it.
    """
    if shape.ShapeType() not in (TopAbs_COMPOUND, TopAbs_COMPSOLID):
        yield shape, product_name(definition), path
        return
    iterator = TopoDS_Iterator(shape.Located(TopLoc_Location()))
    while iterator.More():
        child = iterator.Value()
        iterator.Next()
        entity = entities.placed(child)  # a placement that moves nothing is a location too, and tells it from its part
        below, part = path, definition
        if isinstance(entity, StepRepr_NextAssemblyUsageOccurrence):
            part = entity.RelatedProductDefinition()
            below = (*path, (name_of(entity).strip() or product_name(part)).replace("/", "_"))
        yield from placed_parts(child.Moved(shape.Location(), False), part, entities, below)
