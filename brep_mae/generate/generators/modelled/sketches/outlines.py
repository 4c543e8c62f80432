"""Outlines drawn with ruler and compass, counter-clockwise about the origin, and the table of all outlines."""

from collections.abc import Callable
from math import cos, pi, sin, tau

import numpy as np

from brep_mae.generate.generators.modelled.sketches.freehand import FREEHAND
from brep_mae.generate.generators.modelled.sketches.sketch import Curve, Kind, Loop, Point, polyline

Rng = np.random.Generator


def on_circle(radius: float, angle_rad: float, u: float = 0.0, v: float = 0.0) -> Point:
    return (u + radius * cos(angle_rad), v + radius * sin(angle_rad))


def arc(radius: float, start_rad: float, end_rad: float, u: float = 0.0, v: float = 0.0) -> Curve:
    angles = (start_rad, (start_rad + end_rad) / 2, end_rad)
    return Curve(Kind.ARC, tuple(on_circle(radius, angle, u, v) for angle in angles))


def circle(radius: float, u: float = 0.0, v: float = 0.0) -> Loop:
    return (Curve(Kind.CIRCLE, ((u, v), (u + radius, v))),)


def rectangle(a: float, b: float) -> Loop:
    """Half sides a and b, as in all outlines that fill a box."""
    return polyline([(-a, -b), (a, -b), (a, b), (-a, b)])


def regular(count: int, radius: float, turn_rad: float = 0.0) -> Loop:
    return polyline(on_circle(radius, turn_rad + tau * k / count) for k in range(count))


def rounded(points: list[Point], radius: float) -> Loop:
    """Polygon whose corners, convex or not, are arcs of the radius, or less where a side is too short for it."""
    count = len(points)
    loop: list[Curve] = []
    corners = [np.array(p) for p in points]
    cuts: list[tuple[Point, ...]] = []
    for k, corner in enumerate(corners):
        back, ahead = corners[k - 1] - corner, corners[(k + 1) % count] - corner
        lengths = np.linalg.norm(back), np.linalg.norm(ahead)
        back, ahead = back / lengths[0], ahead / lengths[1]
        half = np.arccos(np.clip(back @ ahead, -1, 1)) / 2
        trim = min(radius / np.tan(half), 0.45 * min(lengths))
        bisector = (back + ahead) / np.linalg.norm(back + ahead)
        middle = corner + bisector * trim * (1 / np.cos(half) - np.tan(half))
        cuts.append(tuple((float(p[0]), float(p[1])) for p in (corner + back * trim, middle, corner + ahead * trim)))
    for k, corner_points in enumerate(cuts):
        loop += [Curve(Kind.ARC, corner_points), Curve(Kind.LINE, (corner_points[-1], cuts[(k + 1) % count][0]))]
    return tuple(loop)


def obround(a: float, b: float) -> Loop:
    """Slot along u; a > b."""
    c = a - b
    return (
        Curve(Kind.LINE, ((-c, -b), (c, -b))),
        arc(b, -pi / 2, pi / 2, c),
        Curve(Kind.LINE, ((c, b), (-c, b))),
        arc(b, pi / 2, 3 * pi / 2, -c),
    )


def kidney(radius: float, half_width: float, angle_rad: float) -> Loop:
    """Slot bent about the origin, its middle on the u axis."""
    h = angle_rad / 2
    ends = [on_circle(radius, a) for a in (h, -h)]
    return (
        arc(radius + half_width, -h, h),
        arc(half_width, h, h + pi, *ends[0]),
        Curve(Kind.ARC, tuple(on_circle(radius - half_width, a) for a in (h, 0.0, -h))),
        arc(half_width, pi - h, tau - h, *ends[1]),
    )


def sector(inner: float, outer: float, angle_rad: float) -> Loop:
    """Piece of a ring, its middle on the u axis."""
    h = angle_rad / 2
    return (
        Curve(Kind.LINE, (on_circle(inner, -h), on_circle(outer, -h))),
        arc(outer, -h, h),
        Curve(Kind.LINE, (on_circle(outer, h), on_circle(inner, h))),
        Curve(Kind.ARC, tuple(on_circle(inner, a) for a in (h, 0.0, -h))),
    )


def _dee(rng: Rng, a: float, b: float) -> Loop:
    half = rng.uniform(0.35, 0.6) * pi / 2 + pi / 2
    r = min(a, b)
    return (arc(r, -half, half), Curve(Kind.LINE, (on_circle(r, half), on_circle(r, -half))))


def _steps(rng: Rng, a: float, b: float) -> list[Point]:
    """Corners of an L, T, U, Z or cross that fills the box."""
    t, s = rng.uniform(0.25, 0.5, 2) * 2 * min(a, b)
    shapes: list[list[Point]] = [
        [(-a, -b), (a, -b), (a, t - b), (s - a, t - b), (s - a, b), (-a, b)],
        [(-s / 2, -b), (s / 2, -b), (s / 2, b - t), (a, b - t), (a, b), (-a, b), (-a, b - t), (-s / 2, b - t)],
        [(-a, -b), (a, -b), (a, b), (a - s, b), (a - s, t - b), (s - a, t - b), (s - a, b), (-a, b)],
        [(-a, -b), (s / 2, -b), (s / 2, b - t), (a, b - t), (a, b), (-s / 2, b), (-s / 2, t - b), (-a, t - b)],
    ]
    p, q = s / 2, t / 2
    shapes.append(
        [(-p, -b), (p, -b), (p, -q), (a, -q), (a, q), (p, q), (p, b), (-p, b), (-p, q), (-a, q), (-a, -q), (-p, -q)]
    )
    return shapes[rng.integers(len(shapes))]


def _notched(rng: Rng, a: float, b: float) -> list[Point]:
    """Rectangle with its corners cut off, or stepped."""
    c = rng.uniform(0.2, 0.5) * min(a, b)
    if rng.random() < 0.5:
        return [(c - a, -b), (a - c, -b), (a, c - b), (a, b - c), (a - c, b), (c - a, b), (-a, b - c), (-a, c - b)]
    return [(-a, -b), (a - c, -b), (a - c, c - b), (a, c - b), (a, b), (c - a, b), (c - a, b - c), (-a, b - c)]


def _polygon(rng: Rng, a: float, b: float) -> list[Point]:
    count = int(rng.integers(3, 9))
    angles = (np.arange(count) + rng.uniform(-0.25, 0.25, count)) * tau / count
    return [(a * k * cos(t), b * k * sin(t)) for t, k in zip(angles, rng.uniform(0.7, 1, count), strict=True)]


def _contour(rng: Rng, a: float, b: float) -> list[Point]:
    """A silhouette of many corners: its upper and its lower side are steps and slopes, at times alike."""
    upper = _chain(rng, a, b)
    lower = upper if rng.random() < 0.3 else _chain(rng, a, b)
    return [(u, -v) for u, v in lower] + upper[::-1]


def _chain(rng: Rng, a: float, b: float) -> list[Point]:
    """Points from the left to the right side of the box, on levels from a quarter of its upper half to all of it."""
    stops = np.linspace(-a, a, int(rng.integers(3, 8)))
    stops[1:-1] += rng.uniform(-0.3, 0.3, len(stops) - 2) * (stops[1] - stops[0])
    levels = b * np.linspace(0.25, 1.0, 6)
    height = float(rng.choice(levels))
    points = [(-a, height)]
    for u in stops[1:].tolist():
        level = float(rng.choice(levels[np.abs(levels - height) > 1e-6]))
        if u < a and rng.random() < 0.6:
            points += [(u, height), (u, level)]
        else:
            points.append((u, level))
        height = level
    return points


def _perhaps_rounded(draw: Callable[[Rng, float, float], list[Point]]) -> Callable[[Rng, float, float], Loop]:
    def make(rng: Rng, a: float, b: float) -> Loop:
        points = draw(rng, a, b)
        return rounded(points, rng.uniform(0.05, 0.4) * min(a, b)) if rng.random() < 0.35 else polyline(points)

    return make


OUTLINES: dict[str, tuple[float, Callable[[Rng, float, float], Loop]]] = {
    "rectangle": (3.0, lambda rng, a, b: rectangle(a, b)),
    "rounded": (
        2.0,
        lambda rng, a, b: rounded([(-a, -b), (a, -b), (a, b), (-a, b)], rng.uniform(0.1, 0.8) * min(a, b)),
    ),
    "circle": (3.0, lambda rng, a, b: circle(min(a, b))),
    "obround": (1.5, lambda rng, a, b: obround(max(a, 1.3 * b), b) if a > b else circle(a)),
    "regular": (1.0, lambda rng, a, b: regular(int(rng.integers(3, 9)), min(a, b), rng.uniform(0, tau))),
    "dee": (0.7, _dee),
    "steps": (1.5, _perhaps_rounded(_steps)),
    "notched": (1.0, _perhaps_rounded(_notched)),
    "polygon": (1.0, _perhaps_rounded(_polygon)),
    "contour": (1.6, _perhaps_rounded(_contour)),
    "ellipse": (
        0.4,
        lambda rng, a, b: (Curve(Kind.ELLIPSE, ((0.0, 0.0), (a, 0.0), (0.0, b))),) if a > b else circle(a),
    ),
    **FREEHAND,
}
"""Share, and maker of an outline in the box of half sides a and b."""


def outline(rng: Rng, a: float, b: float) -> Loop:
    """A random outline in the box of half sides a and b."""
    shares = np.array([share for share, _ in OUTLINES.values()])
    makers = [make for _, make in OUTLINES.values()]
    return makers[rng.choice(len(makers), p=shares / shares.sum())](rng, a, b)
