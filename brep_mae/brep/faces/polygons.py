"""Even-odd tests of points against closed chains of chords, and how far points are from them.

Few chords meet every point at once. Of many, a point meets those that a ray from it may cross, and blocks of
neighbouring chords that may be the nearest: all others are left out by their boxes. The answers are the same to the
last bit.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from brep_mae.brep.ragged import owners

ON = 1e-5
"""Distance from a straight side, in the (u, v) box rescaled to 1 x 1, that counts as being on it, and so inside:
closer, the answer would be rounding's, or that of gaps between the ends of curves."""
CHUNK = 49_152
"""Point-chord pairs at a time; larger arrays leave the cache, and take half as long again."""
MANY = 256
"""Chords of a face, a multiple of BLOCK, from which on leaving some out pays."""
BLOCK = 16
"""Chords that share a box; they follow one another along a loop."""
PAIRS = 64 * CHUNK
"""So many pairs of points with chords, or with blocks of them, are listed at a time."""
SLACK = 1e-9
"""How much nearer than its box a block may seem for rounding, as a share of the distance and of the face."""

Answer = tuple[np.ndarray, np.ndarray, np.ndarray]


def locate(points: np.ndarray, chords: np.ndarray, seam: np.ndarray, error: np.ndarray) -> Answer:
    """Even-odd answer or on the boundary, whether it is unsure, distance to a boundary chord.

    Shapes: (k, P, 2), (M, k, 2 ends, 2), (M, k), (M, k) -> three times (k, P)
    """
    faces, count = points.shape[:2]
    if len(seam) < MANY:
        share = max(1, CHUNK // seam.size)
        parts = [_dense(points[:, at : at + share], chords, seam, error) for at in range(0, count, share)]
        inside, unsure, distance = (np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True))
        return inside, unsure, distance
    share = max(1, PAIRS // (len(seam) // BLOCK))
    inside, unsure, distance = np.empty((faces, count), bool), np.empty((faces, count), bool), np.empty((faces, count))
    for face in range(faces):
        blocks = _Blocks(chords[:, face], seam[:, face], error[:, face])
        for at in range(0, count, share):
            part = np.s_[face, at : at + share]
            inside[part], unsure[part], distance[part] = blocks.meet(points[part])
    return inside, unsure, distance


def _dense(points: np.ndarray, chords: np.ndarray, seam: np.ndarray, error: np.ndarray) -> Answer:
    """Every point meets every chord of its face. Shapes: as `locate`."""
    x, y = np.ascontiguousarray(np.moveaxis(points, -1, 0))
    x0, y0, x1, y1 = (chords[:, :, end, axis, None] for end in (0, 1) for axis in (0, 1))
    dx, dy = x1 - x0, y1 - y0
    px, py = x - x0, y - y0  # (M, k, P)
    right_of = px * dy > py * dx
    spans_y, spans_x = (py < 0) != (y1 > y), (px < 0) != (x1 > x)
    right = np.logical_xor.reduce(spans_y & (right_of == (dy < 0)), axis=0)  # chords crossed going towards +x
    up = np.logical_xor.reduce(spans_x & (right_of == (dx > 0)), axis=0)  # and towards +y
    gap = _squared_gap(px, py, dx, dy)
    near = gap <= np.maximum(error, ON)[..., None] ** 2
    on, close = (near & (error == 0)[..., None]).any(axis=0), near.any(axis=0)
    gap[seam] = np.inf
    return _answer(right, up, on, close, gap.min(axis=0))


class _Blocks:
    """The many chords of one face. Shapes: (M, 2 ends, 2), (M,), (M,)"""

    def __init__(self, chords: np.ndarray, seam: np.ndarray, error: np.ndarray) -> None:
        (self._x0, self._y0), (self._x1, self._y1) = np.ascontiguousarray(chords.transpose(1, 2, 0))
        self._dx, self._dy = self._x1 - self._x0, self._y1 - self._y0
        self._seam, self._straight, self._reach = seam, error == 0, np.maximum(error, ON) ** 2
        ends = chords.reshape(-1, 2 * BLOCK, 2)
        self._low, self._high = ends.min(axis=1), ends.max(axis=1)
        self._bounding = np.flatnonzero(~seam.reshape(-1, BLOCK).all(axis=1))
        self._farthest = self._reach.reshape(-1, BLOCK).max(axis=1)

    def meet(self, points: np.ndarray) -> Answer:
        """Shapes: (P, 2) -> three times (P,)"""
        x, y = np.ascontiguousarray(points.T)
        right = self._crossed(x, y, _spanning(self._y0, self._y1, y), self._dy < 0)
        up = self._crossed(x, y, _spanning(self._x0, self._x1, x), self._dx > 0)
        least = _squared_to_boxes(points, self._low, self._high)  # (P, blocks)
        limit = np.zeros(len(x))
        if len(self._bounding):
            nearest = self._bounding[least[:, self._bounding].argmin(axis=1)]
            gap, chord = self._squared_gaps(x, y, np.arange(len(x)), nearest)
            limit = np.where(self._seam[chord], np.inf, gap).min(axis=1)
        limit = np.maximum(limit[:, None], self._farthest)
        points_met, blocks_met = np.nonzero(least <= limit * (1 + SLACK) + SLACK**2)
        on, close, distance = np.zeros(len(x), bool), np.zeros(len(x), bool), np.full(len(x), np.inf)
        for at in range(0, len(points_met), PAIRS // BLOCK):
            point = points_met[at : at + PAIRS // BLOCK]
            gap, chord = self._squared_gaps(x, y, point, blocks_met[at : at + PAIRS // BLOCK])
            near = gap <= self._reach[chord]
            on[point[(near & self._straight[chord]).any(axis=1)]] = True
            close[point[near.any(axis=1)]] = True
            gap[self._seam[chord]] = np.inf
            np.minimum.at(distance, point, gap.min(axis=1))
        return _answer(right, up, on, close, distance)

    def _crossed(
        self, x: np.ndarray, y: np.ndarray, pairs: Iterator[tuple[np.ndarray, np.ndarray]], side: np.ndarray
    ) -> np.ndarray:
        """(P,) True where a ray crosses an odd number of the chords that it may cross, these on the given side."""
        crossings = np.zeros(len(x), np.int64)
        for chord, point in pairs:
            dx, dy = self._dx[chord], self._dy[chord]
            right_of = (x[point] - self._x0[chord]) * dy > (y[point] - self._y0[chord]) * dx
            crossings += np.bincount(point[right_of == side[chord]], minlength=len(x))
        return np.asarray(crossings % 2 == 1)

    def _squared_gaps(
        self, x: np.ndarray, y: np.ndarray, point: np.ndarray, block: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of some points to each chord of a block, and which these are. Shapes: (n,), (n,) -> twice (n, BLOCK)"""
        chord = block[:, None] * BLOCK + np.arange(BLOCK)
        px, py = x[point, None] - self._x0[chord], y[point, None] - self._y0[chord]
        return _squared_gap(px, py, self._dx[chord], self._dy[chord]), chord


def _answer(right: np.ndarray, up: np.ndarray, on: np.ndarray, close: np.ndarray, gap: np.ndarray) -> Answer:
    return right | on, (close | (right != up)) & ~on, np.sqrt(gap)


def _squared_gap(px: np.ndarray, py: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Squared distance of points from chords, both from the chords' starts; overwrites the points."""
    squared = np.maximum(dx * dx + dy * dy, 1e-300)
    t = px * (dx / squared)
    t += py * (dy / squared)
    np.clip(t, 0.0, 1.0, out=t)  # in place: fresh memory costs as much as the arithmetic
    px -= t * dx
    py -= np.multiply(t, dy, out=t)
    gap = np.multiply(px, px, out=px)
    gap += np.multiply(py, py, out=py)
    return gap


def _spanning(start: np.ndarray, end: np.ndarray, values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of a chord and a value between its ends, the lesser one included, about PAIRS at a time.

    Shapes: (M,), (M,), (P,) -> twice (n,)
    """
    order = values.argsort()
    ascending = values[order]
    first = np.searchsorted(ascending, np.minimum(start, end))
    counts = np.searchsorted(ascending, np.maximum(start, end)) - first
    met = np.flatnonzero(counts)
    first, counts = first[met], counts[met]
    share = counts.cumsum() // PAIRS
    for low, high in pairwise([*np.flatnonzero(np.diff(share, prepend=-1)).tolist(), len(met)]):
        owner, place = owners(counts[low:high])
        yield met[low + owner], order[first[low + owner] + place]


def _squared_to_boxes(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Squared distance of each point from each box. Shapes: (P, 2), (B, 2), (B, 2) -> (P, B)"""
    squared = np.zeros((len(points), len(low)))
    for axis in (0, 1):
        value = points[:, None, axis]
        outside = np.maximum(low[:, axis] - value, value - high[:, axis])
        np.maximum(outside, 0.0, out=outside)
        squared += np.multiply(outside, outside, out=outside)
    return squared
