"""Each face's own part of its surface: the (u, v) box, and which points of it lie inside the trimming loops."""

from functools import cached_property

import numpy as np
from OCP.BRepTools import BRepTools
from OCP.gp import gp_Pnt2d
from OCP.IntTools import IntTools_FClass2d
from OCP.TopAbs import TopAbs_OUT

from brep_mae.brep.faces.chords import Chords, thinned
from brep_mae.brep.faces.loops import Loops
from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.geometry.surfaces import PLANE, Surfaces
from brep_mae.brep.ragged import owners, run, span
from brep_mae.brep.reject import Reject

KERNEL_TOLERANCE = 1e-9
"""Distance from the boundary that OCCT's classifier counts as being on it, in the surface's own parameters."""
MARGIN = 0.1
"""How far beyond the box, as a share of its side, points may lie."""
SAME_PLACE = 1e-6
"""Uses of an edge that are nearer to one another than this share of the box lie in the same place."""
NEWTON_STEPS = 4
PAIRS = 2**20
"""Pairs of an unsure point and a chord that are measured at a time, 50 MB of them."""


class Trimming:
    """The faces' boxes and loops.

    Curved sides are followed by chords (see `curves`). On a periodic surface the loops repeat with the period, as
    the surface does, and a seam is no boundary: crossing it stays on the face. A pole or apex is one, because beyond
    it OCCT's domain ends. Where a surface is merely closed, not periodic, its seam is a boundary like any other.

    Attributes:
        low, extent (F, 2) corner and sides of the box of the trimming loops in (u, v).
        flipped (F,) True where u runs backwards in stored grids, so that their normals stay du x dv.
        sound (F,) True where the loops are closed and have the face on their left.
        on_left (F,) True where they have it there and are closed, or not far from it.
        slit (F,) True where a loop goes along an edge and back again on the same way, not one period further on.

    Raises:
        Reject: degenerate, for a face whose box is empty or infinite.
    """

    def __init__(self, topology: Topology, surfaces: Surfaces, loops: Loops) -> None:
        self._faces, self._surfaces, self._loops = topology.faces, surfaces, loops
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
        self.sound, self.on_left = loops.sound(coedge, box_uv, count)
        points = np.where(self.flipped[face, None], np.array([1.0, 0.0]) + np.array([-1.0, 1.0]) * box_uv, box_uv)
        seams, self.slit = self._twice(topology, coedge, points)
        counts = np.bincount(coedge, minlength=len(loops.face))
        share = owners(counts)[1] / np.maximum(counts - 1, 1)[coedge]
        keep, error = thinned(coedge, points, loops.free, len(loops.face))
        coedge, points, share = coedge[keep], points[keep], share[keep]
        same = np.flatnonzero(coedge[1:] == coedge[:-1])
        coedge = coedge[same]
        self._columns = {
            "face": loops.face[coedge],
            "ends": np.stack([points[same], points[same + 1]], axis=1),
            "seam": seams[coedge],
            "error": error[coedge],
            "coedge": coedge,
            "share": np.stack([share[same], share[same + 1]], axis=1),
            "shift": np.zeros((len(coedge), 2)),
        }

    def run(self, start: int, stop: int, surfaces: Surfaces) -> "Trimming":
        """That of the faces from `start` to before `stop`, whose surfaces these are."""
        other = run(self, start, stop)
        other.__dict__.pop("_groups", None)
        other._faces, other._surfaces, other._classifiers = self._faces[start:stop], surfaces, {}
        a, b = np.searchsorted(self._columns["face"], (start, stop))
        other._columns = {name: column[a:b] for name, column in self._columns.items()}
        other._columns["face"] = other._columns["face"] - start
        return other

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

    def _twice(self, topology: Topology, coedge: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(C,) True where a coedge is a seam in a direction in which its surface repeats, and (F,) where a face has a
        slit.

        A seam is an edge that one face uses twice, and so is a slit, in one and the same place. The kernel's own
        `IsClosed` is no help: it also holds for an edge between two faces that share one surface.
        """
        used = topology.coedge_face * len(topology.edges) + topology.coedge_edge
        _, edge_of_face, uses = np.unique(used, return_inverse=True, return_counts=True)
        found, slit = uses[edge_of_face] > 1, np.zeros(len(self._faces), bool)
        if not found.any():
            return found, slit
        low, high = span(points, coedge, len(found))
        low, high = np.where(np.isfinite(low), (low, high), 0.0)
        pairs = np.argsort(np.where(found, edge_of_face, -1), kind="stable")[np.count_nonzero(~found) :]
        first, second = pairs[:-1], pairs[1:]
        apart = np.abs(low[first] + high[first] - low[second] - high[second]).max(axis=1) / 2
        slit[topology.coedge_face[first[(edge_of_face[first] == edge_of_face[second]) & (apart < SAME_PLACE)]]] = True
        period = self._surfaces.period[topology.coedge_face]
        across = (high - low).argmin(axis=1)  # a seam runs along the other axis
        return found & (period[np.arange(len(found)), across] > 0), slit

    def boundary(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Chords of the loops of a face in its rescaled box, and how far curves leave them.

        Shapes: (n, 2 ends, 2), (n,)
        """
        a, b = np.searchsorted(self._columns["face"], (number, number + 1))
        return self._columns["ends"][a:b], self._columns["error"][a:b]

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

    @cached_property
    def _groups(self) -> list[Chords]:
        """The faces in groups of like numbers of chords. Columns: see Chords, one row per chord."""
        columns = self._columns
        copies = [columns]
        for number in np.flatnonzero((self._surfaces.period > 0).any(axis=1)).tolist():
            a, b = np.searchsorted(columns["face"], (number, number + 1))
            if a == b:
                continue
            own_columns = {name: column[a:b] for name, column in columns.items()}
            low, high = own_columns["ends"].min(axis=(0, 1)), own_columns["ends"].max(axis=(0, 1))
            steps = self._surfaces.period[number] / self.extent[number]
            for i in (-1, 0, 1) if steps[0] else (0,):
                for j in (-1, 0, 1) if steps[1] else (0,):
                    shift = np.array([i, j]) * steps
                    if (i or j) and ((low + shift < 1 + MARGIN) & (high + shift > -MARGIN)).all():
                        copies.append(
                            own_columns | {"ends": own_columns["ends"] + shift, "shift": own_columns["shift"] + shift}
                        )
        columns = {name: np.concatenate([copy[name] for copy in copies]) for name in columns}
        order = np.argsort(columns["face"], kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
        counts = np.bincount(columns["face"], minlength=len(self._faces))
        sizes = np.where(counts > 0, 2 ** np.ceil(np.log2(np.maximum(counts, 4))).astype(int), 0)
        row, place = owners(counts)
        groups = []
        for size in np.unique(sizes[counts > 0]).tolist():
            members = np.flatnonzero(sizes == size)
            rows = np.flatnonzero(sizes[row] == size)
            at, shape = (place[rows], np.searchsorted(members, row[rows])), (size, len(members))
            first = np.searchsorted(row, members)
            blank = {
                "ends": np.broadcast_to(columns["ends"][first, :1], (*shape, 2, 2)).copy(),
                "seam": np.ones(shape, bool),
                "error": np.zeros(shape),
                "coedge": np.full(shape, -1),
                "share": np.zeros((*shape, 2)),
                "shift": np.zeros((*shape, 2)),
            }
            for name, array in blank.items():
                array[at] = columns[name][rows]
            groups.append(Chords(members, **blank))
        return groups

    def locate(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points of each face's rescaled box (F, P, 2) -> inside or on (F, P) bool, distance to the nearest boundary
        chord (F, P), infinite where the face has no boundary.

        The polygon answers where the loops are sound, a point is clear of curved sides by more than their chords' error
        and two rays across each other agree; OCCT answers for the rest.
        """
        faces, points = unit.shape[:2]
        inside, unsure = np.zeros((faces, points), bool), np.ones((faces, points), bool)
        distance = np.full((faces, points), np.inf)
        for chords in self._groups:
            members = chords.members
            inside[members], unsure[members], distance[members] = chords.test(unit[members])
            column, place = np.nonzero(unsure[members] & self.sound[members, None])
            share = max(1, PAIRS // len(chords.seam))
            for part in (np.s_[at : at + share] for at in range(0, len(column), share)):
                rows = members[column[part]], place[part]
                inside[rows], unsure[rows] = self._beside(chords, column[part], unit[rows])
        unsure[~self.sound] = True
        for number in np.flatnonzero(unsure.any(axis=1)).tolist():
            rows = unsure[number]
            inside[number, rows] = self.classify(number, unit[number, rows])
        return inside, distance

    def _beside(self, chords: Chords, column: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which side of the nearest curve some points lie on: inside or on, and whether that is still unsure, as at
        corners. Shapes: (n,) among the faces of `chords`, (n, 2) rescaled -> twice (n,)"""
        gap, along = chords.gaps(column, points)
        every, error = np.arange(len(column)), chords.error[:, column]
        best = np.where(error > 0, gap, np.inf).argmin(axis=0)
        coedge, ends = chords.coedge[best, column], chords.share[best, column]
        share = ends[:, 0] + along[best, every] * (ends[:, 1] - ends[:, 0])
        face = chords.members[column]
        target = points - chords.shift[best, column]
        for _ in range(NEWTON_STEPS):
            point, slope = self._at(face, coedge, share)
            squared = np.maximum((slope * slope).sum(axis=1), 1e-300)
            share = np.clip(share + ((target - point) * slope).sum(axis=1) / squared, 0.0, 1.0)
        point, slope = self._at(face, coedge, share)
        away = target - point
        near = np.linalg.norm(away, axis=1)
        on = near <= KERNEL_TOLERANCE  # the side is exact, so no more than the kernel's own tolerance is needed
        upright = np.abs((away * slope).sum(axis=1)) <= 1e-3 * near * np.linalg.norm(slope, axis=1)
        rival = np.where(chords.coedge[:, column] != coedge, gap - error, np.inf).min(axis=0)
        side = (slope[:, 0] * away[:, 1] - slope[:, 1] * away[:, 0]) * self._loops.sign[coedge]
        left = np.where(self.flipped[face], -side, side) > 0
        return left | on, ~on & ~(upright & (rival > near))

    def _at(self, face: np.ndarray, coedge: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points of coedges in the rescaled boxes, and derivatives by the share of the parameter range."""
        uv, slope = self._loops.at(coedge, share)
        return self.unit(face, uv), slope / self._sides[face]
