"""Colours that a STEP file gives to its faces and solids."""

from collections.abc import Callable, Iterator
from functools import cache, cached_property
from typing import Any

from OCP.StepShape import StepShape_FaceSurface
from OCP.StepVisual import (
    StepVisual_ColourRgb,
    StepVisual_OverRidingStyledItem,
    StepVisual_PreDefinedColour,
    StepVisual_StyledItem,
)
from OCP.TopoDS import TopoDS_Face

from brep_mae.brep.read.entities import FaceEntities, of_type, text_of

Color = tuple[int, int, int]

NAMED = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "magenta": (255, 0, 255),
    "cyan": (0, 255, 255),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}


def no_color(face: TopoDS_Face) -> Color | None:
    """`face_color` of every solid of a file without colours; to be recognised by `is`, it need not be called."""
    return None


class Colors:
    """Colours of all entities of a file, gathered at the first question.

    Styles on faces, shells and solids count. Styles on one placement of a part, which only assemblies with overridden
    colours have, do not.
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._kept: list[Any] = []

    def of_faces(self, faces: FaceEntities, solid: Any) -> Callable[[TopoDS_Face], Color | None]:
        """Face of a solid -> its own colour, else its shell's, else the solid's.

        Args:
            solid: the solid's entity.
        """

        def color(face: TopoDS_Face) -> Color | None:
            own = self._colors.get(id(faces(face))) if self._on_faces else None
            return own if own is not None else whole()

        @cache
        def whole() -> Color | None:
            shell = solid.Outer() if hasattr(solid, "Outer") else None
            return self._colors.get(id(shell), self._colors.get(id(solid)))

        return color

    @cached_property
    def _colors(self) -> dict[int, Color]:
        found: dict[bool, dict[int, Color]] = {False: {}, True: {}}
        for styled in of_type(self._reader.Model(), StepVisual_StyledItem):
            if (item := styled.Item()) is not None and (color := next(surface_colors(styled), None)) is not None:
                self._kept.append(item)  # an entity keeps its id as long as it is held
                found[isinstance(styled, StepVisual_OverRidingStyledItem)][id(item)] = color
        return found[False] | found[True]

    @cached_property
    def _on_faces(self) -> bool:
        return bool(self._colors) and any(isinstance(item, StepShape_FaceSurface) for item in self._kept)


def surface_colors(styled: Any) -> Iterator[Color]:
    """Colours a styled item gives to surfaces: fill area or rendering."""
    for assignment in _items(styled, "Styles"):
        for select in _items(assignment, "Styles"):
            usage = select.SurfaceStyleUsage()
            side = usage.Style() if usage is not None else None
            for element in _items(side, "Styles") if side is not None else ():
                area, rendering = element.SurfaceStyleFillArea(), element.SurfaceStyleRendering()
                colors = [rendering.SurfaceColour()] if rendering is not None else []
                if area is not None and area.FillArea() is not None:
                    fills = (fill.FillAreaStyleColour() for fill in _items(area.FillArea(), "FillStyles"))
                    colors += [fill.FillColour() for fill in fills if fill is not None]
                yield from (found for color in colors if (found := _decoded(color)) is not None)


def _items(entity: Any, what: str) -> Iterator[Any]:
    for i in range(1, getattr(entity, f"Nb{what}")() + 1):
        item = getattr(entity, f"{what}Value")(i)
        if item is not None:
            yield item


def _decoded(color: Any) -> Color | None:
    """sRGB, 0..255."""
    if isinstance(color, StepVisual_ColourRgb):
        red, green, blue = (round(255 * min(max(c, 0.0), 1.0)) for c in (color.Red(), color.Green(), color.Blue()))
        return red, green, blue
    if isinstance(color, StepVisual_PreDefinedColour):
        item = color.GetPreDefinedItem()
        return NAMED.get(text_of(item.Name()).lower()) if item is not None else None
    return None
