"""Any curves of the kernel, in the plane or in space, as functions of many parameters at once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from OCP.Geom import Geom_Curve
from OCP.Geom2d import Geom2d_Curve
from OCP.gp import gp_Pnt, gp_Pnt2d, gp_Vec, gp_Vec2d

from brep_mae.brep.geometry.jets import Jet, filled, normalised, times
from brep_mae.brep.geometry.poles import SPLINE_CURVES, read_curves
from brep_mae.brep.geometry.splines import SplineCurves
from brep_mae.brep.geometry.untrimmed import untrimmed
from brep_mae.brep.vectors import cross

CurveJet = Callable[[np.ndarray, int], Jet]
"""Parameters (N,) and an order -> jet with j = 0, entries that broadcast to (N, D)."""


class FreeCurves:
    """Curves of one dimension, evaluated together: splines in one go, the others one by one."""

    def __init__(self, curves: list[Any], dimension: int) -> None:
        curves = [untrimmed(curve) for curve in curves]
        self._dimension = dimension
        self._spline = np.array([isinstance(curve, SPLINE_CURVES) for curve in curves], bool)
        found = read_curves([curve for curve in curves if isinstance(curve, SPLINE_CURVES)], dimension)
        self._row = np.cumsum(self._spline) - 1
        self._splines = SplineCurves(found, dimension)
        self._others = {i: inner_curve_jet(curves[i]) for i in np.flatnonzero(~self._spline).tolist()}
        self._read = found

    def knots(self, curve: int) -> np.ndarray:
        """Those of the domain, both ends included; none where the curve has no spans."""
        return self._read[self._row[curve]].axes[0].breaks() if self._spline[curve] else np.empty(0)

    def breaks(self, curve: int, first: float, last: float) -> np.ndarray:
        """`first`, `last` and the knots between them, also beyond the domain of a periodic curve."""
        knots = self.knots(curve)
        if len(knots) and self._read[self._row[curve]].axes[0].periodic:
            length = knots[-1] - knots[0]
            turns = np.arange(np.floor((first - knots[-1]) / length), np.ceil((last - knots[0]) / length) + 1)
            knots = np.unique(knots + length * turns[:, None])
        slack = 1e-12 * (last - first)
        return np.concatenate([[first], knots[(knots > first + slack) & (knots < last - slack)], [last]])

    def place(self, curves: np.ndarray, matrices: np.ndarray, offsets: np.ndarray) -> None:
        """Moves some of the curves. Shapes: (k,), (k, D, D), (k, D)"""
        splines = self._spline[curves]
        self._splines.place(self._row[curves[splines]], matrices[splines], offsets[splines])
        for i, matrix, offset in zip(curves.tolist(), matrices, offsets, strict=True):
            if i in self._others:
                self._others[i] = _placed(self._others[i], matrix, offset)

    def evaluate(self, curve: np.ndarray, t: np.ndarray, order: int) -> Jet:
        """Shapes: (N,), (N,) -> (N, D) each"""
        if not self._others:
            return self._splines.evaluate(curve, t, order)
        jet = {(k, 0): np.empty((len(t), self._dimension)) for k in range(order + 1)}
        spline = self._spline[curve]
        parts = [(spline, self._splines.evaluate(self._row[curve[spline]], t[spline], order))]
        for i, evaluate in self._others.items():
            chosen = curve == i
            if chosen.any():
                parts.append((chosen, evaluate(t[chosen], order)))
        for chosen, values in parts:
            for key, value in values.items():
                jet[key][chosen] = value
        return jet


def _placed(curve: CurveJet, matrix: np.ndarray, offset: np.ndarray) -> CurveJet:
    def jet(t: np.ndarray, order: int) -> Jet:
        return {key: value @ matrix.T + (0.0 if key[0] else offset) for key, value in curve(t, order).items()}

    return jet


def curve_jet(curve: Geom_Curve | Geom2d_Curve) -> Callable[..., tuple[np.ndarray, ...]]:
    """Geom_Curve or Geom2d_Curve -> its evaluation, unplaced.

    Returns:
        f(t, order=1): parameters (N,) inside the domain (any, where periodic) -> points, first, ... derivatives up to
        `order`, (N, 3) or (N, 2) each, float64. At a knot where a derivative jumps it is that of the span that
        follows, at the end of the domain that of the last.
    """
    inner = inner_curve_jet(curve)

    def evaluate(t: np.ndarray, order: int = 1) -> tuple[np.ndarray, ...]:
        jet = inner(t, order)
        return filled(jet, (len(t), jet[0, 0].shape[-1]))

    return evaluate


def inner_curve_jet(curve: Any) -> CurveJet:
    """The same as a jet, for surfaces and offsets to build on."""
    curve = untrimmed(curve)
    kind = type(curve).__name__
    dimension = 2 if kind.startswith("Geom2d_") else 3
    kind = kind.split("_", 1)[1]
    if isinstance(curve, SPLINE_CURVES):
        spline = SplineCurves(read_curves([curve], dimension), dimension)
        return lambda t, order: spline.evaluate(np.zeros(len(t), np.int64), t, order)
    if kind == "Line":
        position = curve.Position()
        return line(np.array(position.Location().Coord()), np.array(position.Direction().Coord()))
    if kind == "OffsetCurve":
        return _offset(curve, dimension)
    if kind in _CONICS:
        position = curve.Position()
        axes = (position.Location(), position.XDirection(), position.YDirection())
        origin, x, y = (np.array(axis.Coord()) for axis in axes)
        return conic(origin, x, y, _CONICS[kind](curve))
    return _by_point(curve, dimension)


Functions = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""(t, k) -> k-th derivatives of the two coordinates in a conic's own axes."""


def turning(a: float, b: float) -> Functions:
    """(a cos t, b sin t)"""

    def functions(t: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        sign = -1.0 if k % 4 in (1, 2) else 1.0
        first, second = (np.cos, np.sin) if k % 2 == 0 else (np.sin, np.cos)
        return sign * a * first(t), (sign if k % 2 == 0 else -sign) * b * second(t)

    return functions


def _hyperbolic(a: float, b: float) -> Functions:
    def functions(t: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        first, second = (np.cosh, np.sinh) if k % 2 == 0 else (np.sinh, np.cosh)
        return a * first(t), b * second(t)

    return functions


def _parabolic(focal: float) -> Functions:
    def functions(t: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        zero = np.zeros_like(t)
        x = (t**2 / (4 * focal), t / (2 * focal), zero + 1 / (2 * focal), zero)[min(k, 3)]
        return x, (t, zero + 1, zero)[min(k, 2)]

    return functions


_CONICS: dict[str, Callable[[Any], Functions]] = {
    "Circle": lambda c: turning(c.Radius(), c.Radius()),
    "Ellipse": lambda c: turning(c.MajorRadius(), c.MinorRadius()),
    "Hyperbola": lambda c: _hyperbolic(c.MajorRadius(), c.MinorRadius()),
    "Parabola": lambda c: _parabolic(c.Focal()),
}


def line(origin: np.ndarray, direction: np.ndarray) -> CurveJet:
    def jet(t: np.ndarray, order: int) -> Jet:
        values = [origin + t[:, None] * direction, direction[None], np.zeros((1, len(origin)))]
        return {(k, 0): values[min(k, 2)] for k in range(order + 1)}

    return jet


def conic(origin: np.ndarray, x: np.ndarray, y: np.ndarray, functions: Functions) -> CurveJet:
    def jet(t: np.ndarray, order: int) -> Jet:
        out: Jet = {}
        for k in range(order + 1):
            along_x, along_y = functions(t, k)
            out[k, 0] = along_x[:, None] * x + along_y[:, None] * y
        out[0, 0] = out[0, 0] + origin
        return out

    return jet


def _offset(curve: Any, dimension: int) -> CurveJet:
    """C + d N, with N the tangent turned right by 90 degrees in the plane, or tangent x direction in space.

    Not the kernel's D2 and D3, which are not the derivatives of its own D1; it answers only where N is undefined.
    """
    basis, distance, kernel = inner_curve_jet(curve.BasisCurve()), curve.Offset(), _by_point(curve, dimension)
    across = np.array(curve.Direction().Coord()) if dimension == 3 else None

    def jet(t: np.ndarray, order: int) -> Jet:
        base = basis(t, order + 1)
        tangent = {(k, 0): base[k + 1, 0] for k in range(order + 1)}
        if across is None:
            side = {key: value[:, ::-1] * (1.0, -1.0) for key, value in tangent.items()}
        else:
            side = times(tangent, {(0, 0): across} | {(k, 0): 0 * across for k in range(1, order + 1)}, cross)
        size = np.broadcast_to(np.linalg.norm(side[0, 0], axis=1), t.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = normalised(side)
        return patched(
            {key: base[key] + distance * unit[key] for key in unit},
            size <= 1e-8 * max(float(size.max(initial=0.0)), 1e-300),
            lambda odd: kernel(t[odd], order),
        )

    return jet


def patched(jet: Jet, odd: np.ndarray, kernel: Callable[[np.ndarray], Jet]) -> Jet:
    """The jet with the samples where `odd` is True replaced by the kernel's."""
    if not odd.any():
        return jet
    out = {key: np.broadcast_to(value, (*odd.shape, value.shape[-1])).copy() for key, value in jet.items()}
    for key, value in kernel(odd).items():
        out[key][odd] = value
    return out


def _by_point(curve: Any, dimension: int) -> CurveJet:
    """The kernel's own derivatives, a point at a time, for whatever has no form here."""
    point, vector = (gp_Pnt2d, gp_Vec2d) if dimension == 2 else (gp_Pnt, gp_Vec)

    def jet(t: np.ndarray, order: int) -> Jet:
        known = min(order, 2)
        p, vectors = point(), [vector() for _ in range(known)]
        derive = (curve.D0, curve.D1, curve.D2)[known]
        rows = np.empty((len(t), order + 1, dimension))
        for row, value in zip(rows, t.tolist(), strict=True):
            derive(value, p, *vectors)
            further = [curve.DN(value, k) for k in range(known + 1, order + 1)]
            row[:] = [p.Coord(), *(v.Coord() for v in vectors + further)]
        return {(k, 0): rows[:, k] for k in range(order + 1)}

    return jet
