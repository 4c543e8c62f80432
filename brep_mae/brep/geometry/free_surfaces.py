"""Many free-form surfaces on grids at once, unplaced and inside their domains."""

from typing import Any

import numpy as np
from OCP.Geom import Geom_SurfaceOfLinearExtrusion, Geom_SurfaceOfRevolution
from OCP.GeomAbs import GeomAbs_CN
from OCP.GeomAdaptor import GeomAdaptor_Surface
from OCP.TColStd import TColStd_Array1OfReal

from brep_mae.brep.geometry.freeform_curves import FreeCurves
from brep_mae.brep.geometry.jets import Jet, surface_orders
from brep_mae.brep.geometry.poles import SPLINE_SURFACES, Spline, read_surfaces
from brep_mae.brep.geometry.spline_surfaces import SplineSurfaces
from brep_mae.brep.geometry.swept import SurfaceJet, extruded, inner_surface_jet, revolved

SPLINE, EXTRUSION, REVOLUTION, OTHER = range(4)


class FreeSurfaces:
    """Splines, extrusions and revolutions in one go, whatever else there is one by one."""

    def __init__(self, surfaces: list[Any]) -> None:
        self._surfaces = surfaces
        self._kind = np.array([_kind(surface) for surface in surfaces], np.int64)
        self._row = np.zeros(len(surfaces), np.int64)
        for kind in range(4):
            chosen = self._kind == kind
            self._row[chosen] = np.arange(chosen.sum())
        of_kind = [[surfaces[i] for i in np.flatnonzero(self._kind == kind).tolist()] for kind in range(4)]
        self._read: list[Spline] = read_surfaces(of_kind[SPLINE])
        self._splines = SplineSurfaces(self._read)
        self._extrusions, self._revolutions = _Extrusions(of_kind[EXTRUSION]), _Revolutions(of_kind[REVOLUTION])
        self._others: list[SurfaceJet] = [inner_surface_jet(surface) for surface in of_kind[OTHER]]

    def evaluate(self, surface: np.ndarray, u: np.ndarray, v: np.ndarray, order: int) -> Jet:
        """All pairs of u and v of each surface. Shapes: (R,), (R, U), (R, V) -> (R, U, V, 3) each"""
        kind, row = self._kind[surface], self._row[surface]
        batches: list[tuple[int, SplineSurfaces | _Extrusions | _Revolutions]] = [
            (SPLINE, self._splines),
            (EXTRUSION, self._extrusions),
            (REVOLUTION, self._revolutions),
        ]
        found: list[tuple[Any, Jet]] = []
        for number, batch in batches:
            chosen = kind == number
            if chosen.all():
                return batch.evaluate(row, u, v, order)
            if chosen.any():
                found.append((chosen, batch.evaluate(row[chosen], u[chosen], v[chosen], order)))
        for number, jet in enumerate(self._others):
            chosen = np.flatnonzero((kind == OTHER) & (row == number))
            if u.shape[1] == v.shape[1] == 1 and len(chosen):
                scattered = jet(u[chosen, 0], v[chosen, 0], order)
                found.append((chosen, {key: np.expand_dims(value, (-3, -2)) for key, value in scattered.items()}))
            else:
                found += [(i, jet(u[i, :, None], v[i, None], order)) for i in chosen]
        out = {key: np.empty((*u.shape, v.shape[1], 3)) for key in surface_orders(order)}
        for chosen, values in found:
            for key, value in values.items():
                out[key][chosen] = value
        return out

    def ruled(self, surface: int) -> bool:
        """True where one parameter runs along straight lines, so that nothing of the surface rises above the ends of
        those lines."""
        kind, row = self._kind[surface], self._row[surface]
        if kind == SPLINE:
            return any(axis.degree == 1 and len(axis.breaks()) == 2 for axis in self._read[row].axes)
        return bool(kind == EXTRUSION)

    def knots(self, surface: int, axis: int) -> np.ndarray:
        """Those of the domain in u (0) or v (1), both ends included; may be empty where there are no spans."""
        row, kind = self._row[surface], self._kind[surface]
        if kind == SPLINE:
            return self._read[row].axes[axis].breaks()
        if kind == EXTRUSION and axis == 0:
            return self._extrusions.curves.knots(int(row))
        if kind == REVOLUTION and axis == 1:
            return self._revolutions.curves.knots(int(row))
        if kind in (EXTRUSION, REVOLUTION):
            return np.empty(0)
        name, adaptor = "UV"[axis], GeomAdaptor_Surface(self._surfaces[surface])
        knots = TColStd_Array1OfReal(1, getattr(adaptor, f"Nb{name}Intervals")(GeomAbs_CN) + 1)
        getattr(adaptor, f"{name}Intervals")(knots, GeomAbs_CN)
        return np.array([knots.Value(i) for i in range(1, knots.Length() + 1)])


class _Extrusions:
    def __init__(self, surfaces: list[Geom_SurfaceOfLinearExtrusion]) -> None:
        self.curves = FreeCurves([surface.BasisCurve() for surface in surfaces], 3)
        self._direction = np.array([surface.Direction().Coord() for surface in surfaces]).reshape(-1, 1, 1, 3)

    def evaluate(self, row: np.ndarray, u: np.ndarray, v: np.ndarray, order: int) -> Jet:
        along = _along(self.curves, row, u, order)
        jet = extruded([x[:, :, None] for x in along], v[:, None], self._direction[row], order)
        return _full(jet, (*u.shape, v.shape[1], 3))


class _Revolutions:
    def __init__(self, surfaces: list[Geom_SurfaceOfRevolution]) -> None:
        self.curves = FreeCurves([surface.BasisCurve() for surface in surfaces], 3)
        axes = [surface.Axis() for surface in surfaces]
        self._location = np.array([axis.Location().Coord() for axis in axes]).reshape(-1, 1, 1, 3)
        self._axis = np.array([axis.Direction().Coord() for axis in axes]).reshape(-1, 1, 1, 3)

    def evaluate(self, row: np.ndarray, u: np.ndarray, v: np.ndarray, order: int) -> Jet:
        profile = [x[:, None] for x in _along(self.curves, row, v, order)]
        jet = revolved(u[:, :, None], profile, self._location[row], self._axis[row], order)
        return _full(jet, (*u.shape, v.shape[1], 3))


def _along(curves: FreeCurves, row: np.ndarray, t: np.ndarray, order: int) -> list[np.ndarray]:
    jet = curves.evaluate(np.repeat(row, t.shape[1]), t.ravel(), order)
    return [value.reshape(*t.shape, 3) for value in jet.values()]


def _full(jet: Jet, shape: tuple[int, ...]) -> Jet:
    return {key: np.broadcast_to(value, shape) for key, value in jet.items()}


def _kind(surface: Any) -> int:
    if isinstance(surface, SPLINE_SURFACES):
        return SPLINE
    if isinstance(surface, Geom_SurfaceOfLinearExtrusion):
        return EXTRUSION
    return REVOLUTION if isinstance(surface, Geom_SurfaceOfRevolution) else OTHER
