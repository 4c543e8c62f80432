"""Curves in the plane or in space as functions of many parameters at once."""

from functools import cached_property
from typing import Any

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.gp import gp_Pnt, gp_Pnt2d, gp_Trsf, gp_Vec, gp_Vec2d
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Edge, TopoDS_Face, TopoDS_Shape

from brep_mae.brep.geometry.freeform_curves import FreeCurves
from brep_mae.brep.geometry.quadrature import NODES, UNEVEN, WEIGHTS, adaptive_nodes, simpson_error
from brep_mae.brep.geometry.untrimmed import untrimmed
from brep_mae.brep.ragged import owners, run, span
from brep_mae.schema import CURVE_TYPES

LINE, CIRCLE, ELLIPSE, BEZIER, BSPLINE = (
    CURVE_TYPES.index(kind) for kind in ("line", "circle", "ellipse", "bezier", "bspline")
)
_KIND = {
    f"{module}_{name}": CURVE_TYPES.index(kind)
    for module in ("Geom", "Geom2d")
    for name, kind in {
        "Line": "line",
        "Circle": "circle",
        "Ellipse": "ellipse",
        "Hyperbola": "hyperbola",
        "Parabola": "parabola",
        "BezierCurve": "bezier",
        "BSplineCurve": "bspline",
        "OffsetCurve": "offset",
    }.items()
}

TURN_SEGMENTS = 64
"""Chords per full turn of a circle or ellipse; a chord then leaves the curve by 0.12 % of the radius."""
FREE_SEGMENTS = 32
"""Chords of a free-form curve at least, and four per knot span at least; as many in each span if the knots are even,
for kinks then fall between them. Counts are a power of two times the number of spans."""
MOST_SEGMENTS = 512
LEAST_SIDE = 1e-3
"""What errors are measured by, as a share of the longest side of a curve's box; less would ask for noise."""


class Curves:
    """Curves of one dimension D, evaluated together.

    A straight line is lead + tau along, a circle or ellipse lead + cos(tau) spoke + sin(tau) along, under any placement
    (there p'' = -(p - centre)); tau is the parameter less its first value. Other curves are in
    `freeform_curves`.

    Attributes:
        kind (E,) index in schema.CURVE_TYPES; first, last (E,) parameters; segments (E,) chords that follow the curve
        closely; straight (E,) True for a line and for a spline that is a single chord; turns (E,) True for circles and
        ellipses; exists (E,) False where a curve was missing, whose values mean nothing.
    """

    def __init__(self, dim: int) -> None:
        point, vector = (gp_Pnt, gp_Vec) if dim == 3 else (gp_Pnt2d, gp_Vec2d)
        self._p, self._v, self._w = point(), vector(), vector()
        self._nothing = (0.0,) * dim
        self._rows: list[tuple[Any, ...]] = []
        self._free: dict[int, Any] = {}
        self._placed: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.dim = dim

    def add(self, curve: Any, first: float, last: float, trsf: gp_Trsf | None = None) -> None:
        """Takes the next curve; None stands for a missing one.

        Args:
            curve: Geom_Curve or Geom2d_Curve.
            trsf: its placement, None for one that stays where it is.
        """
        zero = self._nothing
        if curve is None:
            self._rows.append((-1, 0.0, 0.0, 1, zero, zero, zero))
            return
        kind = _KIND.get(type(curve).__name__, -1)
        if kind < 0:
            curve = untrimmed(curve)
            kind = _KIND.get(type(curve).__name__, len(CURVE_TYPES) - 1)
        p, v = self._p, self._v
        if trsf is not None:
            rows = np.array([[trsf.Value(i, j) for j in (1, 2, 3, 4)] for i in (1, 2, 3)])
            self._placed[len(self._rows)] = rows[:, :3], rows[:, 3]
        if kind == LINE or (kind in (BEZIER, BSPLINE) and _is_chord(curve)):
            curve.D1(first, p, v)
            self._rows.append((kind, first, last, 1, p.Coord(), v.Coord(), zero))
        elif kind in (CIRCLE, ELLIPSE):
            curve.D2(first, p, v, self._w)
            segments = _power_of_two(max(4.0, TURN_SEGMENTS * abs(last - first) / (2 * np.pi)))
            self._rows.append((kind, first, last, segments, p.Coord(), v.Coord(), self._w.Coord()))
        else:
            self._free[len(self._rows)] = curve
            self._rows.append((kind, first, last, 0, zero, zero, zero))

    def close(self) -> "Curves":
        """After the last `add`."""
        columns = list(zip(*self._rows, strict=True)) or [()] * 7
        self.kind = np.array(columns[0], np.int64)
        self.exists = self.kind >= 0
        self.first, self.last = np.array(columns[1], float), np.array(columns[2], float)
        self.segments = np.array(columns[3], np.int64)
        base, along, second = (np.array(column, float).reshape(-1, self.dim) for column in columns[4:])
        free = np.array(list(self._free), np.int64)
        self._freeform = FreeCurves(list(self._free.values()), self.dim)
        self._row = np.full(len(self), -1)
        self._row[free] = np.arange(len(free))
        spans = [max(1, len(self._freeform.knots(row)) - 1) for row in range(len(free))]
        self.segments[free] = [
            min(MOST_SEGMENTS, count * _power_of_two(max(FREE_SEGMENTS / count, 4))) for count in spans
        ]
        if self._placed:
            index = np.array(list(self._placed))
            matrices, offsets = (np.array(part) for part in zip(*self._placed.values(), strict=True))
            base[index] = np.einsum("nij,nj->ni", matrices, base[index]) + offsets
            along[index], second[index] = (np.einsum("nij,nj->ni", matrices, x[index]) for x in (along, second))
            chosen = self._row[index] >= 0
            self._freeform.place(self._row[index[chosen]], matrices[chosen], offsets[chosen])
        self.turns = (self.kind == CIRCLE) | (self.kind == ELLIPSE)
        self.straight = self.exists & ~self.turns & (self._row < 0)
        self.lead, self.along, self.spoke = base + second, along, -second
        return self

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def free(self) -> np.ndarray:
        """(E,) True where the curve is neither straight nor a conic section of closed form."""
        return self._row >= 0

    def evaluate(self, index: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points and derivatives of curve `index` at parameter `t`.

        Shapes: (N,), (N,) -> twice (N, D)
        """
        row = self._row[index]
        free = row >= 0
        if not free.any():
            return self._closed(index, t)
        points, derivatives = np.empty((2, len(t), self.dim))
        points[free], derivatives[free] = self._freeform.evaluate(row[free], t[free], 1).values()
        points[~free], derivatives[~free] = self._closed(index[~free], t[~free])
        return points, derivatives

    def _closed(self, index: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`evaluate` for lines and conic sections; what it says of others means nothing."""
        tau = t - self.first[index]
        along, spoke, turns = self.along[index], self.spoke[index], self.turns[index]
        if not turns.any():
            return self.lead[index] + tau[:, None] * along, along
        cos, sin = np.cos(tau), np.sin(tau)
        a, b = np.where(turns, sin, tau)[:, None], np.where(turns, cos, 0.0)[:, None]
        points = self.lead[index] + a * along + b * spoke
        return points, np.where(turns, cos, 1.0)[:, None] * along - np.where(turns, sin, 0.0)[:, None] * spoke

    def sample(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """`count` points of every curve, uniform in the parameter, both ends included. Shapes: twice (E, count, D)"""
        t = self.first[:, None] + (self.last - self.first)[:, None] * np.linspace(0.0, 1.0, count)
        points, derivatives = self.evaluate(np.repeat(np.arange(len(self)), count), t.ravel())
        return points.reshape(-1, count, self.dim), derivatives.reshape(-1, count, self.dim)

    @cached_property
    def _dense(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """`segments` + 1 samples of each curve that exists: owner, place along it, point, derivative.

        Everything else that is asked of free-form curves is made from these, since their evaluation is what costs.
        """
        owner, place = owners(np.where(self.exists, self.segments + 1, 0))
        share = place / self.segments[owner]
        return owner, place, *self.evaluate(owner, self.first[owner] * (1 - share) + self.last[owner] * share)

    def polylines(self) -> tuple[np.ndarray, np.ndarray]:
        """Points that follow each curve, `segments` + 1 of them, none where it is missing. -> owner (N,), (N, D)"""
        return self._dense[0], self._dense[2]

    def polylines_with_slopes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same with derivatives. -> owner (N,), twice (N, D)"""
        return self._dense[0], self._dense[2], self._dense[3]

    def middles(self) -> tuple[np.ndarray, np.ndarray]:
        """Point and derivative half way along each curve's parameter. Shapes: twice (E, D)"""
        points, derivatives = self._closed(np.arange(len(self)), (self.first + self.last) / 2)
        owner, place, dense, slopes = self._dense
        half = (place * 2 == self.segments[owner]) & self.free[owner]
        points[owner[half]], derivatives[owner[half]] = dense[half], slopes[half]
        return points, derivatives

    def quadrature(self, pieces: int | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Nodes for integrals along each curve: owner (N,), point (N, D), weight x derivative (N, D).

        Four Gauss nodes on each of a line's `pieces` and on every other segment of a conic section; Simpson's rule
        over the segments of free-form curves, and four Gauss nodes on ever smaller pieces of those that are too uneven.
        """
        counts = np.where(self.straight, pieces, np.where(self.turns, self.segments // 2, 0))
        piece, place = owners(counts)
        step = (self.last - self.first)[piece] / counts[piece]
        t = self.first[piece][:, None] + step[:, None] * (place[:, None] + NODES)
        closed = np.repeat(piece, len(NODES))
        points, derivatives = self._closed(closed, t.ravel())
        derivatives = derivatives * (step[:, None] * WEIGHTS).reshape(-1, 1)
        if not self.free.any():
            return closed, points, derivatives
        owner, place, dense, slopes = self._dense
        sides, steps = self._sides(), (self.last - self.first) / np.maximum(self.segments, 1)
        panels = np.flatnonzero(self.free[owner] & (place % 2 == 0) & (place < self.segments[owner]))
        error = simpson_error(panels, dense / sides[owner], slopes * (steps[:, None] / sides)[owner])
        uneven = np.bincount(owner[panels], error, len(self)) > UNEVEN
        chosen = self.free[owner] & ~uneven[owner]
        owner, place, dense, slopes = owner[chosen], place[chosen], dense[chosen], slopes[chosen]
        ends = (place == 0) | (place == self.segments[owner])
        simpson = np.where(ends, 1.0, np.where(place % 2, 4.0, 2.0)) / 3
        slopes = slopes * (simpson * (self.last - self.first)[owner] / self.segments[owner])[:, None]
        rows = np.flatnonzero(uneven)
        knots = [self._freeform.breaks(self._row[row], self.first[row], self.last[row]) for row in rows.tolist()]
        nodes = adaptive_nodes(self.evaluate, rows, knots, sides)
        every, points, derivatives = (
            np.concatenate(parts)
            for parts in zip((closed, points, derivatives), (owner, dense, slopes), nodes, strict=True)
        )
        order = np.argsort(every, kind="stable")
        return every[order], points[order], derivatives[order]

    def _sides(self) -> np.ndarray:
        """Sides of the box of each curve's points, none of them next to nothing. Shapes: (E, D)"""
        low, high = span(self._dense[2], self._dense[0], len(self))
        sides = np.where(high > low, high - low, 0.0)
        return np.asarray(np.maximum(sides, LEAST_SIDE * sides.max(axis=1, keepdims=True)) + 1e-300)

    @cached_property
    def nodes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`quadrature` with one piece for each line."""
        return self.quadrature(1)

    def lengths(self) -> np.ndarray:
        """(E,) in the units of the points."""
        straight = np.linalg.norm(self.along, axis=1) * np.abs(self.last - self.first)
        rest = self.exists & ~self.straight & (self.kind != CIRCLE)
        if not rest.any():
            return straight
        owner, _, steps = self.nodes
        total = np.bincount(owner, np.linalg.norm(steps, axis=1), len(self))
        return np.where(rest, total, straight)

    def run(self, start: int, stop: int) -> "Curves":
        """Those from `start` to before `stop`."""
        other = run(self, start, stop)
        owner, *values = self._dense
        a, b = np.searchsorted(owner, (start, stop))
        other.__dict__.pop("nodes", None)
        other.__dict__["_dense"] = owner[a:b] - start, *(value[a:b] for value in values)
        return other


def edge_curves(edges: list[TopoDS_Edge]) -> Curves:
    """The edges in space (mm, located); missing where an edge is degenerate or has no curve of its own."""
    curves, location = Curves(3), TopLoc_Location()
    for edge in edges:
        curve = None if BRep_Tool.Degenerated_s(edge) else BRep_Tool.Curve_s(edge, location, 0.0, 0.0)
        if curve is None:
            curves.add(None, 0.0, 0.0)
        else:
            first, last = BRep_Tool.Range_s(edge)
            curves.add(curve, first, last, None if location.IsIdentity() else location.Transformation())
    return curves.close()


def parameter_curves(coedges: list[TopoDS_Shape], faces: list[TopoDS_Face | None]) -> Curves:
    """Each coedge in the (u, v) domain of its face, for a seam on the side that its orientation names.

    Missing where the face is None or the kernel holds no such curve.
    """
    curves = Curves(2)
    for shape, face in zip(coedges, faces, strict=True):
        if face is None:
            curves.add(None, 0.0, 0.0)
            continue
        edge = TopoDS.Edge_s(shape)
        pcurve = BRep_Tool.CurveOnSurface_s(edge, face, 0.0, 0.0)
        if pcurve is None:
            curves.add(None, 0.0, 0.0)
        else:
            first, last = BRep_Tool.Range_s(edge, face)
            curves.add(pcurve, first, last)
    return curves.close()


def _is_chord(spline: Any) -> bool:
    """True for a straight line at constant speed, as exporters like to write them."""
    return bool(spline.Degree() == 1 and spline.NbPoles() == 2 and not spline.IsRational() and not spline.IsClosed())


def _power_of_two(at_least: float) -> int:
    return 1 << max(0, int(np.ceil(np.log2(at_least) - 1e-9)))
