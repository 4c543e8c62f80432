"""Frames whose inner side steps down over a ledge that is bevelled, often all of it, with slots across the bevel."""

from math import pi

import numpy as np

from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.operations import bevelling
from brep_mae.generate.generators.modelled.patterns import LEAST
from brep_mae.generate.generators.modelled.places import draw_room
from brep_mae.generate.generators.modelled.sketches.outlines import rectangle
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Profile, polyline
from brep_mae.generate.labelled import LabelledSolid, Rejected, subtract

MOST_SLOTS = 20  # along the longer sides
NARROWEST = 0.005  # wall, ledge or slot, as a share of the part's size


def tray(model: Model, wanted: int) -> None:
    """Raised, its walls and the ledge along them are joined; sunk, a pocket is cut and the ledge joined in it."""
    rng = model.rng
    place = draw_room(model, 4 * LEAST * model.size_mm)
    a, b = (float(rng.uniform(0.75, 0.97)) * half for half in (place.a, place.b))
    wall, ledge = float(rng.uniform(0.04, 0.15)) * b, float(rng.uniform(0.06, 0.25)) * b
    if min(wall, ledge) < NARROWEST * model.size_mm:
        raise Rejected("too narrow for a ledge")
    outer, inner = (a - wall, b - wall), (a - wall - ledge, b - wall - ledge)
    step, rise = float(rng.uniform(0.6, 1.8)) * ledge, float(rng.uniform(0.05, 0.5)) * b
    raised = rng.random() < 0.6
    shrink = min(1.0, (0.8 * place.above_mm if raised else 0.7 * place.below_mm) / (rise + step))
    step, rise = shrink * step, shrink * rise
    floor = place.frame if raised else place.frame.moved(0, 0, -rise - step)
    foot = _foot(model, floor, outer, inner, step, wanted)
    if raised:
        walls = Profile(rectangle(a, b), (rectangle(*outer),))
        model.add([model.extruded(walls, floor, step + rise), foot])
        return
    over = 0.02 * model.size_mm
    if place.above_mm < 2 * over:
        raise Rejected("no way in for a cut")
    model.cut([model.extruded(Profile(rectangle(*outer)), floor, step + rise + over, "cut")])
    model.add([foot])


Half = tuple[float, float]
"""Sides of a rectangle about the frame's origin."""


def _foot(model: Model, floor: Frame, outer: Half, inner: Half, step_mm: float, wanted: int) -> LabelledSolid:
    """What stands along the walls: the bevel begins at these, or a flat rest of the ledge is left."""
    rng = model.rng
    ring = model.extruded(Profile(rectangle(*outer), (rectangle(*inner),)), floor, step_mm)
    share = 1.0 if rng.random() < 0.6 else float(rng.uniform(0.4, 0.9))
    begin = [near + share * (far - near) for near, far in zip(inner, outer, strict=True)]
    deep = float(rng.uniform(0.4, 0.9)) * step_mm
    bevelled = subtract(ring, [bevelling(rectangle(*begin), rectangle(*inner), floor.moved(0, 0, step_mm), deep)])
    return subtract(bevelled, _slots(model, floor, outer, inner, step_mm, wanted)) if rng.random() < 0.65 else bevelled


def _slots(model: Model, floor: Frame, outer: Half, inner: Half, step_mm: float, wanted: int) -> list[LabelledSolid]:
    """Across all four sides, from the opening to the wall; square to it, or more and more askew."""
    rng = model.rng
    count = int(np.clip(wanted // 20, 2, rng.integers(3, MOST_SLOTS + 1)))
    pitch = 2 * inner[0] / count
    half = float(rng.uniform(0.1, 0.35)) * pitch
    if half < NARROWEST * model.size_mm:
        raise Rejected("too narrow for a slot")
    lean = float(rng.uniform(-0.3, 0.3)) * (rng.random() < 0.5)
    low = float(rng.uniform(0.05, 0.7)) * step_mm
    over = 0.5 * (outer[1] - inner[1])
    tools = []
    for quarter in range(4):
        near, long = inner if quarter % 2 == 0 else inner[::-1]
        far = outer[quarter % 2] + over
        here = max(1, round(2 * long / pitch))
        side = floor.turned(quarter * pi / 2).moved(0, 0, low)
        for v in (((np.arange(here) + 0.5) / here - 0.5) * 1.9 * long).tolist():
            u, inward = near - over, v * (1 - lean)
            loop = polyline([(u, inward - half), (far, v - half), (far, v + half), (u, inward + half)])
            tools.append(model.extruded(Profile(loop), side, step_mm - low + over, "cut"))
    return tools
