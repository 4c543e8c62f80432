"""Outlines with splines, teeth and lobes, counter-clockwise about the origin."""

from collections.abc import Callable
from math import cos, pi, sin, tau

import numpy as np

from brep_mae.generate.generators.modelled.sketches.sketch import Curve, Kind, Loop, Point

Rng = np.random.Generator


def _polar(radius: float, angle_rad: float, a: float, b: float) -> Point:
    return (a * radius * cos(angle_rad), b * radius * sin(angle_rad))


def blob(rng: Rng, a: float, b: float) -> Loop:
    """One smooth closed spline."""
    count = int(rng.integers(5, 11))
    radii = rng.uniform(0.62, 0.95, count)
    return (Curve(Kind.SMOOTH, tuple(_polar(r, tau * k / count, a, b) for k, r in enumerate(radii))),)


def gear(rng: Rng, a: float, b: float) -> Loop:
    """Straight flanks, round tips and roots; 6 to 20 teeth."""
    tip, count = min(a, b), int(rng.integers(6, 21))
    root = tip * (1 - min(rng.uniform(2.5, 4.5) / count, 0.3))
    pitch = tau / count
    stops = [0.0, rng.uniform(0.3, 0.4), rng.uniform(0.47, 0.53), rng.uniform(0.8, 0.9), 1.0]
    loop: list[Curve] = []
    for k in range(count):
        t = [(k + s) * pitch for s in stops]
        at = [_polar(r, s, 1, 1) for r, s in ((root, t[0]), (root, t[1]), (tip, t[2]), (tip, t[3]), (root, t[4]))]
        low, high = _polar(root, (t[0] + t[1]) / 2, 1, 1), _polar(tip, (t[2] + t[3]) / 2, 1, 1)
        loop += [Curve(Kind.ARC, (at[0], low, at[1])), Curve(Kind.LINE, (at[1], at[2]))]
        loop += [Curve(Kind.ARC, (at[2], high, at[3])), Curve(Kind.LINE, (at[3], at[4]))]
    return tuple(loop)


def cam(rng: Rng, a: float, b: float) -> Loop:
    """A base circle whose lift is a spline."""
    big = min(a, b)
    r, half = big * rng.uniform(0.6, 0.8), rng.uniform(0.25, 0.45) * pi
    lift = rng.uniform(0.9, 1.0) * big
    rise = [r + (lift - r) * (0.5 - 0.5 * cos(pi * s)) for s in (0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3, 0)]
    angles = np.linspace(-half, half, 7)
    spline = tuple(_polar(q, float(t), 1, 1) for q, t in zip(rise, angles, strict=True))
    return (Curve(Kind.SPLINE, spline), Curve(Kind.ARC, (spline[-1], (-r, 0.0), spline[0])))


def teardrop(rng: Rng, a: float, b: float) -> Loop:
    """A spline that meets itself in a straight edge, like a blade's section along u."""
    tail = rng.uniform(0.05, 0.15) * b
    bulge = rng.uniform(0.6, 1.0, 2) * b
    upper = [(0.5 * a, 0.55 * bulge[0]), (0.0, 0.9 * bulge[0]), (-0.6 * a, 0.8 * bulge[0])]
    lower = [(-0.6 * a, -0.8 * bulge[1]), (0.0, -0.9 * bulge[1]), (0.5 * a, -0.55 * bulge[1])]
    points = [(a, tail), *upper, (-0.95 * a, 0.0), *lower, (a, -tail)]
    return (Curve(Kind.SPLINE, tuple(points)), Curve(Kind.LINE, ((a, -tail), (a, tail))))


def wave(rng: Rng, a: float, b: float) -> Loop:
    """Rectangle with one or two sides bent into splines."""
    heights = b * rng.uniform(0.45, 0.95, 5)
    top = tuple((float(u), float(v)) for u, v in zip(np.linspace(a, -a, 5), heights, strict=True))
    foot = [(-a, -b), (a, -b)]
    under: Curve = Curve(Kind.LINE, tuple(foot))
    if rng.random() < 0.4:
        lows = (-b * rng.uniform(0.45, 0.95, 5)).tolist()
        under = Curve(Kind.SPLINE, tuple(zip(np.linspace(-a, a, 5).tolist(), lows, strict=True)))
        foot = [(-a, lows[0]), (a, lows[-1])]
    right, left = Curve(Kind.LINE, (foot[1], top[0])), Curve(Kind.LINE, (top[-1], foot[0]))
    return (under, right, Curve(Kind.SPLINE, top), left)


def lobes(rng: Rng, a: float, b: float) -> Loop:
    """Knob grip: arcs, bulging out and in by turns."""
    count, big = int(rng.integers(3, 9)), min(a, b)
    small, pitch = big * rng.uniform(0.7, 0.88), tau / count
    loop = []
    for k in range(count):
        start, _middle, end = (_polar(small * 1.07, (k + s) * pitch, 1, 1) for s in (0.0, 0.3, 0.6))
        out = _polar(big, (k + 0.3) * pitch, 1, 1)
        loop.append(Curve(Kind.ARC, (start, out, end)))
        dip, onward = _polar(small, (k + 0.8) * pitch, 1, 1), _polar(small * 1.07, (k + 1) * pitch, 1, 1)
        loop.append(Curve(Kind.ARC, (end, dip, onward)))
    return tuple(loop)


def mixed(rng: Rng, a: float, b: float) -> Loop:
    """A polygon some of whose sides are arcs or splines."""
    count = int(rng.integers(4, 8))
    angles = (np.arange(count) + rng.uniform(-0.2, 0.2, count)) * tau / count
    radii = rng.uniform(0.65, 0.92, count)
    loop = []
    for k in range(count):
        t0, t1 = float(angles[k]), float(angles[k + 1] if k + 1 < count else angles[0] + tau)
        r0, r1 = float(radii[k]), float(radii[(k + 1) % count])
        ends = _polar(r0, t0, a, b), _polar(r1, t1, a, b)
        middle = ((ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2)
        form = rng.choice(3, p=[0.45, 0.3, 0.25])
        if form == 0:
            loop.append(Curve(Kind.LINE, ends))
        elif form == 1:
            k_out = rng.choice([0.8, 1.15])
            loop.append(Curve(Kind.ARC, (ends[0], (k_out * middle[0], k_out * middle[1]), ends[1])))
        else:
            swing = rng.uniform(0.82, 1.12, 2)
            third, two = (
                tuple(float(f * (ends[0][i] * (1 - s) + ends[1][i] * s)) for i in (0, 1))
                for s, f in zip((1 / 3, 2 / 3), swing, strict=True)
            )
            loop.append(Curve(Kind.SPLINE, (ends[0], third, two, ends[1])))  # type: ignore[arg-type]
    return tuple(loop)


FREEHAND: dict[str, tuple[float, Callable[[Rng, float, float], Loop]]] = {
    "blob": (1.2, blob),
    "gear": (0.25, gear),
    "cam": (0.6, cam),
    "teardrop": (0.6, teardrop),
    "wave": (0.8, wave),
    "lobes": (0.4, lobes),
    "mixed": (1.2, mixed),
}
