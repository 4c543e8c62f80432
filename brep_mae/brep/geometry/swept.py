"""Any surface of the kernel as a function of many (u, v) at once.

Extrusions and revolutions sweep a curve, elementary surfaces are revolutions of a line or a circle (or, for a plane,
the extrusion of a line), offsets follow the normal of their basis; so curves, splines and Leibniz' rule make all.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from OCP.Geom import Geom_Surface
from OCP.gp import gp_Pnt, gp_Vec

from brep_mae.brep.geometry.freeform_curves import CurveJet, conic, inner_curve_jet, line, patched, turning
from brep_mae.brep.geometry.jets import Jet, filled, normalised, surface_orders, times
from brep_mae.brep.geometry.poles import SPLINE_SURFACES, read_surfaces
from brep_mae.brep.geometry.spline_surfaces import SplineSurfaces
from brep_mae.brep.geometry.untrimmed import untrimmed
from brep_mae.brep.vectors import cross

SurfaceJet = Callable[[np.ndarray, np.ndarray, int], Jet]
"""u, v and an order -> jet. u and v are both (N,), or (U, 1) and (1, V) for a grid; the entries broadcast to
(N, 3) or (U, V, 3)."""


class SurfaceEvaluation:
    """A surface as a function, unplaced.

    Parameters lie inside the domain (anywhere, where periodic). `order` is that of the highest derivatives; the values
    come as points, Du, Dv, Duu, Duv, Dvv, ... up to it, float64. At a knot where a
    derivative jumps it is that of the span that follows, at the end of the domain that of the last.
    """

    def __init__(self, jet: SurfaceJet) -> None:
        self._jet = jet

    def __call__(self, uv: np.ndarray, order: int = 1) -> tuple[np.ndarray, ...]:
        """Scattered samples. Shapes: (N, 2) -> (N, 3) each"""
        return filled(self._jet(uv[:, 0], uv[:, 1], order), (len(uv), 3))

    def grid(self, u: np.ndarray, v: np.ndarray, order: int = 1) -> tuple[np.ndarray, ...]:
        """All pairs of u and v; several times faster than the same pairs as scattered samples.

        Shapes: (U,), (V,) -> (U, V, 3) each
        """
        return filled(self._jet(u[:, None], v[None], order), (len(u), len(v), 3))


def surface_jet(surface: Geom_Surface) -> SurfaceEvaluation:
    return SurfaceEvaluation(inner_surface_jet(surface))


def inner_surface_jet(surface: Any) -> SurfaceJet:
    """The same as a jet, for other surfaces to build on."""
    surface = untrimmed(surface)
    if isinstance(surface, SPLINE_SURFACES):
        return _spline(surface)
    kind = type(surface).__name__.split("_", 1)[1]
    if kind == "SurfaceOfLinearExtrusion":
        return _extrusion(inner_curve_jet(surface.BasisCurve()), np.array(surface.Direction().Coord()))
    if kind == "SurfaceOfRevolution":
        axis = surface.Axis()
        location, direction = np.array(axis.Location().Coord()), np.array(axis.Direction().Coord())
        return _revolution(inner_curve_jet(surface.BasisCurve()), location, direction)
    if kind == "OffsetSurface":
        return _offset(surface)
    if kind in ("Plane", "CylindricalSurface", "ConicalSurface", "SphericalSurface", "ToroidalSurface"):
        return _elementary(surface, kind)
    return _by_point(surface)


def _spline(surface: Any) -> SurfaceJet:
    spline = SplineSurfaces(read_surfaces([surface]))

    def jet(u: np.ndarray, v: np.ndarray, order: int) -> Jet:
        if u.ndim == 2:  # a grid
            found = spline.evaluate(np.zeros(1, np.int64), u.T, v, order)
            return {key: value[0] for key, value in found.items()}
        found = spline.evaluate(np.zeros(len(u), np.int64), u[:, None], v[:, None], order)
        return {key: value[:, 0, 0] for key, value in found.items()}

    return jet


def _of(curve: CurveJet, t: np.ndarray, order: int) -> list[np.ndarray]:
    """Derivatives of a curve at parameters of any shape, (..., 3) each."""
    jet = curve(t.reshape(-1), order)
    return [x.reshape((*t.shape, 3)) if len(x) == t.size else x for x in jet.values()]


def _extrusion(curve: CurveJet, direction: np.ndarray) -> SurfaceJet:
    return lambda u, v, order: extruded(_of(curve, u, order), v, direction, order)


def extruded(along: list[np.ndarray], v: np.ndarray, direction: np.ndarray, order: int) -> Jet:
    """Jet of curve(u) + v direction.

    Args:
        along: the curve's point and derivatives.
    """
    zero = np.zeros(3)
    out: Jet = {(i, j): along[i] if j == 0 else zero for i, j in surface_orders(order)}
    out[0, 0] = along[0] + v[..., None] * direction
    if order:
        out[0, 1] = direction
    return out


def _revolution(curve: CurveJet, location: np.ndarray, axis: np.ndarray) -> SurfaceJet:
    return lambda u, v, order: revolved(u, _of(curve, v, order), location, axis, order)


def revolved(u: np.ndarray, profile: list[np.ndarray], location: np.ndarray, axis: np.ndarray, order: int) -> Jet:
    """Jet of curve(v) turned by the angle u about the unit axis.

    Args:
        profile: the curve's point and derivatives.
    """
    profile = [profile[0] - location, *profile[1:]]
    heights = [(x * axis).sum(axis=-1, keepdims=True) * axis for x in profile]
    spokes = [x - height for x, height in zip(profile, heights, strict=True)]
    turned = [cross(axis, spoke) for spoke in spokes]
    rotation = turning(1.0, 1.0)
    out: Jet = {}
    for i, j in surface_orders(order):
        cos, sin = (x[..., None] for x in rotation(u, i))
        out[i, j] = cos * spokes[j] + sin * turned[j]
        if i == 0:
            out[i, j] = out[i, j] + heights[j]
    out[0, 0] = out[0, 0] + location
    return out


def _elementary(surface: Any, kind: str) -> SurfaceJet:
    position = surface.Position()
    axes = (position.Location(), position.XDirection(), position.YDirection(), position.Direction())
    origin, x, y, z = (np.array(axis.Coord()) for axis in axes)
    if kind == "Plane":
        return _extrusion(line(origin, x), y)
    if kind == "CylindricalSurface":
        profile = line(origin + surface.Radius() * x, z)
    elif kind == "ConicalSurface":
        angle = surface.SemiAngle()
        profile = line(origin + surface.RefRadius() * x, np.sin(angle) * x + np.cos(angle) * z)
    elif kind == "SphericalSurface":
        profile = conic(origin, x, z, turning(surface.Radius(), surface.Radius()))
    else:
        minor = surface.MinorRadius()
        profile = conic(origin + surface.MajorRadius() * x, x, z, turning(minor, minor))
    # from x to y, which is against z where the axes are left-handed
    return _revolution(profile, origin, np.cross(x, y))


def _offset(surface: Any) -> SurfaceJet:
    """S + d N, with N along Su x Sv; the kernel itself answers where that vanishes."""
    basis, distance, kernel = inner_surface_jet(surface.BasisSurface()), surface.Offset(), _by_point(surface)

    def jet(u: np.ndarray, v: np.ndarray, order: int) -> Jet:
        base = basis(u, v, order + 1)
        keys = surface_orders(order)
        across = times({(i, j): base[i + 1, j] for i, j in keys}, {(i, j): base[i, j + 1] for i, j in keys}, cross)
        shape = np.broadcast_shapes(u.shape, v.shape)
        sides = np.linalg.norm(base[1, 0], axis=-1) * np.linalg.norm(base[0, 1], axis=-1)
        size = np.broadcast_to(np.linalg.norm(across[0, 0], axis=-1), shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = normalised(across)
        return patched(
            {key: base[key] + distance * unit[key] for key in keys},
            size <= 1e-8 * max(float(sides.max(initial=0.0)), 1e-300),
            lambda odd: kernel(np.broadcast_to(u, shape)[odd], np.broadcast_to(v, shape)[odd], order),
        )

    return jet


def _by_point(surface: Any) -> SurfaceJet:
    """The kernel's own derivatives, a point at a time, for whatever has no form here."""

    def jet(u: np.ndarray, v: np.ndarray, order: int) -> Jet:
        u, v = np.broadcast_arrays(u, v)
        keys, known = surface_orders(order), min(order, 2)
        p, vectors = gp_Pnt(), {key: gp_Vec() for key in surface_orders(known)[1:]}
        derive = (surface.D0, surface.D1, surface.D2)[known]
        # the kernel wants Duu, Dvv, Duv
        arguments = [vectors[key] for key in ((1, 0), (0, 1), (2, 0), (0, 2), (1, 1)) if key in vectors]
        rows = np.empty((u.size, len(keys), 3))
        for row, a, b in zip(rows, u.reshape(-1).tolist(), v.reshape(-1).tolist(), strict=True):
            derive(a, b, p, *arguments)
            further = [surface.DN(a, b, *key) for key in keys[len(vectors) + 1 :]]
            row[:] = [p.Coord(), *(x.Coord() for x in (*vectors.values(), *further))]
        return {key: rows[:, k].reshape(*u.shape, 3) for k, key in enumerate(keys)}

    return jet
