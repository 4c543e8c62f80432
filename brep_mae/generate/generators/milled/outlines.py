"""Outlines of what is milled away, seen from above a side of the cube: closed ones, and ones that run out of it.

Origin in the middle of the side, which reaches from -HALF_MM to HALF_MM. Outlines leave it at x+ (notches), at the
corner (x+, y+), or at x+ and both ends of y (strips), and there overshoot it by RUN_MM. Every maker draws the sizes
from `rng` and returns the corners in turn.

Shapes: (points, 2).
"""

from math import exp, log, pi

import numpy as np

from brep_mae.generate.labelled import Rejected

Rng = np.random.Generator

HALF_MM = 5.0
LEAST_MM, MOST_MM = 2.0, 9.0  # of a feature's width, reach and depth
MARGIN_MM = 1.0  # from what is closed to the side's edges
RUN_MM = 0.2


def extent_mm(rng: Rng, least_share: float, mean_mm: float, most_mm: float = MOST_MM) -> float:
    """LEAST_MM at times, otherwise more: small ones are common, as where later features find little room.

    Args:
        least_share: how often it is LEAST_MM, in [0, 1].
        mean_mm: what the others have above LEAST_MM on average, before `most_mm` cuts the long ones off.
    """
    if rng.random() < least_share:
        return LEAST_MM
    return LEAST_MM - mean_mm * log(1 - rng.random() * (1 - exp((LEAST_MM - most_mm) / mean_mm)))


def width_mm(rng: Rng) -> float:
    return extent_mm(rng, 0.55, 2.5, 2 * (HALF_MM - MARGIN_MM))


def reach_mm(rng: Rng) -> float:
    """How far an open outline reaches into the side."""
    return extent_mm(rng, 0.15, 4.5)


def _somewhere(rng: Rng, points: np.ndarray) -> np.ndarray:
    """The closed outline moved to anywhere inside the margins."""
    low, high = points.min(0), points.max(0)
    room = 2 * (HALF_MM - MARGIN_MM) - (high - low)
    if room.min() < 0:
        raise Rejected("larger than the side")
    return points - low - (HALF_MM - MARGIN_MM) + room * rng.random(2)


def _round(rng: Rng, angles_rad: np.ndarray) -> np.ndarray:
    """Corners on a circle, now and then on an ellipse."""
    radii = np.array([width_mm(rng), width_mm(rng)]) / 2
    if rng.random() < 0.8:
        radii[:] = radii.min()
    return _somewhere(rng, radii * np.column_stack([np.cos(angles_rad), np.sin(angles_rad)]))


def triangle(rng: Rng) -> np.ndarray:
    """Nearly equilateral."""
    return _round(rng, rng.uniform(0, 2 * pi) + 2 * pi * np.arange(3) / 3 + rng.uniform(-0.35, 0.35, 3))


def hexagon(rng: Rng) -> np.ndarray:
    return _round(rng, rng.uniform(0, 2 * pi) + pi * np.arange(6) / 3)


def rectangle(rng: Rng) -> np.ndarray:
    """Mostly in line with the side, now and then askew."""
    x, y = width_mm(rng) / 2, width_mm(rng) / 2
    turn = rng.uniform(0, pi / 6) if rng.random() < 0.05 else 0.0
    corners = np.array([(-x, -y), (x, -y), (x, y), (-x, y)])
    return _somewhere(rng, corners @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])


def _mouth(rng: Rng) -> tuple[float, float]:
    """Where a notch is open: least and greatest y."""
    width = width_mm(rng)
    low = rng.uniform(MARGIN_MM - HALF_MM, HALF_MM - MARGIN_MM - width)
    return low, low + width


def rectangular_notch(rng: Rng) -> np.ndarray:
    (low, high), inner, outer = _mouth(rng), HALF_MM - reach_mm(rng), HALF_MM + RUN_MM
    return np.array([(inner, low), (outer, low), (outer, high), (inner, high)])


def triangular_notch(rng: Rng) -> np.ndarray:
    """Its tip lies in the middle; the walls go on in line where they leave the side."""
    (low, high), reach = _mouth(rng), reach_mm(rng)
    wider, outer = (high - low) / 2 * RUN_MM / reach, HALF_MM + RUN_MM
    return np.array([(HALF_MM - reach, (low + high) / 2), (outer, low - wider), (outer, high + wider)])


def rectangular_corner(rng: Rng) -> np.ndarray:
    x, y, outer = HALF_MM - reach_mm(rng), HALF_MM - reach_mm(rng), HALF_MM + RUN_MM
    return np.array([(x, y), (outer, y), (outer, outer), (x, outer)])


def _cut_corner(x_mm: float, y_mm: float) -> np.ndarray:
    """A corner cut off by a straight wall, which goes on in line past both sides."""
    beyond = RUN_MM / min(x_mm, y_mm)
    x, y = HALF_MM + beyond * x_mm, HALF_MM + beyond * y_mm
    return np.array([(x, y), (x - (1 + 2 * beyond) * x_mm, y), (x, y - (1 + 2 * beyond) * y_mm)])


def triangular_corner(rng: Rng) -> np.ndarray:
    return _cut_corner(reach_mm(rng), reach_mm(rng))


def bevel(rng: Rng) -> np.ndarray:
    """A corner cut off at 45 degrees."""
    size = rng.uniform(1.0, 4.0)
    return _cut_corner(size, size)


def slanted_strip(rng: Rng) -> np.ndarray:
    """Its wall runs askew from one end to the other."""
    reach = reach_mm(rng)
    slope = reach * rng.uniform(0.25, 0.6) / (2 * HALF_MM)
    inner, outer, end = HALF_MM - reach, HALF_MM + RUN_MM, HALF_MM + RUN_MM
    wall = [(inner + slope * (HALF_MM + end), end), (inner - slope * RUN_MM, -end)]
    return np.array([(outer, -end), (outer, end), *wall]) * (1.0, rng.choice([-1.0, 1.0]))


def bent_strip(rng: Rng) -> np.ndarray:
    """Its wall is bent, and deepest, half way."""
    reach = reach_mm(rng)
    slope = reach * rng.uniform(0.25, 0.6) / HALF_MM
    inner, outer, end = HALF_MM - reach, HALF_MM + RUN_MM, HALF_MM + RUN_MM
    side = inner + slope * end
    return np.array([(side, -end), (outer, -end), (outer, end), (side, end), (inner, 0.0)])
