"""Areas and their moments of free-form faces: interpolated span by span, and cut finer where that is not enough."""

from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev

from brep_mae.brep.faces.trimming import Trimming
from brep_mae.brep.geometry.surfaces import Surfaces

SPAN_NODES = {1: 8, 2: 6, 3: 5}
"""The same for each span of a free-form surface, by the number of spans in that direction; 4 where there are more."""
TAIL, MOST_CELLS = 1e-4, 64
"""A direction in which more of the area is left out is cut finer, up to so many spans."""


@lru_cache
def basis(nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chebyshev points in [0, 1]; from values there to coefficients; from values to those of the integral from -1.

    Shapes: (n,), (n, n), (n + 1, n)
    """
    x = chebyshev.chebpts1(nodes)
    to_coefficients = np.linalg.inv(chebyshev.chebvander(x, nodes - 1))
    return (x + 1) / 2, to_coefficients, chebyshev.chebint(to_coefficients, lbnd=-1)


def densities(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """What is integrated over a face, by du dv. Args: points about a point near the solid; normals: Du x Dv.

    Shapes: twice (..., 3) -> (..., 5)
    """
    out = np.empty((*points.shape[:-1], 5))
    out[..., 0] = np.sqrt((normals * normals).sum(axis=-1))
    np.multiply(out[..., :1], points, out=out[..., 1:4])
    out[..., 4] = (normals * points).sum(axis=-1)
    return out


class FreeMoments:
    """Interpolates the densities of the free-form faces, each over as many spans as its shape asks for.

    Attributes:
        pieces: (F,) in which a straight side of the face is to be integrated, 0 for other faces.
    """

    def __init__(self, surfaces: Surfaces, middle: np.ndarray, trimming: Trimming) -> None:
        members = np.array(list(surfaces.free), np.int64)
        low, high = trimming.low, trimming.low + trimming.extent
        spans = [
            [surface.breaks(axis, low[number, axis], high[number, axis]) for axis in (0, 1)]
            for number, surface in surfaces.free.items()
        ]
        nodes = np.array([[SPAN_NODES.get(len(start) - 1, 4) for start in both] for both in spans]).reshape(-1, 2)
        integrals: list[np.ndarray] = [np.empty(0)] * len(members)
        todo = np.arange(len(members))
        while len(todo):
            like = np.array([[len(start) - 1 for start in spans[row]] for row in todo.tolist()])
            kinds, kind = np.unique(np.hstack([like, nodes[todo]]), axis=0, return_inverse=True)
            rough: list[tuple[int, np.ndarray]] = []
            for number in range(len(kinds)):
                rows = todo[kind.ravel() == number]
                starts = [np.array([spans[row][axis] for row in rows]) for axis in (0, 1)]
                found, tails = _integrals(surfaces, middle, members[rows], starts, nodes[rows[0]])
                again = (tails > TAIL) & (kinds[number, :2] < MOST_CELLS)
                for row, integral, axes in zip(rows.tolist(), found, again, strict=True):
                    integrals[row] = integral
                    if axes.any():
                        rough.append((row, axes))
            for row, axes in rough:
                for axis in np.flatnonzero(axes).tolist():
                    start = spans[row][axis]
                    spans[row][axis] = np.sort(np.concatenate([start, (start[1:] + start[:-1]) / 2]))
            todo = np.array([row for row, _ in rough], np.int64)
        self._members, self._spans, self._integrals = members, spans, integrals
        self.pieces = np.zeros(len(surfaces.kind), np.int64)
        for (number, surface), both in zip(surfaces.free.items(), spans, strict=True):
            # of halves, thirds and even spans no piece crosses a knot
            pieces, least = max(6, 2 * surface.spans), 2 * max(len(start) - 1 for start in both)
            self.pieces[number] = pieces << max(0, (-(-least // pieces) - 1).bit_length())

    def round_the_loops(self, face: np.ndarray, uv: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Integrals of `densities` over the free-form faces, in their order. Shapes: see Loops.quadrature -> (k, 5)"""
        moments = np.zeros((len(self._members), 5))
        first, last = (np.searchsorted(face, self._members, side) for side in ("left", "right"))
        for row, (a, b) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            moments[row] = _round_the_loops(self._integrals[row], self._spans[row], uv[a:b], step[a:b])
        return moments


def _integrals(
    surfaces: Surfaces, middle: np.ndarray, members: np.ndarray, spans: list[np.ndarray], nodes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients in u and v of the densities integrated from the lowest v on, for faces with like numbers of spans, P
    in u and Q in v; and how much of the area density, as a share of it, the last coefficients in u and in v hold.

    Shapes: members (k,), spans [(k, P + 1), (k, Q + 1)], nodes (2,) -> (k, P, Q, u, v + 1, 5), (k, 2)
    """
    k, sizes = len(members), [np.diff(start) for start in spans]
    p, q = (size.shape[1] for size in sizes)
    n, m = nodes.tolist()
    (x_u, along, _), (x_v, down, upwards) = basis(n), basis(m)
    u, v = (
        (start[:, :-1, None] + size[..., None] * x).reshape(k, -1)
        for start, size, x in zip(spans, sizes, (x_u, x_v), strict=True)
    )
    points, normals = surfaces.elements(members, u, v)
    values = densities(points - middle[members, None, None], normals)
    values = values.reshape(k, p, n, q, m * 5).swapaxes(2, 3)
    values = (along @ values).reshape(k, p, q, n, m, 5)
    areas = np.abs(down @ values[..., 0].swapaxes(3, 4)) * (sizes[0][:, :, None] * sizes[1][:, None])[..., None, None]
    areas = areas.sum(axis=(1, 2))  # (k, v, u)
    tails = np.stack([_left_out(areas[:, 0]), _left_out(areas[:, :, 0])], axis=1)
    integral = upwards @ values * (sizes[1] / 2)[:, None, :, None, None, None]  # (k, P, Q, u, v + 1, 5)
    # every Chebyshev polynomial is 1 at 1, so the sum of its coefficients is a span's whole integral
    integral[:, :, 1:, :, 0] += np.cumsum(integral.sum(axis=4), axis=2)[:, :, :-1]
    return integral, tails


def _left_out(terms: np.ndarray) -> np.ndarray:
    """Share that the terms after the last ones would have, if they go on falling as they do. Shapes: (k, n) -> (k,)"""
    before, last = terms[:, -4:-2].sum(axis=1), terms[:, -2:].sum(axis=1)
    return np.asarray(last * np.minimum(last / np.maximum(before, 1e-300), 1.0) / np.maximum(terms[:, 0], 1e-300))


def _round_the_loops(integral: np.ndarray, spans: list[np.ndarray], uv: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Of one free-form face. Shapes: (P, Q, u, v + 1, 5), [(P + 1,), (Q + 1,)], (N, 2), (N, 2) -> (5,)"""
    p, q, n, m, _ = integral.shape
    cell, terms_of = np.zeros(len(uv), np.int64), []
    for start, t, count, terms in zip(spans, uv.T, (p, q), (n, m), strict=True):
        number = np.clip(np.searchsorted(start, t, "right") - 1, 0, count - 1)
        terms_of.append(polynomials((t - start[number]) / (start[number + 1] - start[number]), terms))
        cell = cell * count + number
    along_u, along_v = terms_of
    along_u *= -step[:, 0]  # the area lies left of the way: minus G du
    order = np.argsort(cell, kind="stable")
    cell, along_u, along_v = cell[order], along_u[:, order], along_v[:, order]
    first = np.flatnonzero(np.concatenate([[True], cell[1:] != cell[:-1]])) if len(cell) else cell
    cells, moments = integral.reshape(p * q, n * m, 5), np.zeros(5)
    for number, a, b in zip(cell[first].tolist(), first.tolist(), [*first[1:].tolist(), len(cell)], strict=True):
        moments += (along_u[:, a:b] @ along_v[:, a:b].T).ravel() @ cells[number]
    return moments


def polynomials(share: np.ndarray, count: int) -> np.ndarray:
    """Chebyshev polynomials of a range, at its ends for what lies beyond. Shapes: (N,) in [0, 1] -> (count, N)"""
    x = np.clip(share, 0.0, 1.0) * 2 - 1
    out = np.empty((count, len(x)))
    out[0], out[1] = 1.0, x
    for k in range(2, count):
        np.multiply(out[k - 1], x + x, out=out[k])
        out[k] -= out[k - 2]
    return out
