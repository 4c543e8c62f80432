"""A solid whose faces carry labels, and the operations that hand the labels on by their own history.

No label is ever guessed from geometry: each operation is asked what became of every face of its operands
(`Modified`, `Generated`, `IsDeleted`), and an answer that leaves a face with no label or with two is a rejection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from OCP.BRep import BRep_Tool
from OCP.BRepAlgoAPI import BRepAlgoAPI_BooleanOperation, BRepAlgoAPI_Cut, BRepAlgoAPI_Fuse
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeShape, BRepBuilderAPI_MakeSolid, BRepBuilderAPI_Sewing
from OCP.BRepCheck import BRepCheck_Analyzer
from OCP.BRepFilletAPI import BRepFilletAPI_MakeChamfer, BRepFilletAPI_MakeFillet
from OCP.BRepGProp import BRepGProp
from OCP.BRepLib import BRepLib
from OCP.GProp import GProp_GProps
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_SHELL, TopAbs_SOLID, TopAbs_VERTEX
from OCP.TopExp import TopExp
from OCP.TopoDS import TopoDS, TopoDS_Edge, TopoDS_Face, TopoDS_Shape, TopoDS_Shell, TopoDS_Solid
from OCP.TopTools import TopTools_IndexedMapOfShape, TopTools_ListOfShape

SEWING_MM = 1e-5
SLIVER_MM2 = 1e-3  # a face below this is an accident of two nearly touching features, not something a mill leaves


class Rejected(Exception):
    """A drawn part that is thrown away; the message is the reason it is counted under."""


@dataclass(frozen=True)
class LabelledSolid:
    """One solid and the label of each of its faces.

    Invariant: `labels[i]` belongs to face i of `faces(solid)`, the order of `TopExp::MapShapes`.
    """

    solid: TopoDS_Solid
    labels: tuple[str, ...]


def _sub_shapes(shape: TopoDS_Shape, kind: int) -> TopTools_IndexedMapOfShape:
    found = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, kind, found)
    return found


def members(found: Any) -> list[Any]:
    """Items of one of OCCT's lists; OCP's own iteration takes half a millisecond even for the usual one item."""
    size = found.Extent()
    return [found.First()] if size == 1 else list(found) if size else []


def faces(shape: TopoDS_Shape) -> list[TopoDS_Face]:
    """Faces in the order of `TopExp::MapShapes`; a face's id is its place in this list."""
    found = _sub_shapes(shape, TopAbs_FACE)
    return [TopoDS.Face_s(found.FindKey(i + 1)) for i in range(found.Extent())]


def edges(shape: TopoDS_Shape) -> list[TopoDS_Edge]:
    """Edges, each once, in the order of `TopExp::MapShapes`."""
    found = _sub_shapes(shape, TopAbs_EDGE)
    return [TopoDS.Edge_s(found.FindKey(i + 1)) for i in range(found.Extent())]


def only_solid(shape: TopoDS_Shape) -> TopoDS_Solid:
    """The one solid in a result; none or several is a rejection."""
    found = _sub_shapes(shape, TopAbs_SOLID)
    if found.Extent() != 1:
        raise Rejected("no solid left" if found.Extent() == 0 else "fell into several solids")
    return TopoDS.Solid_s(found.FindKey(1))


def shell(solid: TopoDS_Solid) -> TopoDS_Shell:
    """The one shell of a solid; a second one bounds a hollow that no tool could have cut."""
    found = _sub_shapes(solid, TopAbs_SHELL)
    if found.Extent() != 1:
        raise Rejected("hollow inside")
    return TopoDS.Shell_s(found.FindKey(1))


class Labels:
    """Labels of a result's faces while they are being collected from an operation's history."""

    def __init__(self, solid: TopoDS_Solid, history: BRepBuilderAPI_MakeShape | None = None) -> None:
        self._solid, self._history = solid, history
        self._ids = _sub_shapes(solid, TopAbs_FACE)
        self._labels: list[str | None] = [None] * self._ids.Extent()

    def mark(self, face: TopoDS_Shape, label: str) -> None:
        """Gives the label to one face of the result; faces that are not part of the result are passed over."""
        i = self._ids.FindIndex(face) - 1
        if i < 0:
            return
        if self._labels[i] not in (None, label):
            raise Rejected("two labels on one face")
        self._labels[i] = label

    def carry(self, face: TopoDS_Shape, label: str) -> None:
        """Hands an operand's label to whatever the operation made of that face."""
        assert self._history is not None, "only an operation with a history carries labels"
        if self._history.IsDeleted(face):
            return
        for piece in members(self._history.Modified(face)) or [face]:
            self.mark(piece, label)

    def done(self) -> LabelledSolid:
        labels = tuple(label for label in self._labels if label is not None)
        if len(labels) != len(self._labels):
            raise Rejected("face without a label")
        return LabelledSolid(self._solid, labels)


def sewn(pieces: Sequence[tuple[TopoDS_Face, str]]) -> LabelledSolid:
    """The solid that faces enclose, which meet within SEWING_MM whatever side of each looks outwards, with their
    labels."""
    sewing = BRepBuilderAPI_Sewing(SEWING_MM)
    for face, _ in pieces:
        sewing.Add(face)
    sewing.Perform()
    solid = BRepBuilderAPI_MakeSolid(shell(sewing.SewedShape())).Solid()
    BRepLib.OrientClosedSolid_s(solid)
    result = Labels(solid)
    for face, label in pieces:
        result.mark(sewing.ModifiedSubShape(face), label)
    return result.done()


def _boolean(
    operation: BRepAlgoAPI_BooleanOperation, part: LabelledSolid, tools: Sequence[LabelledSolid]
) -> LabelledSolid:
    arguments, tool_list = TopTools_ListOfShape(), TopTools_ListOfShape()
    arguments.Append(part.solid)
    for tool in tools:
        tool_list.Append(tool.solid)
    operation.SetArguments(arguments)
    operation.SetTools(tool_list)
    operation.SetRunParallel(False)  # threads would make the order of new faces depend on the machine
    operation.Build()
    if not operation.IsDone():
        raise Rejected("boolean failed")
    result = Labels(only_solid(operation.Shape()), operation)
    for operand in (part, *tools):
        for face, label in zip(faces(operand.solid), operand.labels, strict=True):
            result.carry(face, label)
    return result.done()


def subtract(part: LabelledSolid, tools: Sequence[LabelledSolid]) -> LabelledSolid:
    """Removes the tools' volumes; every face keeps the label it has on the part or on its tool."""
    return _boolean(BRepAlgoAPI_Cut(), part, tools)


def unite(part: LabelledSolid, tools: Sequence[LabelledSolid]) -> LabelledSolid:
    """Adds the tools' volumes; every face keeps the label it has on the part or on its tool."""
    return _boolean(BRepAlgoAPI_Fuse(), part, tools)


def _all_labelled(tools: Sequence[TopoDS_Shape], label: str) -> list[LabelledSolid]:
    return [LabelledSolid(tool, (label,) * len(faces(tool))) for tool in tools]


def cut(part: LabelledSolid, tools: Sequence[TopoDS_Shape], label: str) -> LabelledSolid:
    """Removes the tools' volumes; the faces they leave behind get `label`, all others keep theirs."""
    return subtract(part, _all_labelled(tools, label))


def fuse(part: LabelledSolid, tools: Sequence[TopoDS_Shape], label: str) -> LabelledSolid:
    """Adds the tools' volumes; the faces they bring get `label`, all others keep theirs."""
    return unite(part, _all_labelled(tools, label))


def _dress(
    operation: BRepFilletAPI_MakeFillet | BRepFilletAPI_MakeChamfer,
    part: LabelledSolid,
    chosen: Sequence[TopoDS_Edge],
    size_mm: float,
    label: str,
) -> LabelledSolid:
    try:
        for edge in chosen:
            operation.Add(size_mm, edge)
        operation.Build()
        shape = operation.Shape() if operation.IsDone() else None
    except Exception as error:  # OCCT's own exception types differ by version; every one of them means "cannot"
        raise Rejected(f"{label} failed") from error
    if shape is None:
        raise Rejected(f"{label} failed")
    result = Labels(only_solid(shape), operation)
    for face, old in zip(faces(part.solid), part.labels, strict=True):
        result.carry(face, old)
    for kind in (TopAbs_EDGE, TopAbs_VERTEX):  # rounded edges, and the patches where they meet
        origins = _sub_shapes(part.solid, kind)
        for i in range(origins.Extent()):
            for face in members(operation.Generated(origins.FindKey(i + 1))):
                result.mark(face, label)
    return result.done()


def fillet(part: LabelledSolid, chosen: Sequence[TopoDS_Edge], radius_mm: float) -> LabelledSolid:
    """Rounds edges of `part.solid`; the round faces get the label `fillet`."""
    return _dress(BRepFilletAPI_MakeFillet(part.solid), part, chosen, radius_mm, "fillet")


def chamfer(part: LabelledSolid, chosen: Sequence[TopoDS_Edge], size_mm: float) -> LabelledSolid:
    """Bevels edges of `part.solid` by the same length on both sides; the bevels get the label `chamfer`."""
    return _dress(BRepFilletAPI_MakeChamfer(part.solid), part, chosen, size_mm, "chamfer")


def check(part: LabelledSolid) -> None:
    """Rejects whatever is not one closed, valid solid of positive volume without slivers."""
    if not BRep_Tool.IsClosed_s(shell(part.solid)):
        raise Rejected("open shell")
    if not BRepCheck_Analyzer(part.solid).IsValid():
        raise Rejected("invalid by BRepCheck")
    size = GProp_GProps()
    BRepGProp.VolumeProperties_s(part.solid, size)
    if size.Mass() <= 0.0:
        raise Rejected("no positive volume")
    for face in faces(part.solid):
        BRepGProp.SurfaceProperties_s(face, size := GProp_GProps())
        if size.Mass() < SLIVER_MM2:
            raise Rejected("sliver face")
