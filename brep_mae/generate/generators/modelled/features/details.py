"""Single extrusions that modellers add to a part or cut from it, on its flat faces."""

from math import pi

import numpy as np

from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.patterns import LEAST, PATTERNS, Spots
from brep_mae.generate.generators.modelled.places import draw_flat, draw_room, room
from brep_mae.generate.generators.modelled.sketches.openings import perforated
from brep_mae.generate.generators.modelled.sketches.outlines import circle, outline, rectangle, regular
from brep_mae.generate.generators.modelled.sketches.sketch import Loop, Profile
from brep_mae.generate.labelled import Rejected

MANY = 8  # from so many spots on only simple outlines: what they cost the kernel multiplies


def draw_spots(model: Model, wanted: int, faces_each: int, singles: float) -> Spots:
    """One spot, or a pattern; where few faces are wanted, a small one.

    Args:
        wanted: faces the part still wants.
        faces_each: faces an operation makes at each spot.
        singles: chance of one spot.
    """
    chosen = "single" if model.rng.random() < singles else str(model.rng.choice(["grid", "around"]))
    return PATTERNS[chosen](model, max(2, round(1.3 * wanted / faces_each)))


def _sketch(model: Model, spots: Spots, round_share: float) -> Loop:
    """The outline all spots share; in patterns mostly circles."""
    if len(spots.frames) > 1 and model.rng.random() < round_share:
        return circle(spots.b)
    if len(spots.frames) > MANY:
        return regular(int(model.rng.integers(3, 7)), spots.b)
    return outline(model.rng, 0.95 * spots.a, 0.95 * spots.b)


def up_mm(model: Model, spots: Spots, low: float, high: float) -> float:
    """Height for what stands on the spots, between shares of their width, below what is above them."""
    height = float(model.rng.uniform(low, high)) * (spots.a * spots.b) ** 0.5
    return min(height, 0.35 * model.size_mm, 0.8 * spots.above_mm)


def pocket(model: Model, wanted: int) -> None:
    """Blind cut."""
    spots = draw_spots(model, wanted, 4, 0.65)
    loop = _sketch(model, spots, 0.5)
    depth = min(float(model.rng.uniform(0.15, 0.75)) * spots.below_mm, 4 * spots.b)
    _remove(model, loop, spots, depth)


def hole(model: Model, wanted: int) -> None:
    """Cut through the wall below, or through all of the part."""
    spots = draw_spots(model, wanted, 2, 0.35)
    loop = _sketch(model, spots, 0.75)
    if spots.through_mm > 1.01 * spots.below_mm and model.rng.random() < 0.6:
        depth = spots.below_mm + 0.3 * min(spots.through_mm - spots.below_mm, spots.below_mm)
    else:
        depth = spots.through_mm + 0.05 * model.size_mm
    _remove(model, loop, spots, depth)


def _remove(model: Model, loop: Loop, spots: Spots, depth_mm: float) -> None:
    over = 0.02 * model.size_mm
    if spots.above_mm < 2 * over:
        raise Rejected("no way in for a cut")
    profile = Profile(loop)
    model.cut([model.extruded(profile, f.moved(0, 0, -depth_mm), depth_mm + over, "cut") for f in spots.frames])


def boss(model: Model, wanted: int) -> None:
    """Joined extrusion, at times with a hole in its sketch."""
    spots = draw_spots(model, wanted, 4, 0.6)
    loop = _sketch(model, spots, 0.5)
    profile = perforated(model.rng, loop) if len(spots.frames) <= MANY and model.rng.random() < 0.35 else Profile(loop)
    height = up_mm(model, spots, 0.3, 2.0)
    model.add([model.extruded(profile, f, height) for f in spots.frames])


def lettering(model: Model, wanted: int) -> None:
    """A row of different outlines in one sketch, raised or engraved, as of letters or buttons."""
    rng, room = model.rng, draw_room(model, 2 * LEAST * model.size_mm)
    count = int(np.clip(wanted // 5, 2, min(MANY, max(2, round(2 * room.a / room.b)))))
    a, b = 0.8 * room.a / count, 0.9 * room.b
    if a < 0.6 * LEAST * model.size_mm:
        raise Rejected("no room for a row")
    frames = [room.frame.moved(float(u), 0.0) for u in (2 * np.arange(count) + 1 - count) * room.a / count]
    high = min(b, 2.5 * a)
    loops = [outline(rng, a, high * float(rng.uniform(0.6, 1.0))) for _ in frames]
    profiles = [perforated(rng, loop) if rng.random() < 0.3 else Profile(loop) for loop in loops]
    if rng.random() < 0.6:
        height = min(float(rng.uniform(0.2, 1.0)) * a, 0.8 * room.above_mm)
        model.add([model.extruded(p, f, height) for p, f in zip(profiles, frames, strict=True)])
        return
    depth, over = min(float(rng.uniform(0.2, 1.0)) * a, 0.7 * room.below_mm), 0.01 * model.size_mm
    if room.above_mm < 2 * over:
        raise Rejected("no way in for a cut")
    tools = [
        model.extruded(p, f.moved(0, 0, -depth), depth + over, "cut") for p, f in zip(profiles, frames, strict=True)
    ]
    model.cut(tools)


def notch(model: Model, wanted: int) -> None:
    """Cut that runs out over a face's edge; on long edges several in a row."""
    rng = model.rng
    place = draw_flat(model, 3 * LEAST * model.size_mm)
    low, high = place.box
    long = np.linalg.norm(place.rim[:, 1] - place.rim[:, 0], axis=1)
    piece = place.rim[rng.choice(len(long), p=long / long.sum())]
    along = piece[1] - piece[0]
    length = float(np.linalg.norm(along))
    count = int(min(rng.choice([1, 1, 2, 3, 5, 8]), max(1, wanted // 3)))
    half = 0.5 * length / count * float(rng.uniform(0.2, 0.65))
    deep = min(float(rng.uniform(0.1, 0.35)) * float((high - low).min()), 3 * half)
    if half < 0.4 * LEAST * model.size_mm:
        raise Rejected("edge too short for a notch")
    found = room(place, model.solid, place.centre(rng), 0.0, 0.0)
    depth = found.through_mm * 1.05 if rng.random() < 0.5 else found.below_mm * float(rng.uniform(0.2, 0.7))
    turn = float(np.arctan2(along[1], along[0]))
    shares = (np.arange(count) + 0.5) / count if count > 1 else [rng.uniform(0.3, 0.7)]
    spots = [place.frame.moved(*map(float, piece[0] + s * along)).turned(turn) for s in shares]
    loop = outline(rng, half, deep) if rng.random() < 0.5 else rectangle(half, deep)
    over = 0.03 * model.size_mm
    profile = Profile(loop)
    model.cut([model.extruded(profile, f.moved(0, 0, -depth), depth + over, "cut") for f in spots])


def slot(model: Model, wanted: int) -> None:
    """Cut across a whole face, open at both sides; or several side by side."""
    rng = model.rng
    place = draw_flat(model, 3 * LEAST * model.size_mm)
    low, high = place.box
    at = (low + high) / 2 if rng.random() < 0.4 else rng.uniform(low, high)
    found = room(place, model.solid, place.centre(rng), 0.0, 0.0)
    count = int(min(rng.choice([1, 1, 1, 2, 3, 5, 8]), max(1, wanted // 3)))
    axis = int(rng.integers(2))
    width = float((high - low)[1 - axis])
    half = 0.5 * width / count * float(rng.uniform(0.12, 0.45))
    depth = min(float(rng.uniform(0.15, 0.6)) * found.below_mm, 6 * half)
    offset = ((np.arange(count) + 0.5) / count - 0.5) * width
    frame = place.frame.moved(*map(float, (low + high) / 2 if count > 1 else at)).turned(axis * pi / 2)
    profile = Profile(rectangle(0.6 * float((high - low)[axis]) + 0.6 * model.size_mm, half))
    frames = [frame.moved(0.0, float(v) if count > 1 else 0.0, -depth) for v in offset]
    model.cut([model.extruded(profile, f, depth + 0.03 * model.size_mm, "cut") for f in frames])
