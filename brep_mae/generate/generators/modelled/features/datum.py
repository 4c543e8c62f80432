"""Extrusions from datum planes: cuts and bosses on faces of any form, and cuts that give a part its outer form."""

import itertools
from math import cos, pi, sin, tau

import numpy as np

from brep_mae.generate.generators.modelled.bounds import bounds_mm
from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.places import Probe
from brep_mae.generate.generators.modelled.sketches.outlines import outline, rectangle
from brep_mae.generate.generators.modelled.sketches.sketch import Curve, Frame, Kind, Loop, Profile
from brep_mae.generate.labelled import Rejected
from brep_mae.generate.primitives import Vector


def spun(frame: Frame, angle_rad: float) -> Frame:
    """Turned about the world's z axis, around which round parts are built."""
    c, s = cos(angle_rad), sin(angle_rad)

    def turn(a: Vector) -> Vector:
        return (c * a[0] - s * a[1], s * a[0] + c * a[1], a[2])

    return Frame(turn(frame.origin), turn(frame.x), turn(frame.normal))


def _approach(model: Model, turned: bool) -> Frame:
    """A frame within the part's bounds; its normal is the way out.

    Args:
        turned: True = from the axis z straight outwards, so that the sketch sits squarely on what is round.
    """
    rng = model.rng
    low, high = bounds_mm(model.solid)
    if turned:
        angle = float(rng.uniform(0, tau))
        z = float(rng.uniform(low[2], high[2]))
        return Frame((0.0, 0.0, z), (0.0, 0.0, 1.0), (cos(angle), sin(angle), 0.0))
    axis, sign = int(rng.integers(3)), float(rng.choice([-1, 1]))
    unit = np.eye(3)
    at = rng.uniform(0.8 * low + 0.2 * high, 0.2 * low + 0.8 * high)
    normal, x = (sign * unit[axis]).tolist(), unit[(axis + int(rng.integers(1, 3))) % 3].tolist()
    return Frame(tuple(at.tolist()), tuple(x), tuple(normal))


def datum(model: Model, wanted: int) -> None:
    """One sketch, or several around z, on a part that is round about z."""
    rng = model.rng
    frame = _approach(model, model.turned and rng.random() < 0.8)
    probe = Probe(model.solid)
    hits = probe.crossings_mm(frame.origin, frame.normal)
    if len(hits) < 2:
        raise Rejected("nothing at the datum plane")
    top, thick = float(hits[-1]), float(hits[-1] - hits[-2])
    b = float(min(rng.uniform(0.03, 0.14) * model.size_mm, 0.4 * thick))
    a = b * float(rng.choice([1.0, 1.5, 2.5]))
    foot = top
    for u, v in ((a, b), (-a, b), (-a, -b), (a, -b)):
        beside = probe.crossings_mm(frame.at(0.9 * u, 0.9 * v), frame.normal)
        foot = min(foot, float(beside[-1])) if len(beside) else foot
    if top - foot > 0.5 * thick:
        raise Rejected("the part ends beside the sketch")
    profile = Profile(outline(rng, a, b))
    count = int(min(rng.choice([1, 1, 2, 3, 4, 6, 8]), max(1, wanted // 4))) if model.turned else 1
    if count > 1 and b > 0.8 * top * sin(pi / count):
        count = 1
    cutting = rng.random() < 0.6
    if cutting:
        low = foot - float(rng.uniform(0.1, 0.4)) * thick
        if rng.random() < 0.25:
            low = float(hits[0]) - 0.05 * model.size_mm  # through everything
        length = top - low + 0.05 * model.size_mm
    else:
        low = foot - 0.1 * thick
        length = top - low + float(rng.uniform(0.5, 2.0)) * b
    frames = [spun(frame.moved(0, 0, low), tau * k / count) for k in range(count)]
    word = "cut" if cutting else "extrude"
    tools = [model.extruded(profile, at, length, word) for at in frames]
    model.cut(tools) if cutting else model.add(tools)


def trim(model: Model, wanted: int) -> None:
    """Cut across all of the part along one axis: what lies outside an outline, or beyond a line at one or two sides.

    Its sides are outer walls of the part, and convex where those of a hole are hollow.
    """
    rng = model.rng
    low, high = bounds_mm(model.solid)
    axis, over = int(rng.integers(3)), 0.05 * model.size_mm
    unit = np.eye(3)
    u, v = (axis + 1) % 3, (axis + 2) % 3
    middle = (low + high) / 2
    middle[axis] = low[axis] - over
    frame = Frame(tuple(middle.tolist()), tuple(unit[u].tolist()), tuple(unit[axis].tolist()))
    a, b, length = (high - low)[u] / 2, (high - low)[v] / 2, float((high - low)[axis]) + 2 * over
    far = a + b + over
    if rng.random() < 0.35:
        inside = outline(rng, float(a * rng.uniform(0.75, 1.3)), float(b * rng.uniform(0.75, 1.3)))
        model.cut([model.extruded(Profile(rectangle(2 * far, 2 * far), (inside,)), frame, length, "cut")])
        return
    if rng.random() < 0.5:
        frame, a, b = frame.turned(pi / 2), b, a
    beyond = _beyond(rng, a, b, far)
    sides = [frame, frame.turned(pi)] if rng.random() < 0.5 else [frame.turned(float(rng.choice([0.0, pi])))]
    model.cut([model.extruded(Profile(beyond), side, length, "cut") for side in sides])


def _beyond(rng: np.random.Generator, a: float, b: float, far: float) -> Loop:
    """What lies above a line that runs across the box of half sides a and b: straight, bent at one or two points, or a
    spline."""
    count = int(rng.choice([2, 2, 3, 4]))
    us = np.linspace(-1.0, 1.0, count)
    us[1:-1] += rng.uniform(-0.2, 0.2, count - 2)
    heights = b * rng.uniform(0.3, 1.05, count)
    if rng.random() < 0.25:
        heights[:] = heights.min()
    line = [(1.05 * float(a * u), float(v)) for u, v in zip(us, heights, strict=True)]
    if count == 4 and rng.random() < 0.5:
        path = [Curve(Kind.SPLINE, tuple(line))]
    else:
        path = [Curve(Kind.LINE, pair) for pair in itertools.pairwise(line)]
    corners = [line[-1], (1.05 * a, far), (-1.05 * a, far), line[0]]
    return (*path, *(Curve(Kind.LINE, pair) for pair in itertools.pairwise(corners)))
