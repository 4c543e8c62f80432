"""Which letter of which font a part shows, and that letter as one flat face of a drawn size and proportion."""

from dataclasses import dataclass

import numpy as np
from OCP.TopoDS import TopoDS_Face

from brep_mae.generate.generators.letters.classes import PART_CLASSES
from brep_mae.generate.generators.letters.outlines import FONTS, Contour, Region, flattened, pieces
from brep_mae.generate.generators.letters.solids import flat, united
from brep_mae.generate.labelled import Rejected

GLYPH_STREAM = 1  # keeps this draw apart from the attempts' stream of the same seed and index
BRIDGE_WIDTH = 0.4  # of the narrower of what it joins


@dataclass(frozen=True)
class Glyph:
    """A letter of a font; `character` is the letter in its case."""

    letter: str
    character: str
    font: str


def glyph_of(seed: int, index: int) -> Glyph:
    """The letter, case and font of part `index`.

    They do not depend on what is rejected: so hard shapes are as common as easy ones, and a set can be split by font
    or case.
    """
    rng = np.random.default_rng([seed, index, GLYPH_STREAM])
    letter = str(rng.choice(PART_CLASSES))
    return Glyph(letter, letter if rng.random() < 0.5 else letter.lower(), str(rng.choice(FONTS)))


def base(glyph: Glyph, matrix_mm: np.ndarray) -> TopoDS_Face:
    """The letter in the plane z = 0, as one face looking up; the dots of i and j hang on by a bridge.

    Args:
        matrix_mm: (2, 2) with a positive determinant, from em to mm.
    """
    found = [piece.mapped(matrix_mm) for piece in pieces(glyph.font, glyph.character)]
    if len(found) == 1:
        return flat(found[0])
    body, dot = found
    return united([flat(body), flat(dot), flat(Region(_bridge(body.outer, dot.outer), ()))])


def _bridge(body: Contour, dot: Contour) -> Contour:
    """A bar from the middle of the dot into the stem below it."""
    points = flattened(dot)
    centre, width = (points.min(0) + points.max(0)) / 2, np.ptp(points, axis=0).min()
    stem = flattened(body)
    level = stem[:, 1].max() - 0.7 * width
    left, right = _stretch(stem, level, centre[0])
    foot = np.array([(left + right) / 2, level])
    along = (foot - centre) / np.hypot(*(foot - centre))
    aside = BRIDGE_WIDTH / 2 * min(width, right - left) * np.array([-along[1], along[0]])
    corners = [centre - aside, centre + aside, foot + aside, foot - aside]
    return tuple(np.array([a, b]) for a, b in zip(corners, corners[1:] + corners[:1], strict=True))


def _stretch(polygon: np.ndarray, level: float, x: float) -> tuple[float, float]:
    """The stretch of the line y = level within a polygon whose middle is nearest to x."""
    ends = np.roll(polygon, -1, axis=0)
    crossing = (polygon[:, 1] < level) != (ends[:, 1] < level)
    a, b = polygon[crossing], ends[crossing]
    at = np.sort(a[:, 0] + (level - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])).reshape(-1, 2)
    if not len(at):
        raise Rejected("no stem below the dot")
    left, right = at[np.abs(at.mean(axis=1) - x).argmin()]
    return float(left), float(right)
