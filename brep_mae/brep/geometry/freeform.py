"""The free-form surfaces of a solid under their placements, also beyond their own domains."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from brep_mae.brep.geometry.free_surfaces import FreeSurfaces
from brep_mae.brep.geometry.jets import principal_curvatures
from brep_mae.brep.geometry.untrimmed import untrimmed
from brep_mae.brep.vectors import cross

MOST_SPANS = 16


class FreeForms:
    """B-spline, Bezier, swept and offset surfaces, all those of a solid.

    Outside its own domain, where polynomials run away, a surface goes on along the tangent plane of the nearest
    point inside.

    Attributes:
        period (k, 2) in u and v, 0 where the surface does not repeat.
    """

    def __init__(self, surfaces: list[Any]) -> None:
        bounds = np.array([surface.Bounds() for surface in surfaces]).reshape(-1, 2, 2)
        surfaces = [untrimmed(surface) for surface in surfaces]
        self.period = np.array([_period(surface) for surface in surfaces]).reshape(-1, 2)
        repeats = self.period > 0
        self._low, self._high = np.where(repeats, -np.inf, bounds[..., 0]), np.where(repeats, np.inf, bounds[..., 1])
        self._surfaces = FreeSurfaces(surfaces)
        self._matrix, self._offset = np.tile(np.eye(3), (len(surfaces), 1, 1)), np.zeros((len(surfaces), 3))
        self._scale, self._placed = np.ones(len(surfaces)), False

    def place(self, row: int, matrix: np.ndarray, offset: np.ndarray) -> None:
        self._matrix[row], self._offset[row], self._placed = matrix, offset, True
        self._scale[row] = np.linalg.norm(matrix[:, 0])

    def _jet(self, row: np.ndarray, u: np.ndarray, v: np.ndarray, order: int) -> tuple[np.ndarray, ...]:
        """Values and derivatives, before the placement, at the nearest parameters in the domain."""
        low, high = self._low[row], self._high[row]
        near_u, near_v = u.clip(low[:, :1], high[:, :1]), v.clip(low[:, 1:], high[:, 1:])
        return near_u, near_v, *self._surfaces.evaluate(row, near_u, near_v, order).values()

    def evaluate(self, row: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points in mm and unit normals at all pairs of u and v of each surface.

        Shapes: (R,), (R, U), (R, V) -> twice (R, U, V, 3)
        """
        near_u, near_v, points, along_u, along_v = self._jet(row, u, v, 1)
        beyond_u, beyond_v = (u - near_u)[:, :, None, None], (v - near_v)[:, None, :, None]
        if beyond_u.any() or beyond_v.any():
            points = points + beyond_u * along_u + beyond_v * along_v
        normals = cross(along_u, along_v)
        size = np.sqrt((normals * normals).sum(axis=-1))
        sides = np.sqrt((along_u * along_u).sum(axis=-1) * (along_v * along_v).sum(axis=-1))
        longest = np.zeros(len(self._scale))
        np.maximum.at(longest, row, sides.max(axis=(1, 2), initial=0.0))
        vanishing = size <= 1e-8 * np.maximum(longest[row], 1e-300)[:, None, None]
        if vanishing.any():
            r, i, j = np.nonzero(vanishing)
            normals[vanishing] = limits = self._limits(row[r], np.stack([near_u[r, i], near_v[r, j]], axis=1))
            size[vanishing] = np.linalg.norm(limits, axis=1)
        normals /= np.where(size > 0, size, 1.0)[..., None]
        return self._moved(row, points), self._turned(row, normals) / self._scale[row, None, None, None]

    def points(self, row: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """In mm, inside the domain. Shapes: as `evaluate` -> (R, U, V, 3)"""
        return self._moved(row, self._jet(row, u, v, 0)[2])

    def element(self, row: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points in mm and Du x Dv in mm^2. Shapes: as `evaluate` -> twice (R, U, V, 3)"""
        _, _, points, along_u, along_v = self._jet(row, u, v, 1)
        normals = cross(along_u, along_v)
        if self._placed:
            normals = self._turned(row, normals) * self._scale[row, None, None, None]
        return self._moved(row, points), normals

    def curvatures(self, row: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Principal curvatures in 1/mm along the normals of `evaluate`. Shapes: as `evaluate` -> (R, U, V, 2)"""
        derivatives = [self._turned(row, values) for values in self._jet(row, u, v, 2)[3:]]
        normals = self.evaluate(row, u, v)[1]
        found = [
            principal_curvatures(*(values[i].reshape(-1, 3) for values in (*derivatives, normals)))
            for i in range(len(row))  # what counts as vanishing depends on the rest of the face
        ]
        return np.reshape(found, (*normals.shape[:3], 2))

    def ruled(self, row: int) -> bool:
        """See FreeSurfaces.ruled."""
        return self._surfaces.ruled(row)

    def knots(self, row: int, axis: int) -> np.ndarray:
        """In u (0) or v (1), none where a surface has none."""
        return self._surfaces.knots(row, axis)

    def breaks(self, row: int, axis: int, low: float, high: float) -> np.ndarray:
        """`low`, `high` and the knots between them in u (0) or v (1), MOST_SPANS spans at most."""
        values = self.knots(row, axis)
        if len(values) and (period := self.period[row, axis]):
            turns = np.arange(np.floor((low - values[-1]) / period), np.ceil((high - values[0]) / period) + 1)
            values = np.unique(values + period * turns[:, None])
        slack = 1e-9 * (high - low)
        inner = values[(values > low + slack) & (values < high - slack)]
        inner = inner[:: -(-(len(inner) + 1) // MOST_SPANS)] if len(inner) else inner
        return np.concatenate([[low], inner, [high]])

    def _turned(self, row: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        return np.einsum("rij,ruvj->ruvi", self._matrix[row], vectors) if self._placed else vectors

    def _moved(self, row: np.ndarray, points: np.ndarray) -> np.ndarray:
        return self._turned(row, points) + self._offset[row, None, None] if self._placed else points

    def _limits(self, row: np.ndarray, uv: np.ndarray) -> np.ndarray:
        """Du x Dv a little towards the middle of the domain, from points where it vanishes. -> (N, 3)"""
        low, high = self._low[row], self._high[row]
        inside = np.isfinite(low) & np.isfinite(high)
        middle = np.where(inside, (np.where(inside, low, 0.0) + np.where(inside, high, 0.0)) / 2, uv)
        normals, todo = np.zeros((len(row), 3)), np.arange(len(row))
        for step in (1e-4, 1e-3, 1e-2):
            near = uv[todo] + step * (middle[todo] - uv[todo])
            jet = self._surfaces.evaluate(row[todo], near[:, :1], near[:, 1:], 1)
            du, dv = jet[1, 0][:, 0, 0], jet[0, 1][:, 0, 0]
            found = cross(du, dv)
            sides = np.linalg.norm(du, axis=1) * np.linalg.norm(dv, axis=1)
            clear = np.linalg.norm(found, axis=1) > 1e-12 * sides
            normals[todo[clear]] = found[clear]
            todo = todo[~clear]
            if not len(todo):
                break
        return normals


@dataclass(frozen=True)
class FreeForm:
    """One of them."""

    forms: FreeForms
    row: int

    @property
    def ruled(self) -> bool:
        """See FreeSurfaces.ruled."""
        return self.forms.ruled(self.row)

    @property
    def spans(self) -> int:
        """Between the knots in u, MOST_SPANS at most."""
        return int(np.clip(len(self.forms.knots(self.row, 0)) - 1, 1, MOST_SPANS))

    def breaks(self, axis: int, low: float, high: float) -> np.ndarray:
        """See FreeForms.breaks."""
        return self.forms.breaks(self.row, axis, low, high)

    def curvatures(self, uv: np.ndarray, side: int) -> np.ndarray:
        """See FreeForms.curvatures. Shapes: (side * side, 2) row by row -> (side * side, 2)"""
        found = self.forms.curvatures(np.array([self.row]), uv[None, ::side, 0], uv[None, :side, 1])
        return np.asarray(found.reshape(-1, 2))


def _period(surface: Any) -> tuple[float, float]:
    return (
        surface.UPeriod() if surface.IsUPeriodic() else 0.0,
        surface.VPeriod() if surface.IsVPeriodic() else 0.0,
    )
