"""Colours that a STEP file gives to its faces and solids."""

from collections.abc import Callable, Iterator
from typing import Any

from OCP.StepVisual import (
    StepVisual_ColourRgb,
    StepVisual_OverRidingStyledItem,
    StepVisual_PreDefinedColour,
    StepVisual_StyledItem,
)
from OCP.TopoDS import TopoDS_Face, TopoDS_Shape

from brep_mae.brep.entities import Entities, text_of

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

    def __init__(self, reader: Any, entities: Entities) -> None:
        self._reader, self._entities = reader, entities
        self._colors: dict[int, Color] | None = None
        self._kept: list[Any] = []

    def of_faces(self, solid: TopoDS_Shape) -> Callable[[TopoDS_Face], Color | None]:
        """Face of this solid -> its own colour, else its shell's, else the solid's."""
        whole: list[Color | None] = []

        def color(face: TopoDS_Face) -> Color | None:
            if not whole:
                entity = self._entities.of(solid)
                shell = entity.Outer() if hasattr(entity, "Outer") else None
                own = self._of(shell)
                whole.append(own if own is not None else self._of(entity))
            own = self._of(self._entities.of(face))
            return own if own is not None else whole[0]

        return color

    def _of(self, entity: Any) -> Color | None:
        if self._colors is None:
            self._colors = {}
            overriding: dict[int, Color] = {}
            model = self._reader.Model()
            for rank in range(1, model.NbEntities() + 1):
                styled = model.Value(rank)
                if isinstance(styled, StepVisual_StyledItem) and (item := styled.Item()) is not None:
                    color = next(surface_colors(styled), None)
                    if color is not None:
                        self._kept.append(item)  # an entity keeps its id as long as it is held
                        over = isinstance(styled, StepVisual_OverRidingStyledItem)
                        (overriding if over else self._colors)[id(item)] = color
            self._colors |= overriding
        return self._colors.get(id(entity))


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
