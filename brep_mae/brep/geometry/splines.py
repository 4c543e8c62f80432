"""Many B-spline and Bezier curves at once: knots and poles of all of them in flat arrays.

A spline on one span is the sum of degree + 1 poles, each times its basis function; those follow from the knots round
the span by the recurrence of de Boor and Cox. scipy evaluates one spline per call, at tens of microseconds for
overhead alone, and a solid has hundreds.
"""

from collections.abc import Sequence

import numpy as np

from brep_mae.brep.geometry.jets import Jet, divided
from brep_mae.brep.geometry.poles import Axis, Spline


class Axes:
    """Knot sequences of one degree.

    Attributes:
        degree; poles (K,) number of poles of each.
    """

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.degree = degree = axes[0].degree
        lengths = np.array([len(axis.knots) for axis in axes])
        start = np.cumsum(lengths) - lengths
        self.poles = lengths - degree - 1
        self._knots = knots = np.concatenate([axis.knots for axis in axes])
        self._periodic = np.array([axis.periodic for axis in axes])
        self._start, self._bottom, self._top = start, start + degree, start + self.poles - 1
        self._low, self._high = knots[self._bottom], knots[self._top + 1]
        for _ in range(degree):  # unclamped axes may have repeated knots at their ends
            self._top = self._top - (knots[self._top] == self._high)
            self._bottom = self._bottom + (knots[self._bottom + 1] == self._low)
        self._steps = int((self._top - self._bottom).max()).bit_length()

    def basis(self, row: np.ndarray, t: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
        """Place of the first of the degree + 1 poles that count, and what they are multiplied by.

        Derivatives at a knot are those of the span that follows, at the end of the domain those of the last. Outside
        the domain the polynomials of the last spans go on. Shapes: (N,), (N,) -> (N,), (order + 1, degree + 1, N)
        """
        if self._periodic.any():  # the end of the base range stays the end
            low, high = self._low[row], self._high[row]
            outside = ((t < low) | (t > high)) & self._periodic[row]
            t = np.where(outside, low + (t - low) % (high - low), t)
        span = self._span(row, t)
        degree = self.degree
        window = self._knots.take(span + np.arange(1 - degree, degree + 1)[:, None])
        levels, widths = [np.ones((1, len(t)))], []
        for d in range(1, degree + 1):
            lower, upper = window[degree - d : degree], window[degree : degree + d]
            widths.append(1 / (upper - lower))
            share = levels[-1] * widths[-1]
            level = np.zeros((d + 1, len(t)))
            level[:-1] = (upper - t) * share
            level[1:] += (t - lower) * share
            levels.append(level)
        out = np.zeros((order + 1, degree + 1, len(t)))
        for k in range(min(order, degree) + 1):
            level = levels[degree - k]
            for d in range(degree - k + 1, degree + 1):
                share = d * level * widths[d - 1]
                level = np.zeros((d + 1, len(t)))
                level[:-1] = -share
                level[1:] += share
            out[k] = level
        return span - self._start[row] - degree, out

    def _span(self, row: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Place in the flat knots of the last one at or before t, by halving."""
        low, high = self._bottom[row], self._top[row]
        for _ in range(self._steps):
            middle = (low + high + 1) >> 1
            after = self._knots.take(middle) <= t
            low, high = np.where(after, middle, low), np.where(after, high, middle - 1)
        return low


class SplineCurves:
    """Curves of one dimension D, evaluated together; those of a degree in one go."""

    def __init__(self, curves: Sequence[Spline], dimension: int) -> None:
        self._dimension = dimension
        keys = [(curve.axes[0].degree, curve.rational) for curve in curves]
        self._group, self._row = np.zeros(len(curves), np.int64), np.zeros(len(curves), np.int64)
        self._groups: list[tuple[Axes, np.ndarray, np.ndarray, bool]] = []
        for number, key in enumerate(sorted(set(keys))):
            members = [i for i, other in enumerate(keys) if other == key]
            self._group[members], self._row[members] = number, np.arange(len(members))
            axes = Axes([curves[i].axes[0] for i in members])
            poles = np.concatenate([curves[i].poles for i in members])
            self._groups.append((axes, np.cumsum(axes.poles) - axes.poles, np.ascontiguousarray(poles.T), key[1]))

    def place(self, curves: np.ndarray, matrices: np.ndarray, offsets: np.ndarray) -> None:
        """Moves some of the curves. Shapes: (k,), (k, D, D), (k, D)"""
        for number, (axes, _, poles, rational) in enumerate(self._groups):
            chosen = np.flatnonzero(self._group[curves] == number)
            place = np.full(len(axes.poles), -1)
            place[self._row[curves[chosen]]] = chosen
            owner = np.repeat(place, axes.poles)
            at = np.flatnonzero(owner >= 0)
            weight = poles[-1:, at] if rational else 1.0
            turned = np.einsum("nij,jn->in", matrices[owner[at]], poles[: self._dimension, at])
            poles[: self._dimension, at] = turned + offsets[owner[at]].T * weight

    def evaluate(self, curve: np.ndarray, t: np.ndarray, order: int) -> Jet:
        """Shapes: (N,), (N,) -> (N, D) each"""
        out = np.empty((order + 1, self._dimension, len(t)))
        group = self._group[curve]
        for number, (axes, start, poles, rational) in enumerate(self._groups):
            chosen = np.flatnonzero(group == number) if len(self._groups) > 1 else np.arange(len(t))
            if not len(chosen):
                continue
            row = self._row[curve[chosen]]
            first, weights = axes.basis(row, t[chosen], order)
            places = first + start[row] + np.arange(axes.degree + 1)[:, None]
            values = np.einsum("kpn,wpn->kwn", weights, poles.take(places, axis=1))
            if rational:
                jet = projected({(k, 0): value.T for k, value in enumerate(values)})
                values = np.stack([value.T for value in jet.values()])
            out[:, :, chosen] = values
        return {(k, 0): values.T for k, values in enumerate(out)}


def projected(jet: Jet) -> Jet:
    """From coordinates times weight, and the weight, to coordinates."""
    return divided({k: x[..., :-1] for k, x in jet.items()}, {k: x[..., -1:] for k, x in jet.items()})
