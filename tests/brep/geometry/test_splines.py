"""Batched evaluation against the kernel's own, point by point."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from OCP.BRep import BRep_Tool
from OCP.Geom import (
    Geom_BSplineSurface,
    Geom_Circle,
    Geom_CylindricalSurface,
    Geom_OffsetSurface,
    Geom_SphericalSurface,
    Geom_ToroidalSurface,
)
from OCP.gp import (
    gp_Ax2,
    gp_Ax3,
    gp_Dir,
    gp_Pnt,
    gp_Pnt2d,
    gp_Vec,
    gp_Vec2d,
)
from OCP.TopAbs import TopAbs_FACE
from OCP.TopExp import TopExp_Explorer
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS
from scipy.interpolate import BSpline

from brep_mae.brep.geometry.free_surfaces import FreeSurfaces
from brep_mae.brep.geometry.freeform_curves import FreeCurves, curve_jet
from brep_mae.brep.geometry.jets import principal_curvatures
from brep_mae.brep.geometry.swept import surface_jet
from brep_mae.brep.geometry.untrimmed import untrimmed
from brep_mae.brep.read.step import read_solids
from tests.brep.geometry.kernel_shapes import (
    AX2,
    CURVES,
    HIGH,
    LINEAR,
    OPEN,
    PLAIN,
    REPEATED,
    SURFACES,
    Axis,
    bspline,
    bspline_curve,
    extruded,
)
from tests.conftest import SHARED

SAMPLES = SHARED / "step_samples"


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
