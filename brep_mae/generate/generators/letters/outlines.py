"""Reads letters' outlines from the fonts that matplotlib brings along, in units of the font's em.

A TrueType outline is made of straight lines and of runs of control points between two points of the curve. A run is a
uniform quadratic B-spline, C1 inside: it is kept as one curve, since its inner joints are nowhere to be seen.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont
from matplotlib.path import Path as Polygon

FONTS: tuple[str, ...] = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmb10", "cmti10", "cmmi10", "cmss10", "cmtt10"),
)

SHORTEST = 0.003  # em; what is shorter is a font's rounding, and would leave sliver faces
FLAT = 0.003  # of its chord: a curve that bends less is a straight line
STEPS = 16  # chords per control point of a curve where a polygon will do

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of the old time stamps in Computer Modern


Contour = tuple[np.ndarray, ...]
"""Closed; each curve (N, 2) starts where the one before ends. Two points are a straight line, more are the poles of a
clamped uniform quadratic B-spline."""


@dataclass(frozen=True)
class Region:
    """One piece of a letter: an outer contour and the holes in it."""

    outer: Contour
    holes: tuple[Contour, ...]

    def mapped(self, matrix: np.ndarray) -> "Region":
        """Its image under a linear map (2, 2)."""
        outer, *holes = (tuple(curve @ matrix.T for curve in contour) for contour in (self.outer, *self.holes))
        return Region(outer, tuple(holes))


@cache
def _font(name: str) -> TTFont:
    return TTFont(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf")


@cache
def pieces(font: str, character: str) -> tuple[Region, ...]:
    """The pieces of a letter, largest first; baseline at y = 0.

    Args:
        font: one of FONTS.
        character: a letter of the Latin alphabet, either case.
    """
    file = _font(font)
    glyphs = file.getGlyphSet()
    pen = DecomposingRecordingPen(glyphs)
    glyphs[file.getBestCmap()[ord(character)]].draw(pen)
    return regions(contours(pen.value, file["head"].unitsPerEm))


def contours(drawing: Sequence[tuple[str, tuple]], em: float) -> list[Contour]:
    """Contours of a recorded TrueType drawing, without the pieces that are too short to be meant."""
    found: list[Contour] = []
    for operation, points in drawing:
        if operation == "moveTo":
            start = at = points[0]
            curves: list[np.ndarray] = []
        elif operation in ("lineTo", "qCurveTo"):
            curves.append(np.array([at, *points]) / em)
            at = points[-1]
        else:
            contour = _mended([*curves, np.array([at, start]) / em])
            if len(contour) > 1:  # DejaVu Sans' u has a contour of a single point
                found.append(contour)
    return found


def _mended(curves: list[np.ndarray]) -> Contour:
    """The contour without short pieces, the piece before each drawn out to its end, and flat curves made lines."""
    kept = [c.copy() for c in curves if np.abs(c - c[0]).max() >= SHORTEST]
    for curve, following in zip(kept, kept[1:] + kept[:1], strict=True):
        curve[-1] = following[0]
    for i, curve in enumerate(kept):
        chord = curve[-1] - curve[0]
        off = (curve - curve[0]) @ np.array([-chord[1], chord[0]])
        if np.abs(off).max() <= FLAT * (chord @ chord):
            kept[i] = curve[[0, -1]]
    return tuple(kept)


def flattened(contour: Contour) -> np.ndarray:
    """(N, 2) points along a contour, its curves cut into chords."""
    return np.concatenate([_chords(curve)[:-1] for curve in contour])


def _chords(curve: np.ndarray) -> np.ndarray:
    if len(curve) == 2:
        return curve
    joints = (curve[1:-2] + curve[2:-1]) / 2
    ends = np.concatenate([curve[:1], joints, curve[-1:]])
    t = np.linspace(0, 1, STEPS + 1)[:, None]
    spans = zip(ends, curve[1:-1], ends[1:], strict=False)
    arcs = [(1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c for a, b, c in spans]
    return np.concatenate([arc[:-1] for arc in arcs] + [ends[-1:]])


def regions(found: Sequence[Contour]) -> tuple[Region, ...]:
    """Sorts contours into pieces and their holes: what lies inside an odd number of others is a hole."""
    polygons = [Polygon(flattened(contour)) for contour in found]
    inside = [
        [j for j, other in enumerate(polygons) if j != i and other.contains_path(polygon)]
        for i, polygon in enumerate(polygons)
    ]
    sorted_out = [
        Region(found[i], tuple(found[k] for k in range(len(found)) if i in inside[k] and len(inside[k]) == depth + 1))
        for i in range(len(found))
        if (depth := len(inside[i])) % 2 == 0
    ]
    return tuple(sorted(sorted_out, key=lambda piece: -abs(area(piece.outer))))


def area(contour: Contour) -> float:
    """Area within a contour, positive where it runs counter-clockwise."""
    x, y = flattened(contour).T
    return float((x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
