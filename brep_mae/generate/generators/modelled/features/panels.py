"""Raised and sunk panels with details of their own: windows and islands of the same sketch, or what stands on them."""

import numpy as np

from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.patterns import LEAST
from brep_mae.generate.generators.modelled.places import Room, draw_room
from brep_mae.generate.generators.modelled.sketches.outlines import OUTLINES, circle, outline, rectangle
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Loop, Profile
from brep_mae.generate.labelled import Rejected

FORMS = ("rectangle", "rounded", "obround", "notched", "steps")
MOST_DETAILS = 12


def panel(model: Model, wanted: int) -> None:
    """One sketch over most of a free box, with holes in a grid: raised, these are windows down to the old face; sunk,
    lands that keep its height. Or the sketch is whole, and a second one on it is raised or sunk in turn."""
    rng = model.rng
    place = draw_room(model, 4 * LEAST * model.size_mm)
    a, b = (float(rng.uniform(0.7, 0.97)) * half for half in (place.a, place.b))
    loop = OUTLINES[str(rng.choice(FORMS))][1](rng, a, b)
    spots = _grid(model, place, a, b, wanted)
    joined, whole = rng.random() < 0.6, rng.random() < 0.4
    height = float(rng.uniform(0.04, 0.5)) * b
    height = min(height, 0.8 * place.above_mm) if joined else min(height, 0.5 * place.below_mm)
    if not joined and place.above_mm < 0.02 * model.size_mm:
        raise Rejected("no way in for a cut")
    holes = tuple(Profile(spot).scaled(1.0, u, v).outer for u, v, spot in spots)
    profile = Profile(loop) if whole else Profile(loop, holes)
    _layer(model, [profile], place.frame, height, joined)
    if whole:
        top = place.frame.moved(0, 0, height if joined else -height)
        second = rng.random() < 0.5
        less = min(
            float(rng.uniform(0.3, 1.5)) * height, 0.5 * height if joined and not second else 0.3 * place.below_mm
        )
        _layer(model, [Profile(hole) for hole in holes], top, less, second)
    elif rng.random() < 0.5:  # of the windows some are filled again, or hold something smaller; of the lands as well
        share, less = float(rng.uniform(0.5, 0.85)), height * float(rng.choice([0.5, 0.75, 1.0, 1.3]))
        chosen = [spot for spot in spots if rng.random() < 0.6] or spots
        inner = [Profile(spot).scaled(share, u, v) for u, v, spot in chosen]
        _layer(model, inner, place.frame, min(less, 0.7 * place.below_mm), joined)


def _layer(model: Model, profiles: list[Profile], frame: Frame, height_mm: float, joined: bool) -> None:
    if joined:
        model.add([model.extruded(profile, frame, height_mm) for profile in profiles])
        return
    over = 0.02 * model.size_mm
    foot = frame.moved(0, 0, -height_mm)
    model.cut([model.extruded(profile, foot, height_mm + over, "cut") for profile in profiles])


def _grid(model: Model, place: Room, a: float, b: float, wanted: int) -> list[tuple[float, float, Loop]]:
    """(u, v, outline about its own origin) for each detail of a panel with half sides a and b; all alike, or each drawn
    by itself."""
    rng = model.rng
    rows = int(rng.choice([1, 1, 2, 3]))
    most = int(np.clip(wanted // 5, 1, MOST_DETAILS))
    columns = int(np.clip(rng.integers(1, 6), 1, max(1, most // rows)))
    half_u, half_v = 0.78 * a / columns, 0.78 * b / rows
    if min(half_u, half_v) < 0.4 * LEAST * model.size_mm:
        raise Rejected("no room for details")
    us = (2 * np.arange(columns) + 1 - columns) * half_u
    vs = (2 * np.arange(rows) + 1 - rows) * half_v
    fill, mixed = float(rng.uniform(0.55, 0.88)), rng.random() < 0.5

    def drawn() -> Loop:
        k, m = (fill * float(rng.uniform(0.7, 1.0)) for _ in range(2)) if mixed else (fill, fill)
        if rng.random() < 0.25:
            return circle(k * min(half_u, half_v))
        return rectangle(k * half_u, m * half_v) if rng.random() < 0.4 else outline(rng, k * half_u, m * half_v)

    same = drawn()
    return [(u, v, drawn() if mixed else same) for v in vs.tolist() for u in us.tolist()]
