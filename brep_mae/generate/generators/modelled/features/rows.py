"""Many equal slots or ribs side by side on a face, straight, slanted or fanned out: grilles, louvres, racks, combs."""

from math import cos, pi, sin, tan

import numpy as np

from brep_mae.generate.generators.modelled.flats import Flat, flat
from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.patterns import LEAST
from brep_mae.generate.generators.modelled.places import draw_flat, flat_faces, room
from brep_mae.generate.generators.modelled.sketches.outlines import obround, rectangle
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Profile
from brep_mae.generate.labelled import LabelledSolid, Rejected

MOST_SLANT_RAD, MOST_TILT_RAD = 0.3 * pi, 0.25 * pi
MOST_IN_A_ROW = 24
NARROWEST = 0.006  # slot or rib, as a share of the part's size


def grille(model: Model, wanted: int) -> None:
    """Equal slots or ribs along the middle of a face, and at times of each face that is as large; their angle to the
    row is the same for all, or changes evenly from the first to the last. Tilted ones do not stand square to the
    face."""
    rng = model.rng
    first = draw_flat(model, 1.5 * LEAST * model.size_mm)
    places = _alike(model, first) if rng.random() < 0.4 else [first]
    count = int(np.clip(wanted // (3 * len(places)), 3, rng.integers(3, MOST_IN_A_ROW + 1)))
    slant = float(rng.uniform(-1, 1)) * MOST_SLANT_RAD * (rng.random() < 0.6)
    slants = np.linspace(slant, -slant if rng.random() < 0.35 else slant, count)
    tilt = float(rng.uniform(-1, 1)) * MOST_TILT_RAD * (rng.random() < 0.4)
    wide, crossing = float(rng.uniform(0.15, 0.36)), rng.random() < 0.5
    length = float(rng.uniform(1.1, 1.5) if crossing else rng.uniform(0.4, 0.8))
    joined, rounded = rng.random() < 0.35, rng.random() < 0.3
    deep = float(rng.uniform(0.5, 3.0))
    tools: list[LabelledSolid] = []
    for place in places:
        low, high = place.box
        axis = int((high - low)[1] > (high - low)[0])
        along, across = float((high - low)[axis]), float((high - low)[1 - axis])
        half = wide * along / count * cos(float(np.abs(slants).max()))
        if half < NARROWEST * model.size_mm:
            raise Rejected("too narrow for a row")
        reach = max(0.5 * length * across, 1.3 * half)
        found = room(place, model.solid, (low + high) / 2, 0.0, 0.0)
        height = min(deep * half, 0.6 * (found.above_mm if joined else found.below_mm))
        loop = obround(reach, half) if rounded else rectangle(reach, half)
        middle = place.frame.moved(*map(float, (low + high) / 2)).turned(axis * pi / 2)
        us = ((np.arange(count) + 0.5) / count - 0.5) * along
        for u, angle in zip(us.tolist(), slants.tolist(), strict=True):
            spot = _tilted(middle.moved(u, 0.0).turned(pi / 2 + angle), tilt)
            sunk = reach * abs(tan(tilt)) if joined else height
            over = 0.3 * height if joined else 0.02 * model.size_mm + reach * abs(tan(tilt))
            length_mm = sunk + (height if joined else over)
            tools.append(model.extruded(Profile(loop), spot.moved(0, 0, -sunk), length_mm, _word(joined)))
    model.add(tools) if joined else model.cut(tools)


def _word(joined: bool) -> str:
    return "extrude" if joined else "cut"


def _tilted(frame: Frame, angle_rad: float) -> Frame:
    """Turned about its y axis, so that its normal leans along x."""
    c, s, x, n = cos(angle_rad), sin(angle_rad), frame.x, frame.normal
    leaned = (c * x[0] - s * n[0], c * x[1] - s * n[1], c * x[2] - s * n[2])
    normal = (c * n[0] + s * x[0], c * n[1] + s * x[1], c * n[2] + s * x[2])
    return Frame(frame.origin, leaned, normal)


def _alike(model: Model, first: Flat) -> list[Flat]:
    """The face and those with the same sides, at most four."""
    size = np.ptp(first.rim, axis=(0, 1))
    places = [flat(face) for face, _ in flat_faces(model, 0.0)]
    return [place for place in places if np.allclose(np.ptp(place.rim, axis=(0, 1)), size, rtol=1e-3)][:4] or [first]
