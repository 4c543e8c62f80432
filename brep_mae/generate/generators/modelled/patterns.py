"""Where an operation is repeated: once, in a grid, or around a centre; every spot offers the same room."""

from dataclasses import dataclass
from math import pi, sin, tau

import numpy as np

from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.places import Room, draw_ring, draw_room
from brep_mae.generate.generators.modelled.sketches.sketch import Frame
from brep_mae.generate.labelled import Rejected

LEAST = 0.035  # narrowest place to sketch in, as a share of the part's size


@dataclass(frozen=True)
class Spots:
    """Frames of equal sketches, each with the free box a >= b around it; depths as in `Room`."""

    frames: list[Frame]
    a: float
    b: float
    below_mm: float
    through_mm: float
    above_mm: float


def _of(room: Room, frames: list[Frame], a: float, b: float) -> Spots:
    return Spots(frames, a, b, room.below_mm, room.through_mm, room.above_mm)


def single(model: Model, most: int) -> Spots:
    rng, room = model.rng, draw_room(model, LEAST * model.size_mm)
    a, b = rng.uniform(0.4, 0.95, 2) * (room.a, room.b)
    aside = rng.uniform(-0.9, 0.9, 2) * (room.a - a, room.b - b) * (rng.random() < 0.5)
    frame = room.frame.moved(*map(float, aside))
    if a < b:
        a, b, frame = b, a, frame.turned(pi / 2)
    return _of(room, [frame], float(a), float(b))


def grid(model: Model, most: int) -> Spots:
    """Rows and columns in a free box, or two or four in its corners."""
    rng, room = model.rng, draw_room(model, 2 * LEAST * model.size_mm)
    rows = int(rng.integers(1, 5))
    columns = int(rng.integers(2, max(3, min(9, round(rows * room.a / room.b * 1.5) + 2))))
    while rows * columns > max(2, most):
        rows, columns = (rows - 1, columns) if rows > 1 else (rows, columns - 1)
    pitch_u, pitch_v = 2 * room.a / columns, 2 * room.b / rows
    reach = 0.5 * min(pitch_u, pitch_v) * rng.uniform(0.5, 0.88)
    spread_u, spread_v = (room.a - 1.15 * reach), (room.b - 1.15 * reach)
    if reach < 0.5 * LEAST * model.size_mm:
        raise Rejected("no room for a grid")
    us = np.linspace(-spread_u, spread_u, columns)
    vs = np.linspace(-spread_v, spread_v, rows) if rows > 1 else np.zeros(1)
    a = min(reach * rng.choice([1.0, 1.0, 1.5]), 0.42 * pitch_u)
    return _of(room, [room.frame.moved(float(u), float(v)) for u in us for v in vs], max(a, reach), reach)


def around(model: Model, most: int) -> Spots:
    """Equal angles on a free ring; u points outwards."""
    rng = model.rng
    room, start = draw_ring(model, LEAST * model.size_mm)
    radius, half = room.a, room.b
    count = int(min(rng.choice([3, 4, 5, 6, 6, 8, 8, 10, 12, 16, 20, 24]), max(2, most)))
    reach = min(half, radius * sin(pi / count)) * rng.uniform(0.5, 0.88)
    if reach < 0.4 * LEAST * model.size_mm:
        raise Rejected("no room for a ring")
    frames = [room.frame.turned(start + tau * k / count).moved(radius, 0.0) for k in range(count)]
    return _of(room, frames, reach, reach)


PATTERNS = {"single": single, "grid": grid, "around": around}
