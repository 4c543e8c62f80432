"""Batched evaluation against the kernel's own, point by point."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from OCP.BRep import BRep_Tool
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
    gp_Vec,
    gp_Vec2d,
)
from OCP.TColgp import TColgp_Array1OfPnt, TColgp_Array1OfPnt2d, TColgp_Array2OfPnt
from OCP.TColStd import TColStd_Array1OfInteger, TColStd_Array1OfReal, TColStd_Array2OfReal
from OCP.TopAbs import TopAbs_FACE
from OCP.TopExp import TopExp_Explorer
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS
from scipy.interpolate import BSpline

from brep_mae.brep.free_surfaces import FreeSurfaces
from brep_mae.brep.freeform_curves import FreeCurves, curve_jet
from brep_mae.brep.jets import principal_curvatures
from brep_mae.brep.step import read_solids
from brep_mae.brep.swept import surface_jet, untrimmed

SAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "step_samples"
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


def parameters(first: float, last: float, periodic: bool, knots: list[float], count: int) -> np.ndarray:
    """Random ones, every knot, both ends, and beyond them where it is periodic; -2 to 2 where it is endless."""
    rng = np.random.default_rng(6)
    first, last = max(first, -2.0), min(last, 2.0) if last > 1e50 else last
    inner = [knot for knot in knots if first <= knot <= last]
    beyond = [first - 0.3 * (last - first), last + 1.7 * (last - first)] if periodic else []
    return np.array([*rng.uniform(first, last, count), *inner, first, last, *beyond])


def curve_parameters(curve: Any, count: int = 20) -> np.ndarray:
    knots = [curve.Knot(i + 1) for i in range(curve.NbKnots())] if "BSpline" in type(curve).__name__ else []
    return parameters(curve.FirstParameter(), curve.LastParameter(), curve.IsPeriodic(), knots, count)


def surface_parameters(surface: Any, count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    low_u, high_u, low_v, high_v = surface.Bounds()
    knots: tuple[list[float], list[float]] = ([], [])
    if isinstance(surface, Geom_BSplineSurface):
        knots = (
            [surface.UKnot(i + 1) for i in range(surface.NbUKnots())],
            [surface.VKnot(i + 1) for i in range(surface.NbVKnots())],
        )
    u = parameters(low_u, high_u, surface.IsUPeriodic(), knots[0], count)
    return u, parameters(low_v, high_v, surface.IsVPeriodic(), knots[1], count)


def kernel_values(surface: Any, uv: np.ndarray) -> np.ndarray:
    """Points, Du, Dv, Duu, Duv, Dvv. Shapes: (N, 2) -> (6, N, 3)"""
    p, du, dv, duu, dvv, duv = gp_Pnt(), gp_Vec(), gp_Vec(), gp_Vec(), gp_Vec(), gp_Vec()
    rows = []
    for u, v in uv.tolist():
        surface.D2(u, v, p, du, dv, duu, dvv, duv)
        rows.append([x.Coord() for x in (p, du, dv, duu, duv, dvv)])
    return np.array(rows).transpose(1, 0, 2)


def unit_normals(du: np.ndarray, dv: np.ndarray) -> np.ndarray:
    normals = np.cross(du, dv)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def agree(values: tuple[np.ndarray, ...], expected: np.ndarray) -> None:
    """Points within 1e-9 of the diagonal, normals within 1e-7, derivatives within 1e-9 of the longest of their kind."""
    for value, want in zip(values, expected, strict=True):
        assert value.dtype == np.float64 and value.shape == want.shape
    extent = np.linalg.norm(np.ptp(expected[0].reshape(-1, 3), axis=0))
    assert np.abs(values[0] - expected[0]).max() < 1e-9 * extent
    assert np.abs(unit_normals(*values[1:3]) - unit_normals(*expected[1:3])).max() < 1e-7
    for value, want in zip(values[1:], expected[1:], strict=True):
        longest = np.linalg.norm(want, axis=-1).max()
        assert np.abs(value - want).max() <= 1e-9 * max(longest, extent)


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_agree_with_the_kernel(name: str) -> None:
    surface = SURFACES[name]()
    u, v = surface_parameters(surface)
    uv = np.stack(np.meshgrid(u, v, indexing="ij"), axis=-1)
    if name == "sphere":
        uv, u, v = uv[:, :-2], u, v[:-2]  # no normals at the poles
    expected = kernel_values(surface, uv.reshape(-1, 2))
    evaluate = surface_jet(surface)
    agree(evaluate(uv.reshape(-1, 2), 2), expected)
    agree(evaluate.grid(u, v, 2), expected.reshape(6, *uv.shape[:2], 3))
    agree(evaluate(uv.reshape(-1, 2)), expected[:3])
    agree(evaluate.grid(u, v), expected[:3].reshape(3, *uv.shape[:2], 3))


@pytest.mark.parametrize("name", CURVES)
def test_curves_agree_with_the_kernel(name: str) -> None:
    curve = CURVES[name]()
    flat = type(curve).__name__.startswith("Geom2d")
    t = curve_parameters(curve)
    p, d1, d2, d3 = (
        (gp_Pnt2d(), gp_Vec2d(), gp_Vec2d(), gp_Vec2d()) if flat else (gp_Pnt(), gp_Vec(), gp_Vec(), gp_Vec())
    )
    rows = []
    for value in t.tolist():
        curve.D3(value, p, d1, d2, d3)
        rows.append([x.Coord() for x in (p, d1, d2, d3)])
    expected = np.array(rows).transpose(1, 0, 2)
    extent = np.linalg.norm(np.ptp(expected[0], axis=0))
    for order in (0, 1, 2, 3):
        values = curve_jet(curve)(t, order)
        assert len(values) == order + 1
        if "Offset" in type(curve).__name__:
            values = values[:2]  # the kernel's further derivatives are not those of its first
        for k, (value, want) in enumerate(zip(values, expected, strict=False)):
            longest = np.linalg.norm(want, axis=1).max()
            assert value.shape == want.shape
            assert np.abs(value - want).max() <= (1e-9 * extent if k == 0 else 1e-9 * max(longest, extent))


@pytest.mark.parametrize("flat", [False, True])
def test_many_curves_in_one_call_are_what_each_is_alone(flat: bool) -> None:
    """In any order, the same curve twice, and a part of them moved."""
    curves = [make() for name, make in CURVES.items() if name.startswith("flat") == flat]
    curves.append(curves[5])
    together, rng = FreeCurves(curves, 2 if flat else 3), np.random.default_rng(10)
    t = [curve_parameters(curve, 5) for curve in curves]
    owner = np.repeat(np.arange(len(curves)), [len(x) for x in t])
    order = rng.permutation(len(owner))
    matrix, offset = rng.normal(size=(2, len(curves), 3, 3))[..., : 3 - flat, : 3 - flat]
    moved = np.arange(1, len(curves), 2)
    together.place(moved, matrix[moved], offset[moved, 0])
    found = together.evaluate(owner[order], np.concatenate(t)[order], 2)
    for i, curve in enumerate(curves):
        for k, value in enumerate(curve_jet(curve)(t[i], 2)):
            want = value if i % 2 == 0 else value @ matrix[i].T + (offset[i, 0] if k == 0 else 0.0)
            got = np.empty((len(owner), value.shape[1]))
            got[order] = found[k, 0]
            assert np.abs(got[owner == i] - want).max() <= 1e-9 * max(1.0, float(np.abs(want).max()))


@pytest.mark.parametrize("count", [1, 7])
def test_many_surfaces_in_one_call_are_what_each_is_alone(count: int) -> None:
    """Grids, and scattered points as grids of one; in any order, the same surface more than once."""
    surfaces, rng = [make() for make in SURFACES.values()], np.random.default_rng(11)
    row = rng.permutation(np.repeat(np.arange(len(surfaces)), 2))
    low, high = np.clip(np.array([surface.Bounds() for surface in surfaces]).reshape(-1, 2, 2), -2, 9).transpose(
        2, 0, 1
    )
    uv = rng.uniform(low[row, None], high[row, None], (len(row), count, 2))
    found = FreeSurfaces([untrimmed(surface) for surface in surfaces]).evaluate(row, uv[..., 0], uv[..., 1], 2)
    for place, i in enumerate(row.tolist()):
        alone = surface_jet(surfaces[i]).grid(uv[place, :, 0], uv[place, :, 1], 2)
        for got, want in zip(found.values(), alone, strict=True):
            assert np.abs(got[place] - want).max() <= 1e-9 * max(1.0, float(np.abs(want).max()))


@pytest.mark.parametrize("axis", [PLAIN, REPEATED, HIGH, LINEAR, OPEN])
def test_splines_agree_with_scipy(axis: Axis) -> None:
    curve = bspline_curve(axis, False)
    degree, knots, counts, _ = axis
    poles = np.array([curve.Pole(i + 1).Coord() for i in range(curve.NbPoles())])
    reference = BSpline(np.repeat(knots, counts).astype(float), poles, degree)
    t = curve_parameters(curve)
    for k, value in enumerate(curve_jet(curve)(t, 4)):
        want = reference(t, k)
        assert np.abs(value - want).max() <= 1e-9 * max(1.0, float(np.abs(want).max()))


@pytest.mark.parametrize("name", ["offset", "flat offset"])
def test_derivatives_of_offset_curves_are_those_of_each_other(name: str) -> None:
    evaluate, t, step = curve_jet(CURVES[name]()), np.array([0.31, 1.2, 2.7, 3.4]), 1e-5
    values, after, before = evaluate(t, 3), evaluate(t + step, 3), evaluate(t - step, 3)
    for k in (1, 2, 3):
        assert np.allclose((after[k - 1] - before[k - 1]) / (2 * step), values[k], rtol=1e-6, atol=1e-4)


def test_derivatives_at_a_kink_are_those_of_the_span_that_follows() -> None:
    u, v = np.array([0.0, 1.0, 3.0]), np.array([0.5])
    surface = bspline(LINEAR, HIGH)
    du = surface_jet(surface).grid(u, v)[1][:, 0]
    after = surface_jet(surface).grid(u + np.array([1e-6, 1e-6, -1e-6]), v)[1][:, 0]
    before = surface_jet(surface).grid(u[1:2] - 1e-6, v)[1][:, 0]
    assert np.abs(du - after).max() < 1e-9 < np.abs(du[1] - before[0]).max()


def test_an_offset_at_a_pole_is_what_the_kernel_says() -> None:
    surface = bspline(PLAIN, PLAIN)
    for j in range(1, surface.NbVPoles() + 1):
        surface.SetPole(1, j, gp_Pnt(-3, 3, 1))
    offset = Geom_OffsetSurface(surface, 0.2)
    uv = np.array([[0.0, 0.5], [0.0, 3.3], [1.2, 0.5]])
    p, du, dv = gp_Pnt(), gp_Vec(), gp_Vec()
    expected = []
    for u, v in uv.tolist():
        offset.D1(u, v, p, du, dv)
        expected.append([p.Coord(), du.Coord(), dv.Coord()])
    got = np.stack(surface_jet(offset)(uv), axis=1)
    assert np.abs(got - np.array(expected)).max() < 1e-9


@pytest.mark.parametrize("name", ["linkrods.step", "as1-oc-214.stp"])
def test_surfaces_of_real_faces_agree_with_the_kernel(name: str) -> None:
    if not SAMPLES.is_dir():
        pytest.skip("needs ../shared/data/step_samples beside the checkout")
    kinds = {}
    for solid in read_solids(SAMPLES / name):
        explorer = TopExp_Explorer(solid.shape, TopAbs_FACE)
        while explorer.More():
            surface = BRep_Tool.Surface_s(TopoDS.Face_s(explorer.Current()), TopLoc_Location())
            explorer.Next()
            low_u, high_u, low_v, high_v = np.clip(surface.Bounds(), -50, 50)
            uv = np.random.default_rng(7).uniform([low_u, low_v], [high_u, high_v], (10, 2))
            agree(surface_jet(surface)(uv, 2), kernel_values(surface, uv))
            kinds[type(surface).__name__] = kinds.get(type(surface).__name__, 0) + 1
    assert kinds["Geom_BSplineSurface"] >= 1, kinds


CURVED: dict[str, tuple[Callable[[], Any], Callable[[np.ndarray], tuple[Any, Any]]]] = {
    "sphere": (lambda: Geom_SphericalSurface(gp_Ax3(AX2), 4.0), lambda v: (0.25, 0.25)),
    "cylinder": (lambda: Geom_CylindricalSurface(gp_Ax3(AX2), 4.0), lambda v: (0.25, 0.0)),
    "torus": (lambda: Geom_ToroidalSurface(gp_Ax3(AX2), 4.0, 1.0), lambda v: (1.0, np.cos(v) / (4 + np.cos(v)))),
    "skewed cylinder": (lambda: extruded(Geom_Circle(gp_Ax2(gp_Pnt(), gp_Dir(1, 2, -3)), 4.0)), lambda v: (0.25, 0.0)),
}


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("outward", [1.0, -1.0])
def test_principal_curvatures_have_the_known_values(name: str, outward: float) -> None:
    make, known = CURVED[name]
    uv = np.random.default_rng(8).uniform([0, -1.5], [6, 1.5], (50, 2))
    _, du, dv, duu, duv, dvv = surface_jet(make())(uv, 2)
    got = principal_curvatures(du, dv, duu, duv, dvv, outward * unit_normals(du, dv))
    want = outward * np.stack([np.broadcast_to(k, len(uv)) for k in known(uv[:, 1])], axis=1)
    assert np.abs(got - np.sort(want, axis=1)[:, ::-1]).max() < 1e-12


def test_principal_curvatures_do_not_depend_on_the_parameters() -> None:
    surface = bspline(PLAIN, HIGH, True)
    uv = np.random.default_rng(9).uniform([0, 0], [4, 1], (20, 2))
    _, du, dv, duu, duv, dvv = surface_jet(surface)(uv, 2)
    normal = unit_normals(du, dv)
    first = principal_curvatures(du, dv, duu, duv, dvv, normal)
    # the same surface over (s, t) with u = s + t, v = s / 2 - t
    other = principal_curvatures(
        du + dv / 2, du - dv, duu + duv + dvv / 4, duu - duv / 2 - dvv / 2, duu - 2 * duv + dvv, normal
    )
    assert np.allclose(first, other, rtol=1e-9, atol=1e-9)
    assert (first[:, 0] >= first[:, 1]).all()


def test_curvature_is_zero_at_poles_and_without_a_normal() -> None:
    uv = np.array([[1.0, np.pi / 2], [1.0, 0.3], [2.0, 0.4]])
    _, du, dv, duu, duv, dvv = surface_jet(Geom_SphericalSurface(gp_Ax3(AX2), 2.0))(uv, 2)
    normal = unit_normals(du, dv)
    normal[2] = 0
    assert np.allclose(principal_curvatures(du, dv, duu, duv, dvv, normal), [[0, 0], [0.5, 0.5], [0, 0]])
