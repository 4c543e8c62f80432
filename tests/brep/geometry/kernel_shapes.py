"""Curves and surfaces of every kind that the kernel knows, by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
from OCP.Geom import (
    Geom_BezierCurve,
    Geom_BezierSurface,
    Geom_BSplineCurve,
    Geom_BSplineSurface,
    Geom_Circle,
    Geom_ConicalSurface,
    Geom_CylindricalSurface,
    Geom_Ellipse,
    Geom_Hyperbola,
    Geom_Line,
    Geom_OffsetCurve,
    Geom_OffsetSurface,
    Geom_Parabola,
    Geom_Plane,
    Geom_RectangularTrimmedSurface,
    Geom_SphericalSurface,
    Geom_SurfaceOfLinearExtrusion,
    Geom_SurfaceOfRevolution,
    Geom_ToroidalSurface,
    Geom_TrimmedCurve,
)
from OCP.Geom2d import (
    Geom2d_BezierCurve,
    Geom2d_BSplineCurve,
    Geom2d_Circle,
    Geom2d_Ellipse,
    Geom2d_Hyperbola,
    Geom2d_Line,
    Geom2d_OffsetCurve,
    Geom2d_Parabola,
)
from OCP.gp import (
    gp_Ax1,
    gp_Ax2,
    gp_Ax3,
    gp_Ax22d,
    gp_Dir,
    gp_Dir2d,
    gp_Pnt,
    gp_Pnt2d,
)
from OCP.TColgp import TColgp_Array1OfPnt, TColgp_Array1OfPnt2d, TColgp_Array2OfPnt
from OCP.TColStd import TColStd_Array1OfInteger, TColStd_Array1OfReal, TColStd_Array2OfReal

AX2 = gp_Ax2(gp_Pnt(1, 2, 3), gp_Dir(1, 2, 2), gp_Dir(2, -2, 1))
LEFT = gp_Ax3(gp_Pnt(1, -2, 0.5), gp_Dir(1, 2, 2), gp_Dir(2, -2, 1))
LEFT.YReverse()
AX1 = gp_Ax1(gp_Pnt(-4, 1, 0), gp_Dir(1, 3, -1))
FLAT = gp_Ax22d(gp_Pnt2d(1, 2), gp_Dir2d(3, 4), False)

Axis = tuple[int, list[float], list[int], bool]
"""degree, knots, multiplicities, whether periodic"""
PLAIN: Axis = (3, [0, 1, 2.5, 3, 4], [4, 1, 1, 1, 4], False)
REPEATED: Axis = (3, [-1, 0, 0.2, 1, 2], [4, 2, 3, 1, 4], False)
HIGH: Axis = (8, [0, 0.5, 1], [9, 3, 9], False)
LINEAR: Axis = (1, [0, 1, 3], [2, 1, 2], False)
OPEN: Axis = (2, [0, 1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1, 1], False)
ROUND: Axis = (3, [1, 2, 3, 4.5, 5, 6, 7], [1, 1, 1, 1, 1, 1, 1], True)
ROUND_REPEATED: Axis = (3, [0, 1, 2, 3], [3, 1, 2, 3], True)
ROUND_SHORT: Axis = (5, [0, 1, 3], [4, 3, 4], True)


def reals(values: list[float]) -> TColStd_Array1OfReal:
    array = TColStd_Array1OfReal(1, len(values))
    for i, value in enumerate(values):
        array.SetValue(i + 1, float(value))
    return array


def integers(values: list[int]) -> TColStd_Array1OfInteger:
    array = TColStd_Array1OfInteger(1, len(values))
    for i, value in enumerate(values):
        array.SetValue(i + 1, value)
    return array


def pole_count(axis: Axis) -> int:
    degree, _, counts, periodic = axis
    return sum(counts[:-1]) if periodic else sum(counts) - degree - 1


def points(rng: np.random.Generator, count: int, dimension: int) -> Any:
    """Poles along a bent line, so that curves do not stand still."""
    place = np.linspace(0, 5, count)[:, None] * np.array([1, 0.3, -0.4])[:dimension]
    poles = TColgp_Array1OfPnt(1, count) if dimension == 3 else TColgp_Array1OfPnt2d(1, count)
    for i, row in enumerate(place + rng.normal(size=(count, dimension)) * 0.7):
        poles.SetValue(i + 1, (gp_Pnt if dimension == 3 else gp_Pnt2d)(*row))
    return poles


def net(rng: np.random.Generator, rows: int, columns: int) -> TColgp_Array2OfPnt:
    poles = TColgp_Array2OfPnt(1, rows, 1, columns)
    for i in range(rows):
        for j in range(columns):
            x, y, z = np.array([5 * i / rows, 7 * j / columns, 0]) + rng.normal(size=3) * 0.4
            poles.SetValue(i + 1, j + 1, gp_Pnt(x, y, z))
    return poles


def weights(rng: np.random.Generator, rows: int, columns: int) -> TColStd_Array2OfReal:
    array = TColStd_Array2OfReal(1, rows, 1, columns)
    for i in range(rows):
        for j in range(columns):
            array.SetValue(i + 1, j + 1, rng.uniform(0.4, 2.5))
    return array


def bspline_curve(axis: Axis, rational: bool, dimension: int = 3) -> Any:
    rng = np.random.default_rng(3)
    degree, knots, counts, periodic = axis
    count = pole_count(axis)
    kind = Geom_BSplineCurve if dimension == 3 else Geom2d_BSplineCurve
    rest = (reals(knots), integers(counts), degree, periodic)
    if not rational:
        return kind(points(rng, count, dimension), *rest)
    return kind(points(rng, count, dimension), reals(rng.uniform(0.4, 2.5, count).tolist()), *rest)


def bspline(u: Axis, v: Axis, rational: bool = False) -> Geom_BSplineSurface:
    rng = np.random.default_rng(4)
    rows, columns = pole_count(u), pole_count(v)
    rest = (reals(u[1]), reals(v[1]), integers(u[2]), integers(v[2]), u[0], v[0], u[3], v[3])
    if not rational:
        return Geom_BSplineSurface(net(rng, rows, columns), *rest)
    return Geom_BSplineSurface(net(rng, rows, columns), weights(rng, rows, columns), *rest)


def changed(surface: Any, *calls: str) -> Any:
    for call in calls:
        getattr(surface, call)()
    return surface


def bezier(rows: int, columns: int, rational: bool) -> Geom_BezierSurface:
    rng = np.random.default_rng(5)
    poles = net(rng, rows, columns)
    return Geom_BezierSurface(poles, weights(rng, rows, columns)) if rational else Geom_BezierSurface(poles)


def closed_in_u() -> Geom_BSplineSurface:
    """Clamped, with equal first and last rows of poles, as SetUPeriodic wants it."""
    surface = bspline(PLAIN, REPEATED, True)
    for j in range(1, surface.NbVPoles() + 1):
        surface.SetPole(surface.NbUPoles(), j, surface.Pole(1, j))
        surface.SetWeight(surface.NbUPoles(), j, surface.Weight(1, j))
    return surface


def extruded(curve: Any) -> Geom_SurfaceOfLinearExtrusion:
    return Geom_SurfaceOfLinearExtrusion(curve, gp_Dir(1, 2, -3))


def revolved(curve: Any) -> Geom_SurfaceOfRevolution:
    return Geom_SurfaceOfRevolution(curve, AX1)


CURVES: dict[str, Callable[[], Any]] = {
    "line": lambda: Geom_Line(gp_Pnt(1, 2, 3), gp_Dir(1, 2, 2)),
    "circle": lambda: Geom_Circle(AX2, 2.5),
    "ellipse": lambda: Geom_Ellipse(AX2, 2.5, 0.75),
    "hyperbola": lambda: Geom_Hyperbola(AX2, 2.5, 0.75),
    "parabola": lambda: Geom_Parabola(AX2, 0.75),
    "bezier": lambda: Geom_BezierCurve(points(np.random.default_rng(1), 5, 3)),
    "bezier rational": lambda: Geom_BezierCurve(points(np.random.default_rng(1), 5, 3), reals([1, 2, 0.5, 1, 3])),
    "bezier of degree 12": lambda: Geom_BezierCurve(points(np.random.default_rng(1), 13, 3)),
    "bspline": lambda: bspline_curve(PLAIN, False),
    "bspline repeated": lambda: bspline_curve(REPEATED, True),
    "bspline of degree 8": lambda: bspline_curve(HIGH, True),
    "bspline unclamped": lambda: bspline_curve(OPEN, False),
    "bspline periodic": lambda: bspline_curve(ROUND, True),
    "bspline periodic repeated": lambda: bspline_curve(ROUND_REPEATED, False),
    "bspline periodic short": lambda: bspline_curve(ROUND_SHORT, False),
    "bspline reversed": lambda: changed(bspline_curve(REPEATED, True), "Reverse"),
    "trimmed across the seam": lambda: Geom_TrimmedCurve(bspline_curve(ROUND, False), 5.5, 9.0, True),
    "trimmed backwards": lambda: Geom_TrimmedCurve(bspline_curve(PLAIN, False), 3.5, 1.0, False),
    "offset": lambda: Geom_OffsetCurve(bspline_curve(PLAIN, True), 0.3, gp_Dir(0, 0, 1)),
    "offset of a line": lambda: Geom_OffsetCurve(Geom_Line(gp_Pnt(1, 2, 3), gp_Dir(1, 2, 2)), 0.3, gp_Dir(0, 0, 1)),
    "flat line": lambda: Geom2d_Line(gp_Pnt2d(1, 2), gp_Dir2d(3, 4)),
    "flat circle": lambda: Geom2d_Circle(FLAT, 2.0),
    "flat ellipse": lambda: Geom2d_Ellipse(FLAT, 2.0, 1.5),
    "flat hyperbola": lambda: Geom2d_Hyperbola(FLAT, 2.0, 1.5),
    "flat parabola": lambda: Geom2d_Parabola(FLAT, 2.0),
    "flat bezier": lambda: Geom2d_BezierCurve(points(np.random.default_rng(1), 4, 2)),
    "flat bezier rational": lambda: Geom2d_BezierCurve(points(np.random.default_rng(1), 4, 2), reals([1, 2, 0.5, 3])),
    "flat bspline": lambda: bspline_curve(REPEATED, False, 2),
    "flat bspline periodic": lambda: bspline_curve(ROUND_REPEATED, True, 2),
    "flat offset": lambda: Geom2d_OffsetCurve(bspline_curve(PLAIN, True, 2), -0.3),
    "flat offset of a circle": lambda: Geom2d_OffsetCurve(Geom2d_Circle(FLAT, 2.0), -0.3),
}

SURFACES: dict[str, Callable[[], Any]] = {
    "plane": lambda: Geom_Plane(LEFT),
    "cylinder": lambda: Geom_CylindricalSurface(LEFT, 2.0),
    "cone": lambda: Geom_ConicalSurface(LEFT, 0.3, 20.0),
    "sphere": lambda: Geom_SphericalSurface(LEFT, 2.0),
    "torus": lambda: Geom_ToroidalSurface(gp_Ax3(AX2), 3.0, 1.0),
    "bspline": lambda: bspline(PLAIN, PLAIN),
    "bspline repeated": lambda: bspline(REPEATED, PLAIN),
    "bspline rational": lambda: bspline(REPEATED, HIGH, True),
    "bspline of degree 8 and 1": lambda: bspline(HIGH, LINEAR),
    "bspline unclamped": lambda: bspline(OPEN, REPEATED, True),
    "bspline periodic in u": lambda: bspline(ROUND, PLAIN, True),
    "bspline periodic in v": lambda: bspline(REPEATED, ROUND_REPEATED),
    "bspline periodic in both": lambda: bspline(ROUND_SHORT, ROUND, True),
    "bspline made periodic": lambda: changed(closed_in_u(), "SetUPeriodic"),
    "bspline made not periodic": lambda: changed(bspline(ROUND, ROUND), "SetUNotPeriodic"),
    "bspline reversed": lambda: changed(bspline(REPEATED, ROUND, True), "UReverse", "VReverse"),
    "bspline transposed": lambda: changed(bspline(REPEATED, HIGH, True), "ExchangeUV"),
    "bezier": lambda: bezier(4, 6, False),
    "bezier rational": lambda: bezier(9, 3, True),
    "extrusion of a line": lambda: extruded(CURVES["line"]()),
    "extrusion of a circle": lambda: extruded(CURVES["circle"]()),
    "extrusion of an ellipse": lambda: extruded(CURVES["ellipse"]()),
    "extrusion of a bspline": lambda: extruded(CURVES["bspline repeated"]()),
    "extrusion of a trimmed bspline": lambda: extruded(CURVES["trimmed across the seam"]()),
    "revolution of a line": lambda: revolved(CURVES["line"]()),
    "revolution of a circle": lambda: revolved(CURVES["circle"]()),
    "revolution of a bspline": lambda: revolved(CURVES["bspline repeated"]()),
    "revolution of an offset": lambda: revolved(CURVES["offset"]()),
    "revolution reversed": lambda: changed(revolved(CURVES["bspline periodic"]()), "UReverse", "VReverse"),
    "offset of a bspline": lambda: Geom_OffsetSurface(bspline(PLAIN, PLAIN), 0.2),
    "offset of a rational bspline": lambda: Geom_OffsetSurface(bspline(PLAIN, ROUND, True), -0.2),
    "offset of an offset": lambda: Geom_OffsetSurface(Geom_OffsetSurface(bezier(4, 4, True), 0.2), 0.1),
    "offset of a torus": lambda: Geom_OffsetSurface(Geom_ToroidalSurface(LEFT, 3.0, 1.0), 0.2),
    "offset of an extrusion": lambda: Geom_OffsetSurface(extruded(CURVES["bspline"]()), 0.2),
    "offset of a revolution": lambda: Geom_OffsetSurface(revolved(CURVES["bspline"]()), 0.2),
    "trimmed": lambda: Geom_RectangularTrimmedSurface(bspline(PLAIN, ROUND), 0.3, 2.9, 6.0, 8.5),
    "trimmed in v": lambda: Geom_RectangularTrimmedSurface(revolved(CURVES["parabola"]()), -1.0, 2.0, False),
    "offset of an extruded offset": lambda: Geom_OffsetSurface(extruded(CURVES["offset of a line"]()), 0.2),
    "trimmed offset": lambda: Geom_RectangularTrimmedSurface(SURFACES["offset of a bspline"](), 0.5, 1.5, 0.1, 3.2),
}
