"""Solids and what is said of them -> a document of the CAD kernel, from which its writer makes a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from OCP.BRepBuilderAPI import BRepBuilderAPI_Copy
from OCP.Quantity import Quantity_Color, Quantity_TOC_sRGB
from OCP.TCollection import TCollection_ExtendedString
from OCP.TDataStd import TDataStd_Name
from OCP.TDF import TDF_Label
from OCP.TDocStd import TDocStd_Document
from OCP.TopLoc import TopLoc_Location
from OCP.XCAFApp import XCAFApp_Application
from OCP.XCAFDoc import XCAFDoc_ColorGen, XCAFDoc_ColorSurf, XCAFDoc_DocumentTool

from brep_mae.answers import SolidAnswers
from brep_mae.brep.read.solids import ReadSolid
from brep_mae.brep.solid.split import faces_of
from brep_mae.palette import Color


@dataclass(frozen=True)
class Said:
    """A solid, the types of its faces' surfaces, and what is said of it; None where nothing is: it stays as it was."""

    solid: ReadSolid
    surfaces: tuple[str, ...]
    answers: SolidAnswers | None

    @property
    def name(self) -> str:
        """Of the solid in what is written: its class, else what the file calls it."""
        if self.answers and self.answers.whole:
            return self.answers.whole.name
        return self.solid.name or self.solid.product or f"solid {self.solid.index}"


def coloured(title: str, entries: Sequence[Said], colors: Mapping[str, Color]) -> TDocStd_Document:
    """A document that holds each solid where it lies, its faces or itself named and coloured by class.

    Of a single solid it is a part, of several or of one that is placed an assembly. Each solid has a copy of its
    topology: a part that is placed five times may have five classes. Curves and surfaces are not copied, hence
    unchanged.

    Args:
        title: name of the assembly.
        entries: at least one.
        colors: of every class.
    """
    document = TDocStd_Document(TCollection_ExtendedString("BinXCAF"))
    XCAFApp_Application.GetApplication_s().InitDocument(document)
    shapes = XCAFDoc_DocumentTool.ShapeTool_s(document.Main())
    painter = XCAFDoc_DocumentTool.ColorTool_s(document.Main())
    root = None
    if len(entries) > 1 or not entries[0].solid.shape.Location().IsIdentity():
        root = shapes.NewShape()
        _name(root, title)
    for entry in entries:
        shape = entry.solid.shape
        copy = BRepBuilderAPI_Copy(shape.Located(TopLoc_Location()), False, False).Shape()
        part = shapes.AddShape(copy, False)
        _name(part, entry.name)
        if root is not None:
            _name(shapes.AddComponent(root, part, shape.Location()), entry.name)
        if entry.answers is None:
            continue
        if entry.answers.whole:
            painter.SetColor(part, _color(colors[entry.answers.whole.name]), XCAFDoc_ColorGen)
        faces = faces_of(copy)
        for number, answer in enumerate(entry.answers.faces):
            label = shapes.AddSubShape(part, faces.FindKey(number + 1))
            _name(label, answer.name)
            painter.SetColor(label, _color(colors[answer.name]), XCAFDoc_ColorSurf)
    shapes.UpdateAssemblies()
    return document


def _color(color: Color) -> Quantity_Color:
    return Quantity_Color(*(value / 255 for value in color), Quantity_TOC_sRGB)


def _name(label: TDF_Label, name: str) -> None:
    TDataStd_Name.Set_s(label, TCollection_ExtendedString(name, True))
