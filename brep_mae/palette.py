"""Colours of classes, the same in pages and in CAD files.

The first are those of Okabe and Ito 2008, "Color Universal Design", which people with any kind of colour blindness can
tell apart, in an order that keeps close ones apart and without black, which is for edges. Further classes get the same
hues darker, then lighter, and only after 21 of them hues of their own.
"""

import colorsys
from collections.abc import Iterable

Color = tuple[int, int, int]
"""sRGB, 0 to 255."""

OKABE_ITO: tuple[Color, ...] = (
    (86, 180, 233),  # sky blue
    (230, 159, 0),  # orange
    (0, 158, 115),  # bluish green
    (213, 94, 0),  # vermillion
    (0, 114, 178),  # blue
    (240, 228, 66),  # yellow
    (204, 121, 167),  # reddish purple
)
NO_CLASS: Color = (190, 190, 190)
NONE = "none"
"""The name of an answer that is none of a model's classes."""
DARKER, LIGHTER = 0.55, 0.45
GOLDEN = 0.618034
"""Steps of this share of the circle of hues never come back to where they were."""


def class_colors(names: Iterable[str]) -> dict[str, Color]:
    """Name -> colour, by the names' order; one that comes twice counts once. `NONE` is grey."""
    classes = [name for name in dict.fromkeys(names) if name != NONE]
    return {name: _color(number) for number, name in enumerate(classes)} | {NONE: NO_CLASS}


def _color(number: int) -> Color:
    turn, place = divmod(number, len(OKABE_ITO))
    base = OKABE_ITO[place]
    if turn == 0:
        return base
    if turn == 1:
        return _mixed(base, 0, DARKER)
    if turn == 2:
        return _mixed(base, 255, LIGHTER)
    red, green, blue = colorsys.hls_to_rgb(number * GOLDEN % 1, (0.35, 0.5, 0.65)[number % 3], 0.6)
    return round(255 * red), round(255 * green), round(255 * blue)


def _mixed(color: Color, other: int, share: float) -> Color:
    """The colour with so large a share of itself, the rest black (0) or white (255)."""
    red, green, blue = (round(share * own + (1 - share) * other) for own in color)
    return red, green, blue
