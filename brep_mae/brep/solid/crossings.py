"""Do loops of a face that has very many of them cross?

The kernel compares every loop of a face with every other one while it reads, which takes a minute where they are
thousands. Whoever spares it that must look for themselves: at boxes of loops, and only where these meet at chords.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from brep_mae.brep.faces.topology import MANY_LOOPS
from brep_mae.brep.ragged import owners, span
from brep_mae.brep.solid.measured import MeasuredSolid

TOUCH = 1e-9
"""Distance, as a share of the face's box, at which chords follow one another, and loops touch."""
STRIP = 256
"""Loops whose boxes are compared with those of others at a time."""


def loops_cross(part: MeasuredSolid) -> bool:
    """True where loops of one face of MANY_LOOPS or more cross or touch, or chords of one do not follow one another."""
    many = np.flatnonzero(part.topology.loops >= MANY_LOOPS).tolist()
    return any(_cross(*part.trimming.boundary(number)) for number in many)


def _cross(chords: np.ndarray, error: np.ndarray) -> bool:
    """Args: chords (n, 2 ends, 2) of loops one after the other, each in its order, whichever way it goes; error (n,)
    how far curves leave them."""
    gaps = np.abs(chords[:-1, :, None] - chords[1:, None, :]).max(axis=-1)
    loop = np.cumsum(np.concatenate([[0], gaps.min(axis=(1, 2)) > TOUCH]))
    first = np.searchsorted(loop, np.arange(loop[-1] + 2))
    low, high = span(chords.reshape(-1, 2), np.repeat(loop, 2), len(first) - 1)
    margin = error + TOUCH
    most = np.maximum.reduceat(margin, first[:-1])[:, None]
    own = [(chords[a:b], margin[a:b]) for a, b in pairwise(first)]
    return any(_meet(*own[a], *own[b]) for a, b in _overlapping(low - most, high + most))


def _overlapping(low: np.ndarray, high: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of boxes that overlap, found along the first axis. Shapes: twice (n, 2)"""
    order = np.argsort(low[:, 0])
    low, high = low[order], high[order]
    ahead = np.searchsorted(low[:, 0], high[:, 0], "right") - np.arange(len(low)) - 1
    for start in range(0, len(low), STRIP):
        a, place = owners(ahead[start : start + STRIP])
        a += start
        b = a + 1 + place
        meet = (low[a, 1] <= high[b, 1]) & (low[b, 1] <= high[a, 1])
        yield from zip(order[a[meet]].tolist(), order[b[meet]].tolist(), strict=True)


def _meet(one: np.ndarray, one_margin: np.ndarray, other: np.ndarray, other_margin: np.ndarray) -> bool:
    """True where a chord of one loop comes as near to one of the other as their margins say."""
    (a, b), (c, d) = one.transpose(1, 0, 2)[:, :, None], other.transpose(1, 0, 2)[:, None]
    margin = one_margin[:, None] + other_margin
    low, high = np.minimum(a, b) - margin[..., None], np.maximum(a, b) + margin[..., None]
    far = ((np.minimum(c, d) > high) | (np.maximum(c, d) < low)).any(axis=-1)
    return bool((~(far | _same_side(c - a, d - a, b - a, margin) | _same_side(a - c, b - c, d - c, margin))).any())


def _same_side(one: np.ndarray, other: np.ndarray, along: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """True where two points lie on one side of a line through the origin, and farther from it than the margin."""
    side, second = (along[..., 0] * point[..., 1] - along[..., 1] * point[..., 0] for point in (one, other))
    clear = margin * np.hypot(along[..., 0], along[..., 1])
    return (side * second > 0) & (np.minimum(np.abs(side), np.abs(second)) > clear)
