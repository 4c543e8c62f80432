"""Many B-spline and Bezier surfaces at once: knots and poles of all of them in flat arrays."""

from collections.abc import Sequence

import numpy as np

from brep_mae.brep.geometry.jets import Jet, surface_orders
from brep_mae.brep.geometry.poles import Axis, Spline
from brep_mae.brep.geometry.splines import Axes, projected

CHUNK = 16_384
"""Points at a time; keeps the working set in the processor's cache."""


class SplineSurfaces:
    """Surfaces evaluated together on grids, rational ones and others apart."""

    def __init__(self, surfaces: Sequence[Spline]) -> None:
        self._rational = np.array([surface.rational for surface in surfaces], bool)
        self._row = np.where(self._rational, np.cumsum(self._rational), np.cumsum(~self._rational)) - 1
        kinds = [[s for s in surfaces if s.rational == rational] for rational in (False, True)]
        self._kinds = {bool(rational): _Alike(kind) for rational, kind in enumerate(kinds) if kind}

    def evaluate(self, surface: np.ndarray, u: np.ndarray, v: np.ndarray, order: int) -> Jet:
        """All pairs of u and v of each surface. Shapes: (R,), (R, U), (R, V) -> (R, U, V, 3) each"""
        keys = surface_orders(order)
        out = np.empty((len(keys), 3, len(surface), u.shape[1], v.shape[1]))
        step = max(1, CHUNK // max(u.shape[1] * v.shape[1], 1))
        for rational, alike in self._kinds.items():
            members = np.flatnonzero(self._rational[surface] == rational)
            for begin in range(0, len(members), step):
                chosen = members[begin : begin + step]
                values = alike.evaluate(self._row[surface[chosen]], u[chosen], v[chosen], order)
                for place, key in enumerate(keys):
                    out[place, :, chosen] = values[key].transpose(0, 3, 1, 2)
        return {key: out[place].transpose(1, 2, 3, 0) for place, key in enumerate(keys)}


class _Side:
    """One parameter of many surfaces, of whatever degrees."""

    def __init__(self, axes: list[Axis]) -> None:
        self.degree = np.array([axis.degree for axis in axes])
        self.poles = np.array([len(axis.knots) for axis in axes]) - self.degree - 1
        self._row = np.zeros(len(axes), np.int64)
        self._axes: dict[int, Axes] = {}
        for degree in np.unique(self.degree).tolist():
            members = np.flatnonzero(self.degree == degree)
            self._row[members] = np.arange(len(members))
            self._axes[degree] = Axes([axes[i] for i in members.tolist()])

    def basis(self, row: np.ndarray, t: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
        """See Axes.basis; weights of lower degrees are filled up with zeros.

        Shapes: (R,), (R, U) -> (R, U), (R, order + 1, U, highest degree + 1)
        """
        degrees = self.degree[row]
        first = np.empty(t.shape, np.int64)
        weights = np.zeros((len(row), order + 1, t.shape[1], int(degrees.max(initial=0)) + 1))
        for degree, axes in self._axes.items():
            chosen = np.flatnonzero(degrees == degree)
            if len(chosen):
                places, found = axes.basis(np.repeat(self._row[row[chosen]], t.shape[1]), t[chosen].ravel(), order)
                first[chosen] = places.reshape(len(chosen), -1)
                found = found.reshape(order + 1, degree + 1, len(chosen), -1)
                weights[chosen, :, :, : degree + 1] = found.transpose(2, 0, 3, 1)
        return first, weights


class _Alike:
    """Surfaces that are all rational, or none."""

    def __init__(self, surfaces: list[Spline]) -> None:
        self._u, self._v = _Side([s.axes[0] for s in surfaces]), _Side([s.axes[1] for s in surfaces])
        self._rational = surfaces[0].rational
        width = 3 + self._rational
        self._poles = np.ascontiguousarray(np.concatenate([s.poles.reshape(-1, width) for s in surfaces]).T)
        sizes = self._u.poles * self._v.poles
        self._start = np.cumsum(sizes) - sizes

    def evaluate(self, row: np.ndarray, u: np.ndarray, v: np.ndarray, order: int) -> Jet:
        """Shapes: (R,), (R, U), (R, V) -> (R, U, V, 3) each"""
        found = *self._u.basis(row, u, order), *self._v.basis(row, v, order)
        if u.shape[1] == v.shape[1] == 1:
            values = self._points(row, *found)
        else:
            values = self._grids(row, *found)
        jet = {(i, j): values[:, :, i, :, j].transpose(1, 2, 3, 0) for i, j in surface_orders(order)}
        return projected(jet) if self._rational else jet

    def _points(
        self, row: np.ndarray, first_u: np.ndarray, weights_u: np.ndarray, first_v: np.ndarray, weights_v: np.ndarray
    ) -> np.ndarray:
        """As `_grids`, degree by degree, for one u and v a row."""
        out = np.empty((len(self._poles), len(row), weights_u.shape[1], 1, weights_v.shape[1], 1))
        for chosen in _like(self._u.degree[row], self._v.degree[row]):
            which = row[chosen]
            rows, columns = self._u.degree[which[0]] + 1, self._v.degree[which[0]] + 1
            corner = self._start[which] + first_u[chosen, 0] * self._v.poles[which] + first_v[chosen, 0]
            down = np.arange(rows)[:, None, None] * self._v.poles[which]
            poles = self._poles.take(corner + down + np.arange(columns)[:, None], axis=1)
            curves = np.einsum("niu,wuvn->iwvn", weights_u[chosen, :, 0, :rows], poles)
            out[:, chosen, :, 0, :, 0] = np.einsum("njv,iwvn->nwij", weights_v[chosen, :, 0, :columns], curves)
        return out

    def _grids(
        self, row: np.ndarray, first_u: np.ndarray, weights_u: np.ndarray, first_v: np.ndarray, weights_v: np.ndarray
    ) -> np.ndarray:
        """With the poles that a row needs as a matrix, it is a product of three: weights in u, poles, weights in v.

        Shapes: (R,), see _Side.basis -> (width, R, order + 1, U, order + 1, V)
        """
        low_u, low_v = first_u.min(axis=1), first_v.min(axis=1)
        sizes = np.stack(
            [first_u.max(axis=1) - low_u + self._u.degree[row], first_v.max(axis=1) - low_v + self._v.degree[row]]
        )
        places = first_u - low_u[:, None], first_v - low_v[:, None]
        out = np.empty((len(self._poles), len(row), *weights_u.shape[1:3], *weights_v.shape[1:3]))
        for chosen in _like(*np.frexp(sizes)[1]):  # matrices are filled up to the largest, so not all in one go
            rows, columns = sizes[:, chosen].max(axis=1) + 1
            which = row[chosen]
            down = np.minimum(low_u[chosen, None] + np.arange(rows), self._u.poles[which, None] - 1)
            across = np.minimum(low_v[chosen, None] + np.arange(columns), self._v.poles[which, None] - 1)
            at = self._start[which, None, None] + down[:, :, None] * self._v.poles[which, None, None] + across[:, None]
            left = _spread(weights_u[chosen], places[0][chosen], rows)
            right = _spread(weights_v[chosen], places[1][chosen], columns).swapaxes(1, 2)
            found = left @ self._poles.take(at, axis=1) @ right
            out[:, chosen] = found.reshape(len(out), len(chosen), *out.shape[2:])
        return out


def _like(a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    """Places of the rows with like numbers a and b, small ones."""
    key = a * 1024 + b
    return [np.flatnonzero(key == one) for one in np.flatnonzero(np.bincount(key)).tolist()]


def _spread(weights: np.ndarray, place: np.ndarray, count: int) -> np.ndarray:
    """Weights in their places among `count` poles. Shapes: (R, K, U, n), (R, U) -> (R, K * U, count)"""
    rows, orders, samples, width = weights.shape
    out = np.zeros((rows, orders, samples, count + width))
    places = np.broadcast_to((place[:, :, None] + np.arange(width))[:, None], weights.shape)
    np.put_along_axis(out, places, weights, axis=3)
    return out[..., :count].reshape(rows, orders * samples, count)
