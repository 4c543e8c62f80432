"""Edges and their images in a face's (u, v) domain as functions of many parameters at once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Curve
from OCP.GCPnts import GCPnts_AbscissaPoint
from OCP.Geom2dAdaptor import Geom2dAdaptor_Curve
from OCP.gp import gp_Pnt, gp_Pnt2d, gp_Vec, gp_Vec2d
from OCP.TopoDS import TopoDS_Edge, TopoDS_Face

_OCCT_TYPES = {
    "Line": "line",
    "Circle": "circle",
    "Ellipse": "ellipse",
    "Hyperbola": "hyperbola",
    "Parabola": "parabola",
    "BezierCurve": "bezier",
    "BSplineCurve": "bspline",
    "OffsetCurve": "offset",
    "OtherCurve": "other",
}

TURN_SEGMENTS = 64
"""Chords per full turn of a circle or ellipse; a chord then leaves the curve by 0.12 % of the radius."""
FREE_SEGMENTS = 32
"""Chords of a free-form curve, or four per knot span where that is more. All counts are powers of two."""
MOST_SEGMENTS = 512


@lru_cache
def uniform(count: int) -> np.ndarray:
    """`count` values from 0 to 1, both included."""
    return np.linspace(0.0, 1.0, count)


@dataclass(frozen=True)
class Curve:
    """A curve in the plane or in space between two parameters.

    Args:
        kind: one of schema.CURVE_TYPES.
        first, last: parameter range.
        segments: chords that follow the curve closely; 1 for a line.
        evaluate: parameters (N,) -> points (N, D) and derivatives (N, D).
        length: of the curve, in the units of its points.
    """

    kind: str
    first: float
    last: float
    segments: int
    evaluate: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    length: Callable[[], float]

    def sample(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """`count` points with derivatives, uniform in the parameter, both ends included."""
        return self.evaluate(self.first + (self.last - self.first) * uniform(count))

    @property
    def middle(self) -> float:
        return (self.first + self.last) / 2


def edge_curve(edge: TopoDS_Edge) -> Curve | None:
    """The edge in space (mm, located); None where it is degenerate or has no curve of its own."""
    if BRep_Tool.Degenerated_s(edge):
        return None
    adaptor = BRepAdaptor_Curve(edge)
    if not adaptor.Is3DCurve():
        return None
    return _curve(adaptor, adaptor.FirstParameter(), adaptor.LastParameter(), gp_Pnt, gp_Vec)


def parameter_curve(edge: TopoDS_Edge, face: TopoDS_Face) -> Curve | None:
    """The edge in the (u, v) domain of the face, for a seam the side that the edge's orientation names."""
    pcurve = BRep_Tool.CurveOnSurface_s(edge, face, 0.0, 0.0)
    if pcurve is None:
        return None
    first, last = BRep_Tool.Range_s(edge, face)
    return _curve(Geom2dAdaptor_Curve(pcurve, first, last), first, last, gp_Pnt2d, gp_Vec2d)


def _curve(adaptor: Any, first: float, last: float, point: Any, vector: Any) -> Curve:
    kind = _OCCT_TYPES[adaptor.GetType().name.removeprefix("GeomAbs_")]
    if kind == "line":
        base, along = _derivatives(adaptor, first, 1, point, vector)
        extent = float(np.linalg.norm(along)) * (last - first)

        def line(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return base + (t - first)[:, None] * along, np.repeat(along[None], len(t), axis=0)

        return Curve(kind, first, last, 1, line, lambda: extent)
    if kind in ("circle", "ellipse"):
        # p'' = -(p - centre) for both, which holds under any placement
        base, along, second = _derivatives(adaptor, first, 2, point, vector)
        centre, spoke = base + second, -second

        def conic(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            cos, sin = np.cos(t - first)[:, None], np.sin(t - first)[:, None]
            return centre + cos * spoke + sin * along, cos * along - sin * spoke

        radius = float(np.linalg.norm(along))
        length = (
            (lambda: radius * (last - first)) if kind == "circle" else lambda: GCPnts_AbscissaPoint.Length_s(adaptor)
        )
        segments = _power_of_two(max(4.0, TURN_SEGMENTS * abs(last - first) / (2 * np.pi)))
        return Curve(kind, first, last, segments, conic, length)

    p, d = point(), vector()

    def general(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = []
        for value in t.tolist():
            adaptor.D1(value, p, d)
            rows.append(p.Coord() + d.Coord())
        both = np.array(rows)
        half = both.shape[1] // 2
        return both[:, :half], both[:, half:]

    spans = adaptor.NbKnots() - 1 if kind == "bspline" else 1
    segments = min(MOST_SEGMENTS, _power_of_two(max(FREE_SEGMENTS, 4 * spans)))
    return Curve(kind, first, last, segments, general, lambda: GCPnts_AbscissaPoint.Length_s(adaptor))


def _power_of_two(at_least: float) -> int:
    return 1 << max(0, int(np.ceil(np.log2(at_least) - 1e-9)))


def _derivatives(adaptor: Any, t: float, order: int, point: Any, vector: Any) -> list[np.ndarray]:
    p, vectors = point(), [vector() for _ in range(order)]
    (adaptor.D1 if order == 1 else adaptor.D2)(t, p, *vectors)
    return [np.array(p.Coord()), *(np.array(v.Coord()) for v in vectors)]
