"""Holes that belong to a sketch itself: what is swept from it has its inner walls from the same operation."""

from math import sin, tau

import numpy as np

from brep_mae.generate.generators.modelled.flats import Flat, flat
from brep_mae.generate.generators.modelled.sketches.outlines import circle, outline, regular
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Loop, Profile, face
from brep_mae.generate.labelled import Rejected

Rng = np.random.Generator

NARROWEST = 0.05  # web between a hole and its neighbours, as a share of the sketch's reach
MOST_SINGLE = 4
GROUND = Frame()


def perforated(rng: Rng, loop: Loop) -> Profile:
    """The outline with holes in it: a smaller copy of itself, some holes here and there, or equal ones in a ring.

    Rejected where no hole has room.
    """
    form = str(rng.choice(["frame", "single", "ring"], p=[0.3, 0.45, 0.25]))
    web = NARROWEST * Profile(loop).reach
    holes = {"frame": _frame, "single": _single, "ring": _ring}[form](rng, loop, web) or _single(rng, loop, web)
    if not holes:
        raise Rejected("no room for a hole in the sketch")
    return Profile(loop, holes)


def _region(loop: Loop, holes: tuple[Loop, ...] = ()) -> Flat:
    """The sketch's region in its own u and v, which those of its face are turned from."""
    found = flat(face(Profile(loop, holes), GROUND))
    return Flat(GROUND, found.rim @ np.array([found.frame.x[:2], found.frame.y[:2]]) + found.frame.origin[:2])


def _frame(rng: Rng, loop: Loop, web: float) -> tuple[Loop, ...]:
    share, region = float(rng.uniform(0.5, 0.92)), _region(loop)
    wall = region.clearance(share * region.rim[:, 0]).min()
    return (Profile(loop).scaled(share).outer,) if wall > web else ()


def _single(rng: Rng, loop: Loop, web: float) -> tuple[Loop, ...]:
    holes: tuple[Loop, ...] = ()
    for _ in range(int(rng.integers(1, MOST_SINGLE + 1))):
        region = _region(loop, holes)
        at = region.centre(rng)
        a, b = region.free_box(at, float(rng.choice([1.0, 1.6, 2.5])))
        a, b = float(rng.uniform(0.3, 0.9)) * (a - web), float(rng.uniform(0.3, 0.9)) * (b - web)
        if min(a, b) < web or region.clearance(at[None])[0] < web:
            break
        shape = circle(min(a, b)) if rng.random() < 0.4 else outline(rng, a, b)
        holes = (*holes, Profile(shape).scaled(0.95, *map(float, at)).outer)
    return holes


def _ring(rng: Rng, loop: Loop, web: float) -> tuple[Loop, ...]:
    region = _region(loop)
    middle, radius, half = region.ring(rng)
    count = int(rng.choice([2, 3, 4, 4, 6, 8, 12]))
    reach = min(half - web, radius * sin(np.pi / count) - web / 2) * float(rng.uniform(0.4, 0.9))
    if reach < web:
        return ()
    hole = circle(reach) if rng.random() < 0.8 else regular(int(rng.integers(3, 7)), reach)
    start = float(rng.uniform(0, tau))
    angles = start + tau * np.arange(count) / count
    centres = middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if region.clearance(centres).min() < reach + web / 2:
        return ()
    return tuple(Profile(hole).scaled(1.0, u, v).outer for u, v in centres.tolist())
