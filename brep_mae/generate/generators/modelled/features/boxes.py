"""Thin walls in one sketch, joined to a face: open boxes of one cell or many, and combs; at times cut across."""

import numpy as np

from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.patterns import LEAST
from brep_mae.generate.generators.modelled.places import Room, draw_room
from brep_mae.generate.generators.modelled.sketches.outlines import outline, rectangle, rounded
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Loop, Point, Profile, polyline
from brep_mae.generate.labelled import Rejected

MOST_CELLS = 8
NARROWEST = 0.004  # web, as a share of the part's size


def cells(model: Model, wanted: int) -> None:
    """Webs across a box, closed all around or open at one side like a comb, up to a few times as high as it is wide."""
    rng = model.rng
    place = draw_room(model, 4 * LEAST * model.size_mm)
    a, b = (float(rng.uniform(0.6, 0.97)) * half for half in (place.a, place.b))
    count = int(np.clip(wanted // 6, 1, rng.integers(2, MOST_CELLS + 1)))
    web = float(rng.uniform(0.03, 0.14)) * min(b, 2 * a / count)
    if web < NARROWEST * model.size_mm:
        raise Rejected("too narrow for a web")
    wall = web * float(rng.choice([1.0, 1.0, 2.0]))
    stops = _stops(rng, a - wall, count, web)
    height = min(float(rng.uniform(0.4, 2.5)) * b, 0.8 * place.above_mm)
    if count > 1 and rng.random() < 0.3:
        profile = Profile(_comb(a, b, wall, stops))
    else:
        holes = tuple(_cell(low, high, b - wall) for low, high in stops)
        profile = Profile(rectangle(a, b), holes)
    model.add([model.extruded(profile, place.frame, height)])
    if rng.random() < 0.5:
        _cut_across(model, place, a, b - wall, height)


def _stops(rng: np.random.Generator, a: float, count: int, web: float) -> list[tuple[float, float]]:
    """Where along u each cell begins and ends, all as long or each as it comes."""
    shares = rng.uniform(0.5, 1.5, count) if rng.random() < 0.4 else np.ones(count)
    lengths = shares / shares.sum() * (2 * a - (count - 1) * web)
    begins = -a + np.concatenate([[0.0], np.cumsum(lengths + web)[:-1]])
    return list(zip(begins.tolist(), (begins + lengths).tolist(), strict=True))


def _cell(low: float, high: float, b: float) -> Loop:
    return polyline([(low, -b), (high, -b), (high, b), (low, b)])


def _comb(a: float, b: float, wall: float, stops: list[tuple[float, float]]) -> Loop:
    """The outline of a box whose cells are open towards v > 0."""
    teeth: list[Point] = []
    for low, high in reversed(stops):
        teeth += [(high, b), (high, wall - b), (low, wall - b), (low, b)]
    return polyline([(-a, -b), (a, -b), (a, b), *teeth, (-a, b)])


def _cut_across(model: Model, place: Room, a: float, b: float, height_mm: float) -> None:
    """From the open side into the webs, all along them or part of the way."""
    rng, over = model.rng, 0.02 * model.size_mm
    half, deep = float(rng.uniform(0.3, 0.85)) * b, float(rng.uniform(0.2, 0.75)) * height_mm
    form = str(rng.choice(["rectangle", "arch", "any"]))
    if form == "arch":
        loop = rounded(
            [(-half, -deep), (half, -deep), (half, deep), (-half, deep)], float(rng.uniform(0.3, 1.0)) * half
        )
    else:
        loop = rectangle(half, deep) if form == "rectangle" else outline(rng, half, deep)
    length = 2 * a + 2 * over if rng.random() < 0.6 else float(rng.uniform(0.4, 0.95)) * 2 * a
    side = place.frame
    model.cut([model.extruded(Profile(loop), Frame(side.at(-a - over, 0.0, height_mm), side.y, side.x), length, "cut")])
