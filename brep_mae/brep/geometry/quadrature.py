"""Integrals along free-form curves: whether evenly spaced points are good enough, and nodes where they are not.

A curve in (u, v) that passes a pole turns within a sliver of its range, between two of the evenly spaced points.
"""

from collections.abc import Callable, Sequence

import numpy as np

UNEVEN, WAVE = 1e-5, 1e-2
"""Error of Simpson's rule that asks for better, as a share of a curve's box, and how much a full wave counts."""
PIECE_ERROR, SHORT, DEPTH = 1e-9, 8, 16
"""Error of a piece's integral as a share of the curve's box, the share of it that a piece crosses at most (an eighth),
and how often a piece is cut in two."""
ROUNDING = 1e-14
"""Of the points themselves, as a share of their coordinates."""

NODES, WEIGHTS = (np.polynomial.legendre.leggauss(4)[0] + 1) / 2, np.polynomial.legendre.leggauss(4)[1] / 2
"""Gauss nodes in [0, 1] and their weights."""


def simpson_error(panels: np.ndarray, points: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Error of Simpson's rule over each panel of three points.

    What is integrated is known: the derivative, and that of a wave that fits the curve's box once.

    Args:
        panels: (M,) places of their first points.
        points: (N, D) in units of the curve's box.
        steps: (N, D) derivative times the distance of two points.

    Shapes: -> (M,)
    """
    turn = 2 * np.pi * points
    sin, cos = WAVE * np.sin(turn), WAVE * np.cos(turn)
    values, rates = np.hstack([points, sin, cos]), np.hstack([steps, 2 * np.pi * cos * steps, -2 * np.pi * sin * steps])
    integral = (rates[panels] + 4 * rates[panels + 1] + rates[panels + 2]) / 3
    return np.asarray(np.abs(integral - values[panels + 2] + values[panels]).max(axis=1, initial=0.0))


def adaptive_nodes(
    evaluate: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    rows: np.ndarray,
    knots: Sequence[np.ndarray],
    sides: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss nodes on pieces between the knots, each cut in two until it is short and its derivative's integral right.

    Args:
        evaluate: curve (N,) and parameter (N,) -> points and derivatives (N, D).
        rows: the curves; knots: of each, both ends included.
        sides: (all curves, D) of their boxes.

    Shapes: -> curve (N,), point (N, D), weight x derivative (N, D)
    """
    dim = sides.shape[1]
    starts = [_finer(each) for each in knots]
    curve = np.repeat(rows, [len(each) - 1 for each in starts])
    begin, end = (np.concatenate([[], *(each[part] for each in starts)]) for part in (np.s_[:-1], np.s_[1:]))
    shares = np.array([0.0, *NODES, 1.0])
    found = [(np.empty(0, np.int64), np.empty((0, dim)), np.empty((0, dim)))]
    for depth in range(DEPTH + 1):
        t = begin[:, None] + (end - begin)[:, None] * shares
        points, slopes = (x.reshape(*t.shape, dim) for x in evaluate(np.repeat(curve, len(shares)), t.ravel()))
        steps = slopes[:, 1:-1] * (end - begin)[:, None, None] * WEIGHTS[:, None]
        error = np.abs(steps.sum(axis=1) - points[:, -1] + points[:, 0])
        noise = ROUNDING * np.abs(points).max(axis=1)
        long = np.abs(steps).sum(axis=1) * SHORT > sides[curve]
        again = ((error > PIECE_ERROR * sides[curve] + noise) | long).any(axis=1) & (depth < DEPTH)
        fine = np.flatnonzero(~again)
        nodes = points[fine, 1:-1].reshape(-1, dim), steps[fine].reshape(-1, dim)
        found.append((np.repeat(curve[fine], len(NODES)), *nodes))
        if not again.any():
            break
        middle = (begin[again] + end[again]) / 2
        begin, end = np.concatenate([begin[again], middle]), np.concatenate([middle, end[again]])
        curve = np.tile(curve[again], 2)
    owner, points, steps = (np.concatenate(column) for column in zip(*found, strict=True))
    return owner, points, steps


def _finer(knots: np.ndarray) -> np.ndarray:
    """With even pieces between the knots, so many in all that each may be short enough."""
    pieces = -(-SHORT // (len(knots) - 1))
    shares = np.arange(pieces) / pieces
    return np.append((knots[:-1, None] + np.diff(knots)[:, None] * shares).ravel(), knots[-1])
