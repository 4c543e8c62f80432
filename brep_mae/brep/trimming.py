"""Each face's own part of its surface: the (u, v) box, and which points of it lie inside the trimming loops."""

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.BRepTools import BRepTools
from OCP.gp import gp_Pnt2d
from OCP.IntTools import IntTools_FClass2d
from OCP.TopAbs import TopAbs_OUT

from brep_mae.brep.loops import Loops
from brep_mae.brep.ragged import owners, span
from brep_mae.brep.reject import Reject
from brep_mae.brep.surfaces import PLANE, Surfaces
from brep_mae.brep.topology import Topology

ON = 1e-6
"""Distance from the boundary, in the (u, v) box rescaled to 1 x 1, that counts as being on it, and so inside: closer,
the answer would be rounding's."""
CHORD_ERROR = 5e-4
"""How far chords may leave a curve, in the rescaled box, before more of them are used."""
KERNEL_TOLERANCE = 1e-9
"""The same for OCCT's classifier, in the surface's own parameters."""
MARGIN = 0.1
"""How far beyond the box, as a share of its side, points may lie."""
TURN = np.array([[np.cos(0.7), np.sin(0.7)], [-np.sin(0.7), np.cos(0.7)]])
"""Loops are tested in a turned frame: samples share coordinates with corners, and sides that meet in a corner end there
up to rounding only, or up to the file's tolerance, so that a ray through a corner could slip between them."""
CHUNK = 32_768
"""Point-chord pairs at a time; keeps the working set in the processor's cache."""


class Trimming:
    """The faces' boxes and loops.

    Curved sides are followed by chords (see `curves`). On a periodic surface the loops repeat with the period, as
    the surface does, and a seam is no boundary: crossing it stays on the face. A pole or apex is one, because beyond
    it OCCT's domain ends. Where a surface is merely closed, not periodic, its seam is a boundary like any other.

    Attributes:
        low, extent (F, 2) corner and sides of the box of the trimming loops in (u, v).
        flipped (F,) True where u runs backwards in stored grids, so that their normals stay du x dv.

    Raises:
        Reject: degenerate, for a face whose box is empty or infinite.
    """

    def __init__(self, topology: Topology, surfaces: Surfaces, loops: Loops) -> None:
        self._faces, self._surfaces = topology.faces, surfaces
        count = len(self._faces)
        coedge, uv = loops.polylines()
        self.low, self.extent = self._boxes(loops, coedge, uv)
        self.flipped = topology.reversed != surfaces.mirrored
        direction = np.where(self.flipped[:, None], np.array([-1.0, 1.0]), 1.0)
        self._origin = np.where(direction < 0, self.low + self.extent, self.low)
        self._sides = direction * self.extent
        self._classifiers: dict[int, IntTools_FClass2d] = {}

        face = loops.face[coedge]
        box_uv = (uv - self.low[face]) / self.extent[face]
        self._sound = loops.sound(coedge, box_uv, count)
        points = np.where(self.flipped[face, None], np.array([1.0, 0.0]) + np.array([-1.0, 1.0]) * box_uv, box_uv)
        seams = self._seams(topology, coedge, points)
        keep, error = _thinned(coedge, points, loops.free, len(loops.face))
        coedge, points = coedge[keep], points[keep]
        same = np.flatnonzero(coedge[1:] == coedge[:-1])
        coedge = coedge[same]
        self._group(loops.face[coedge], points[same], points[same + 1], seams[coedge], error[coedge])

    def _boxes(self, loops: Loops, coedge: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The corners of a polygon are exact; for the rest OCCT knows the extremes of its curves."""
        count = len(self._faces)
        low, high = span(uv, loops.face[coedge], count)
        curved = np.bincount(loops.face, ~loops.straight, count) > 0
        for number in np.flatnonzero(curved | (self._surfaces.kind != PLANE)).tolist():
            u0, u1, v0, v1 = BRepTools.UVBounds_s(self._faces[number])
            low[number], high[number] = (u0, v0), (u1, v1)
        extent = high - low
        bad = (np.abs(low) >= 1e50) | (np.abs(high) >= 1e50) | ~(extent > 0)
        if bad.any():
            number = int(np.flatnonzero(bad.any(axis=1))[0])
            (u0, v0), (u1, v1) = low[number], high[number]
            raise Reject("degenerate", f"face {number} spans u {u0:g}..{u1:g}, v {v0:g}..{v1:g}")
        return low, extent

    def _seams(self, topology: Topology, coedge: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(C,) True where a coedge is a seam in a direction in which its surface repeats."""
        found = np.zeros(len(topology.coedges), bool)
        repeats = (self._surfaces.period[topology.coedge_face] > 0).any(axis=1)
        if repeats.any():
            low, high = span(points, coedge, len(found))
            across = np.where(np.isfinite(low), high - low, 0.0).argmin(axis=1)  # a seam runs along the other axis
            for i in np.flatnonzero(repeats).tolist():
                number = int(topology.coedge_face[i])
                if BRep_Tool.IsClosed_s(topology.edges[topology.coedge_edge[i]], self._faces[number]):
                    found[i] = self._surfaces.period[number, across[i]] > 0
        return found

    def parameters(self, index: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """Points of the boxes rescaled to 1 x 1, in the direction of the stored grids -> surface parameters.

        Shapes: (N,) face, (N, 2) -> (N, 2)
        """
        return self._origin[index] + unit * self._sides[index]

    def unit(self, index: np.ndarray, uv: np.ndarray) -> np.ndarray:
        """Inverse of `parameters`."""
        return (uv - self._origin[index]) / self._sides[index]

    def classify(self, number: int, unit: np.ndarray) -> np.ndarray:
        """OCCT's exact answer for one face, point by point: True where inside or on the boundary, also one period
        further on. Shapes: (N, 2) -> (N,)"""
        if number not in self._classifiers:
            self._classifiers[number] = IntTools_FClass2d(self._faces[number], KERNEL_TOLERANCE)
        perform = self._classifiers[number].Perform
        uv = self.parameters(np.full(len(unit), number), unit)
        return np.array([perform(gp_Pnt2d(u, v)) != TopAbs_OUT for u, v in uv.tolist()], dtype=bool)

    def _group(self, face: np.ndarray, start: np.ndarray, end: np.ndarray, seam: np.ndarray, error: np.ndarray) -> None:
        """Sorts the faces into groups of like numbers of chords, each a dense array filled up with empty chords."""
        copies = [(face, start, end, seam, error)]
        for number in np.flatnonzero((self._surfaces.period > 0).any(axis=1)).tolist():
            mine = face == number
            low = np.minimum(start[mine], end[mine]).min(axis=0, initial=np.inf)
            high = np.maximum(start[mine], end[mine]).max(axis=0, initial=-np.inf)
            steps = self._surfaces.period[number] / self.extent[number]
            for i in (-1, 0, 1) if steps[0] else (0,):
                for j in (-1, 0, 1) if steps[1] else (0,):
                    shift = np.array([i, j]) * steps
                    if (i or j) and ((low + shift < 1 + MARGIN) & (high + shift > -MARGIN)).all():
                        copies.append((face[mine], start[mine] + shift, end[mine] + shift, seam[mine], error[mine]))
        face, start, end, seam, error = (np.concatenate(column) for column in zip(*copies, strict=True))
        order = np.argsort(face, kind="stable")
        counts = np.bincount(face, minlength=len(self._faces))
        sizes = np.where(counts > 0, 2 ** np.ceil(np.log2(np.maximum(counts, 4))).astype(int), 0)
        row, place = owners(counts)
        self._groups: list[tuple[np.ndarray, ...]] = []
        for size in np.unique(sizes[counts > 0]).tolist():
            members = np.flatnonzero(sizes == size)
            inside = np.flatnonzero(sizes[row] == size)
            at = place[inside], np.searchsorted(members, row[inside])
            first = np.searchsorted(row, members)
            chords = np.empty((size, len(members), 2, 2))
            chords[:] = start[order[first]][:, None]
            chords[at] = np.stack([start, end], axis=1)[order[inside]]
            is_seam = np.ones((size, len(members)), bool)
            is_seam[at] = seam[order[inside]]
            errors = np.zeros((size, len(members)))
            errors[at] = error[order[inside]]
            self._groups.append((members, chords @ TURN, is_seam, errors))

    def locate(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points of each face's rescaled box (F, P, 2) -> inside or on (F, P) bool, distance to the nearest boundary
        chord (F, P), infinite where the face has no boundary.

        The polygon answers where the loops are sound, a point is clear of curved sides by more than their chords' error
        and two rays across each other agree; OCCT answers for the rest.
        """
        faces, points = unit.shape[:2]
        inside, unsure = np.zeros((faces, points), bool), np.ones((faces, points), bool)
        distance = np.full((faces, points), np.inf)
        for members, chords, seam, error in self._groups:
            share = max(1, CHUNK // (len(chords) * len(members)))
            for begin in range(0, points, share):
                part = np.s_[begin : begin + share]
                found = _polygon(unit[members, part] @ TURN, chords, seam, error)
                inside[members, part], unsure[members, part], distance[members, part] = found
        unsure[~self._sound] = True
        for number in np.flatnonzero(unsure.any(axis=1)).tolist():
            rows = unsure[number]
            inside[number, rows] = self.classify(number, unit[number, rows])
        return inside, distance


def _polygon(
    points: np.ndarray, chords: np.ndarray, seam: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Even-odd answer or on the boundary, whether it is unsure, distance to a boundary chord.

    Shapes: (k, P, 2), (M, k, 2 ends, 2), (M, k), (M, k) -> three times (k, P)
    """
    x, y = points[..., 0], points[..., 1]
    x0, y0, x1, y1 = (chords[:, :, end, axis, None] for end in (0, 1) for axis in (0, 1))
    dx, dy = x1 - x0, y1 - y0
    squared = np.maximum(dx * dx + dy * dy, 1e-300)
    px, py = x - x0, y - y0  # (M, k, P)
    t = np.clip(px * (dx / squared) + py * (dy / squared), 0.0, 1.0)
    gap = (px - t * dx) ** 2 + (py - t * dy) ** 2
    right_of = px * dy > py * dx
    spans_y, spans_x = (y0 > y) != (y1 > y), (x0 > x) != (x1 > x)
    right = np.logical_xor.reduce(spans_y & (right_of == (dy < 0)), axis=0)  # chords crossed going towards +x
    up = np.logical_xor.reduce(spans_x & (right_of == (dx > 0)), axis=0)  # and towards +y
    nearest = distance = np.sqrt(gap.min(axis=0))
    if error.any():
        on = np.where(error[..., None] > 0, np.inf, gap).min(axis=0) <= ON**2
        unsure = (gap <= np.maximum(error, ON)[..., None] ** 2).any(axis=0)
    else:
        on, unsure = nearest <= ON, np.zeros(nearest.shape, bool)
    if seam.any():
        distance = np.sqrt(np.where(seam[..., None], np.inf, gap).min(axis=0))
    return right | on, (unsure | (right != up)) & ~on, distance


def _thinned(coedge: np.ndarray, points: np.ndarray, free: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
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
        share = np.linspace(0.0, 1.0, stride + 1)[1:-1, None]
        chords = corners[:, :-1, None] * (1 - share) + corners[:, 1:, None] * share
        between = points[todo, :count].reshape(len(todo), count // stride, stride, 2)[:, :, 1:]
        along = (corners[:, 1:] - corners[:, :-1])[:, :, None]
        off = between - corners[:, :-1, None]
        across = np.abs(off[..., 0] * along[..., 1] - off[..., 1] * along[..., 0])
        length = np.sqrt((along * along).sum(axis=-1))
        gap = (across / np.where(length > 0, length, 1.0)).max(axis=(1, 2)) + own[todo]
        beyond = np.sqrt(((between - chords) ** 2).sum(axis=-1)) > length / 2 + CHORD_ERROR  # doubles back on itself
        fine = (gap <= CHORD_ERROR) & (length > 0).all(axis=(1, 2)) & ~beyond.any(axis=(1, 2))
        strides[todo[fine]], errors[todo[fine]] = stride, gap[fine]
    return strides, errors
