"""Chords in place of curved trimming loops: as few as will do, and which points lie inside them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from brep_mae.brep.faces.polygons import ON, locate

CHORD_ERROR = 5e-4
"""How far chords may leave a curve, in the rescaled box, before more of them are used."""
TURN = np.array([[np.cos(0.7), np.sin(0.7)], [-np.sin(0.7), np.cos(0.7)]])
"""Loops are tested in a turned frame: samples share coordinates with corners, where ends of chords meet only nearly,
and a ray may slip between them. The slopes are irrational, those between samples are not."""


@dataclass(frozen=True)
class Chords:
    """Chords of k faces, M of each; faces with fewer have empty ones at the end.

    Args:
        members: (k,) faces.
        ends: (M, k, 2 ends, 2) in the faces' rescaled boxes.
        seam: (M, k) True where crossing it stays on the face.
        error: (M, k) how far the curve may leave its chord, 0 for straight sides.
        coedge: (M, k) which a chord belongs to, -1 for an empty one.
        share: (M, k, 2 ends) of the coedge's parameter range at the ends.
        shift: (M, k, 2) from the coedge to this copy of it, on surfaces that repeat.
    """

    members: np.ndarray
    ends: np.ndarray
    seam: np.ndarray
    error: np.ndarray
    coedge: np.ndarray
    share: np.ndarray
    shift: np.ndarray

    def gaps(self, column: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance of each point to every chord of its own face, and the share of the chord where it is reached.

        Shapes: (n,) among `members`, (n, 2) -> twice (M, n)
        """
        start, end = self.ends[:, column, 0], self.ends[:, column, 1]
        along, off = end - start, points - start
        share = (off * along).sum(axis=-1) / np.maximum((along * along).sum(axis=-1), 1e-300)
        share = np.clip(share, 0.0, 1.0)
        return np.linalg.norm(off - share[..., None] * along, axis=-1), share

    def test(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Even-odd answer or on the boundary, whether it is unsure, distance to a boundary chord.

        Shapes: (k, P, 2) -> three times (k, P)
        """
        turned = (points.reshape(-1, 2) @ TURN).reshape(points.shape)
        return locate(turned, self._turned, self.seam, self.error)

    @cached_property
    def _turned(self) -> np.ndarray:
        return np.asarray((self.ends.reshape(-1, 2) @ TURN).reshape(self.ends.shape))


def thinned(coedge: np.ndarray, points: np.ndarray, free: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which points of the polylines to keep (N,), and how far chords then leave each coedge (C,).

    Of a free-form curve every 2^k-th point stays, as few as keep within CHORD_ERROR: many straight sides are stored as
    splines, and become one chord.
    """
    keep, error = np.ones(len(points), bool), np.zeros(count)
    middle = np.flatnonzero(coedge[2:] == coedge[:-2])
    bend = np.abs(points[middle + 1] - (points[middle] + points[middle + 2]) / 2).max(axis=1, initial=0.0)
    np.maximum.at(error, coedge[middle], bend)  # four times the error of the full set
    counts = np.bincount(coedge, minlength=count) - 1
    starts = np.searchsorted(coedge, np.arange(count))
    for size in np.unique(counts[free & (counts > 1)]).tolist():
        rows = np.flatnonzero(free & (counts == size))
        places = starts[rows, None] + np.arange(size + 1)
        stride, error[rows] = _strides(points[places], error[rows])
        keep[places] = np.arange(size + 1) % stride[:, None] == 0
    return keep, np.where(error > ON, error, 0.0)


def _strides(points: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the points of each curve may be thinned, to one chord or by a power of two, and the error then.

    Shapes: (n, count + 1, 2), (n,) error of all chords -> twice (n,)
    """
    curves, count = len(points), points.shape[1] - 1
    strides, errors = np.ones(curves, int), own.copy()
    for stride in (count, *(2**k for k in range(9, 0, -1) if count % 2**k == 0 and 2**k < count)):
        todo = np.flatnonzero(strides == 1)
        corners = points[todo, ::stride]
        between = points[todo, :count].reshape(len(todo), count // stride, stride, 2)[:, :, 1:]
        along = (corners[:, 1:] - corners[:, :-1])[:, :, None]
        off = between - corners[:, :-1, None]
        across = np.abs(off[..., 0] * along[..., 1] - off[..., 1] * along[..., 0])
        length = np.sqrt((along * along).sum(axis=-1))
        gap = (across / np.where(length > 0, length, 1.0)).max(axis=(1, 2)) + own[todo]
        fine = np.flatnonzero((gap <= CHORD_ERROR) & (length > 0).all(axis=(1, 2)))
        share = np.linspace(0.0, 1.0, stride + 1)[1:-1, None]
        ahead = np.sqrt(((off[fine] - share * along[fine]) ** 2).sum(axis=-1))
        fine = fine[(ahead <= length[fine] / 2 + CHORD_ERROR).all(axis=(1, 2))]  # does not double back on itself
        strides[todo[fine]], errors[todo[fine]] = stride, gap[fine]
    return strides, errors
