"""Flat faces of a part and the free room in them, measured in the face's own plane."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from OCP.BRepAdaptor import BRepAdaptor_Curve, BRepAdaptor_Surface
from OCP.GeomAbs import GeomAbs_CurveType
from OCP.TopAbs import TopAbs_REVERSED
from OCP.TopoDS import TopoDS_Face

from brep_mae.generate.generators.modelled.sketches.sketch import Frame
from brep_mae.generate.labelled import edges

Rng = np.random.Generator

TRIES = 48  # points of a face that are tried as centres
BEND = 16  # pieces a curved edge is measured with


@dataclass(frozen=True)
class Flat:
    """A flat face. Shapes: rim (S, 2, 2), the boundary as straight pieces in the frame's u and v."""

    frame: Frame
    rim: np.ndarray

    @cached_property
    def _dots(self) -> np.ndarray:
        """Points along the rim, so close that nothing of note fits between two."""
        start, along = self.rim[:, 0], self.rim[:, 1] - self.rim[:, 0]
        length = np.linalg.norm(along, axis=1)
        count = np.maximum(1, np.ceil(length / (np.ptp(self.rim, axis=(0, 1)).max() / 80)).astype(int))
        piece = np.repeat(np.arange(len(count)), count)
        share = (np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)) / count[piece]
        return start[piece] + share[:, None] * along[piece]

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        return self.rim.min((0, 1)), self.rim.max((0, 1))

    def inside(self, points: np.ndarray) -> np.ndarray:
        """(P, 2) -> (P,) True = in the face."""
        (u0, v0), (u1, v1) = self.rim[:, 0].T, self.rim[:, 1].T
        # a little aside, since a ray through the seam of a circle can pass between its two ends
        u, v = points[:, :1], points[:, 1:] + 1e-6 * np.ptp(self.rim[..., 1])
        spans = (v0 > v) != (v1 > v)
        with np.errstate(divide="ignore", invalid="ignore"):
            crossed = spans & (u < u0 + (v - v0) * (u1 - u0) / (v1 - v0))
        return crossed.sum(1) % 2 == 1

    def clearance(self, points: np.ndarray) -> np.ndarray:
        """(P, 2) -> (P,) distance to the rim, negative outside the face."""
        distance = np.sqrt(((points[:, None] - self._dots) ** 2).sum(-1).min(1))
        return np.where(self.inside(points), distance, -distance)

    def centre(self, rng: Rng) -> np.ndarray:
        """A point with room around it: the middle, where it has some, or one drawn."""
        low, high = self.box
        points = np.vstack([(low + high) / 2, rng.uniform(low, high, (TRIES, 2))])
        clear = self.clearance(points)
        best = clear.max()
        if clear[0] > 0.6 * best and rng.random() < 0.35:
            return points[0]
        return points[rng.choice(np.flatnonzero(clear >= min(best, rng.uniform(0.45, 1.0) * best)))]

    def free_box(self, at: np.ndarray, aspect: float) -> tuple[float, float]:
        """Half sides of the largest free box with these proportions about a point."""
        away = np.abs(self._dots - at)
        b = float(np.maximum(away[:, 0] / aspect, away[:, 1]).min())
        return aspect * b, b

    def ring(self, rng: Rng) -> tuple[np.ndarray, float, float]:
        """Centre, radius and half width of a free ring about the face's middle, which may be a hole."""
        low, high = self.box
        middle = (low + high) / 2
        away = np.linalg.norm(self._dots - middle, axis=1)
        radii = rng.uniform(0.15, 1.0, 24) * (high - low).min() / 2
        half = np.minimum(np.abs(radii[:, None] - away).min(1), 0.8 * radii)
        half[~self.inside(middle + radii[:, None] * [1.0, 0.0])] = 0.0
        k = rng.choice(np.flatnonzero(half >= 0.6 * half.max()))
        return middle, float(radii[k]), float(half[k])


def flat(face: TopoDS_Face) -> Flat:
    """A face that lies in a plane; its frame's u runs along its longest straight edge."""
    plane = BRepAdaptor_Surface(face).Plane()
    at, out, x = plane.Location(), plane.Axis().Direction(), plane.XAxis().Direction()
    if (face.Orientation() == TopAbs_REVERSED) == plane.Direct():
        out.Reverse()
    pieces, longest = [], 0.0
    for edge in edges(face):
        curve = BRepAdaptor_Curve(edge)
        straight = curve.GetType() == GeomAbs_CurveType.GeomAbs_Line
        stops = np.linspace(curve.FirstParameter(), curve.LastParameter(), 2 if straight else BEND + 1)
        points = [curve.Value(float(t)) for t in stops]
        if straight and points[0].Distance(points[1]) > longest:
            longest, x = points[0].Distance(points[1]), curve.Line().Direction()
        xyz = np.array([(p.X(), p.Y(), p.Z()) for p in points])
        pieces.append(np.stack([xyz[:-1], xyz[1:]], axis=1))
    frame = Frame((at.X(), at.Y(), at.Z()), (x.X(), x.Y(), x.Z()), (out.X(), out.Y(), out.Z()))
    local = (np.concatenate(pieces) - frame.origin) @ np.stack([frame.x, frame.y], axis=1)
    return Flat(frame, local)
