"""A face's own part of its surface: the (u, v) box, and which points of it lie inside the trimming loops."""

from dataclasses import dataclass

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.BRepTools import BRepTools
from OCP.gp import gp_Pnt2d
from OCP.IntTools import IntTools_FClass2d
from OCP.TopAbs import TopAbs_OUT, TopAbs_REVERSED
from OCP.TopoDS import TopoDS_Edge, TopoDS_Face

from brep_mae.brep.curves import Curve, parameter_curve
from brep_mae.brep.reject import Reject
from brep_mae.brep.surfaces import Surface, surface_of

ON = 1e-9
"""Distance from the boundary, in the (u, v) box rescaled to 1 x 1, that counts as being on it."""
UNSURE = 1e-6
"""Within this distance, or the error of the chords, the polygon's answer is not trusted and OCCT's is taken."""
CHORD_ERROR = 5e-4
"""How far chords may leave a curve, in the rescaled box, before more of them are used."""
TURN = np.array([[0.8, 0.6], [-0.6, 0.8]])
"""Loops are tested in a turned frame: samples share coordinates with corners, and a ray through one proves nothing."""
CHUNK = 32_768
"""Point-chord pairs at a time; keeps the working set in the processor's cache."""


@dataclass(frozen=True)
class Coedge:
    """An edge as one face uses it.

    Args:
        edge: oriented as in the face.
        index: of the edge among the solid's edges.
        forward: True where the curve's own direction has the face on its left, seen from outside.
        curve: in space; None where the edge is degenerate or has no curve there.
    """

    edge: TopoDS_Edge
    index: int
    forward: bool
    curve: Curve | None


class TrimmedFace:
    """A face with what every later step asks of it.

    Attributes:
        low, extent: corner and sides of the box of the trimming loops in (u, v).
        reversed: True where the outward normal is minus the surface's.
        flipped: True where u runs backwards in stored grids, so that their normals stay du x dv.
    """

    def __init__(self, face: TopoDS_Face, number: int) -> None:
        self.face = face
        self.surface: Surface = surface_of(face)
        u0, u1, v0, v1 = BRepTools.UVBounds_s(face)
        self.low = np.array([u0, v0])
        self.extent = np.array([u1 - u0, v1 - v0])
        if not (np.abs([u0, u1, v0, v1]) < 1e50).all() or not (self.extent > 0).all():
            raise Reject("degenerate", f"face {number} spans u {u0:g}..{u1:g}, v {v0:g}..{v1:g}")
        self.reversed = face.Orientation() == TopAbs_REVERSED
        self.flipped = self.reversed != self.surface.mirrored
        direction = np.array([-1.0, 1.0]) if self.flipped else np.ones(2)
        self._origin = np.where(direction < 0, self.low + self.extent, self.low)
        self._sides = direction * self.extent
        self._classifier: IntTools_FClass2d | None = None

    def outward(self, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uv (N, 2) in the surface's parameters -> points in mm, outward unit normals (N, 3)."""
        points, normals = self.surface.evaluate(uv)
        return points, -normals if self.reversed else normals

    def parameters(self, unit: np.ndarray) -> np.ndarray:
        """Points of the box rescaled to 1 x 1, in the direction of the stored grid -> surface parameters."""
        return self._origin + unit * self._sides

    def unit(self, uv: np.ndarray) -> np.ndarray:
        """Inverse of `parameters`."""
        return (uv - self._origin) / self._sides

    def classify(self, uv: np.ndarray) -> np.ndarray:
        """OCCT's exact answer, point by point: True where inside or on the boundary, also one period further on."""
        if self._classifier is None:
            self._classifier = IntTools_FClass2d(self.face, ON)
        perform = self._classifier.Perform
        return np.array([perform(gp_Pnt2d(u, v)) != TopAbs_OUT for u, v in uv.tolist()], dtype=bool)


def _thinned(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Points along a curve -> every 2^k-th of them, as few as stay within CHORD_ERROR, and a bound on the error.

    Many straight sides are stored as splines; they become one chord.
    """
    count = len(points) - 1
    if count == 1:
        return points, 0.0
    own = float(np.abs(points[1:-1] - (points[:-2] + points[2:]) / 2).max())  # four times the error of the full set
    stride = count
    while stride > 1:
        if count % stride == 0:
            corners = points[::stride]
            share = np.linspace(0.0, 1.0, stride + 1)[None, 1:-1, None]
            chords = corners[:-1, None] * (1 - share) + corners[1:, None] * share
            between = points[:-1].reshape(-1, stride, 2)[:, 1:]
            along = (corners[1:] - corners[:-1])[:, None]
            off = between - corners[:-1, None]
            across = np.abs(off[..., 0] * along[..., 1] - off[..., 1] * along[..., 0])
            length = np.linalg.norm(along, axis=-1)
            gap = across / np.where(length > 0, length, 1.0)
            beyond = np.linalg.norm(between - chords, axis=-1) > length / 2 + CHORD_ERROR  # doubles back on itself
            error = float(gap.max()) + own
            if error <= CHORD_ERROR and (length > 0).all() and not beyond.any():
                return corners, error
        stride //= 2
    return points, own


class Loops:
    """The trimming loops as chords in the rescaled box.

    Curved sides are followed by chords (see `curves`). On a periodic surface the loops repeat with the period, as
    the surface does, and a seam is no boundary: crossing it stays on the face. A pole or apex is one, because beyond
    it OCCT's domain ends. Where a surface is merely closed, not periodic, its seam is a boundary like any other.
    """

    def __init__(self, face: TrimmedFace, coedges: list[Coedge]) -> None:
        self._face = face
        chords, is_seam, self._chord_error = self._chords(face, coedges)
        shifts = [np.zeros(2)]
        for axis, period in enumerate(face.surface.period):
            if period:
                step = np.eye(2)[axis] * period / face.extent
                shifts = [shift + sign * step for shift in shifts for sign in (0, -1, 1)]
        self._start = np.concatenate([chords[:, 0] + shift for shift in shifts]) @ TURN
        self._end = np.concatenate([chords[:, 1] + shift for shift in shifts]) @ TURN
        self._boundary = np.tile(~is_seam, len(shifts))

    @staticmethod
    def _chords(face: TrimmedFace, coedges: list[Coedge]) -> tuple[np.ndarray, np.ndarray, float]:
        """Chords (M, 2, 2), whether each is a seam in a periodic direction, and how far a curve leaves them."""
        chords, is_seam, error = [np.zeros((0, 2, 2))], [np.zeros(0, bool)], 0.0
        for coedge in coedges:
            curve, flat = coedge.curve, face.surface.kind == "plane"
            if not flat or curve is None:
                curve = parameter_curve(coedge.edge, face.face)
            if curve is None:
                continue
            fine, _ = curve.sample(curve.segments + 1)
            if flat and fine.shape[1] == 3:
                frame = face.surface.frame
                assert frame is not None
                fine = (fine - frame.origin) @ (np.array([frame.x, frame.y]).T / frame.length**2)
            points = face.unit(fine)
            points, gap = _thinned(points)
            error = max(error, gap)
            chords.append(np.concatenate([points[:-1, None], points[1:, None]], axis=1))
            seam = False
            if any(face.surface.period) and BRep_Tool.IsClosed_s(coedge.edge, face.face):
                across = int(np.argmin(np.ptp(points, axis=0)))  # a seam runs along one axis and repeats across it
                seam = face.surface.period[across] > 0
            is_seam.append(np.full(len(points) - 1, seam))
        return np.concatenate(chords), np.concatenate(is_seam), error

    def locate(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rescaled points (N, 2) -> inside or on (N,) bool, distance to the nearest boundary chord (N,), infinite
        where the face has no boundary.

        The polygon answers where a point is clear of it and both rays agree; OCCT answers for the rest, and for the
        whole face where it contradicts the polygon at its safest point.
        """
        if len(self._start) == 0:
            return self._face.classify(self._face.parameters(unit)), np.full(len(unit), np.inf)
        parts = max(1, len(unit) * len(self._start) // CHUNK)
        found = [self._polygon(part) for part in np.array_split(unit, parts)]
        inside, sure, near, distance = (np.concatenate(column) for column in zip(*found, strict=True))
        unsure = ~sure | (near <= max(UNSURE, self._chord_error))
        straight_on = (near <= ON) & (self._chord_error == 0)
        inside |= straight_on
        unsure &= ~straight_on
        safest = int(np.argmax(np.where(sure, near, -1.0)))
        if self._face.classify(self._face.parameters(unit[safest : safest + 1]))[0] != inside[safest]:
            unsure[:] = True
        if unsure.any():
            inside[unsure] = self._face.classify(self._face.parameters(unit[unsure]))
        return inside, distance

    def _polygon(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Even-odd answer, whether two rays agree on it, distance to any chord, distance to a boundary chord."""
        turned = unit @ TURN
        x, y = turned[:, :1], turned[:, 1:]
        x0, y0 = self._start.T
        x1, y1 = self._end.T
        dx, dy = self._end.T - self._start.T
        px, py = x - x0, y - y0  # (N, M)
        squared = np.maximum(dx * dx + dy * dy, 1e-300)
        t = np.clip((px * dx + py * dy) / squared, 0.0, 1.0)
        gap = (px - t * dx) ** 2 + (py - t * dy) ** 2
        near = np.sqrt(gap.min(axis=1))
        distance = np.sqrt(gap[:, self._boundary].min(axis=1, initial=np.inf))
        side = px * dy - py * dx  # > 0: the point lies right of the chord
        spans_y = (y0 > y) != (y1 > y)
        spans_x = (x0 > x) != (x1 > x)
        right = (spans_y & ((side > 0) == (dy < 0))).sum(axis=1) % 2 == 1  # chords crossed going towards +x
        up = (spans_x & ((side > 0) == (dx > 0))).sum(axis=1) % 2 == 1  # and towards +y
        return right, right == up, near, distance
