"""Half sections to revolve: on the side u >= 0 of the axis, v along it, upwards."""

import itertools

import numpy as np

from brep_mae.generate.generators.modelled.sketches.sketch import Curve, Kind, Loop, Point, Profile, polyline

Rng = np.random.Generator


def _closed(path: list[Curve], inner: float = 0.0) -> Loop:
    """Path from the lower to the upper end, closed along the axis or along a bore."""
    low, high = path[0].points[0], path[-1].points[-1]
    corners: list[Point] = [high, (inner, high[1]), (inner, low[1]), low]
    ends = [pair for pair in itertools.pairwise(corners) if pair[0] != pair[1]]
    return (*path, *(Curve(Kind.LINE, pair) for pair in ends))


def dome(radius: float, height: float, foot: float) -> Profile:
    """Ball-ended pin with its foot at -foot; height >= radius."""
    arc = Curve(
        Kind.ARC, ((radius, height - radius), (radius * 0.5**0.5, height - radius * (1 - 0.5**0.5)), (0.0, height))
    )
    return Profile(
        (
            Curve(Kind.LINE, ((0.0, -foot), (radius, -foot))),
            Curve(Kind.LINE, ((radius, -foot), (radius, height - radius))),
            arc,
            Curve(Kind.LINE, ((0.0, height), (0.0, -foot))),
        )
    )


def stepped(points: list[Point]) -> Profile:
    """Corners in order, counter-clockwise."""
    return Profile(polyline(points))


def vase(rng: Rng, radius: float, height: float, foot: float, inner: float = 0.0) -> Profile:
    """The generatrix is a spline."""
    count = int(rng.integers(4, 7))
    widths = np.append(rng.uniform(0.45, 1.0, count - 1), rng.uniform(0.5, 0.8)) * (radius - inner) + inner
    widths[0] = radius
    spline = tuple(zip(widths.tolist(), np.linspace(-foot, height, count).tolist(), strict=True))
    return Profile(_closed([Curve(Kind.SPLINE, spline)], inner))


def shaft(rng: Rng, radius: float, length: float, inner: float, steps: int) -> Profile:
    """Steps of other radii, some conical, some rounded in or out by arcs, some splines.

    Args:
        radius: the largest.
        inner: radius of the bore, 0 = none.
    """
    stops = np.concatenate([[0.0], rng.dirichlet(np.full(steps, 5.0)).cumsum()]) * length
    share = rng.permutation(np.append(rng.uniform(0.35, 0.95, steps - 1), 1.0))
    radii = (inner + (radius - inner) * np.maximum(share, 0.3)).tolist()
    path: list[Curve] = []
    for k, (low, high) in enumerate(zip(stops.tolist(), stops[1:].tolist(), strict=False)):
        r, form = radii[k], rng.choice(["straight", "cone", "arc", "spline"], p=[0.6, 0.16, 0.14, 0.1])
        end = r
        if form == "cone" and k + 1 < steps:
            end = 0.5 * (r + radii[k + 1])
        if path:
            path.append(Curve(Kind.LINE, (path[-1].points[-1], (r, low))))
        if form == "arc":
            swell = rng.choice([-0.6, 0.8]) * min(0.25 * (high - low), 0.25 * (r - inner))
            path.append(Curve(Kind.ARC, ((r, low), (r + swell, (low + high) / 2), (end, high))))
        elif form == "spline":
            wobble = r + rng.uniform(-0.3, 0.15, 2) * (r - inner)
            inside = tuple(zip(wobble.tolist(), np.linspace(low, high, 4)[1:3].tolist(), strict=True))
            path.append(Curve(Kind.SPLINE, ((r, low), *inside, (end, high))))
        else:
            path.append(Curve(Kind.LINE, ((r, low), (end, high))))
    return Profile(_closed([c for c in path if c.points[0] != c.points[-1]], inner))
