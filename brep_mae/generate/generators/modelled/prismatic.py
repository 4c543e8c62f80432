"""How parts of straight extrusions begin: plates, blocks, brackets, housings. All are built around z."""

from math import cos, pi, tau

import numpy as np

from brep_mae.generate.generators.modelled.features.datum import spun
from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.sketches.openings import perforated
from brep_mae.generate.generators.modelled.sketches.outlines import circle, outline, rectangle, regular, rounded
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Loop, Profile, polyline

GROUND = Frame()


def _sides(model: Model, narrowest: float) -> tuple[float, float]:
    """Half sides a >= b of a base sketch."""
    a = 0.5 * model.size_mm
    return a, a * float(model.rng.uniform(narrowest, 1.0))


def _sketch(model: Model, a: float, b: float) -> Profile:
    """An outline, as often as not with holes in the same sketch."""
    loop = outline(model.rng, a, b)
    return perforated(model.rng, loop) if model.rng.random() < 0.5 else Profile(loop)


def plate(model: Model) -> None:
    """One sketch, thin."""
    a, b = _sides(model, 0.35)
    thickness = b * float(np.exp(model.rng.uniform(np.log(0.08), np.log(0.35))))
    model.add([model.extruded(_sketch(model, a, b), GROUND, thickness)])


def block(model: Model) -> None:
    """Sketches of like size stacked on each other."""
    rng, z = model.rng, 0.0
    a, b = _sides(model, 0.45)
    for _ in range(int(rng.integers(1, 4))):
        height = b * float(rng.uniform(0.35, 1.1))
        side = float(rng.uniform(-0.15, 0.15)) * a
        model.add([model.extruded(_sketch(model, a, b), GROUND.moved(side, 0, z), height)])
        z += height
        a, b = a * float(rng.uniform(0.5, 0.85)), b * float(rng.uniform(0.5, 0.85))


def bracket(model: Model) -> None:
    """Legs at right angles, often with a rib between two of them."""
    rng = model.rng
    a, b = _sides(model, 0.5)
    t = float(rng.uniform(0.1, 0.25)) * 2 * b
    form = rng.choice(["L", "U", "T", "Z"])
    legs: dict[str, list[tuple[float, float]]] = {
        "L": [(-a, -b), (a, -b), (a, t - b), (t - a, t - b), (t - a, b), (-a, b)],
        "U": [(-a, -b), (a, -b), (a, b), (a - t, b), (a - t, t - b), (t - a, t - b), (t - a, b), (-a, b)],
        "T": [(-a, -b), (a, -b), (a, t - b), (t / 2, t - b), (t / 2, b), (-t / 2, b), (-t / 2, t - b), (-a, t - b)],
        "Z": [(-a, -b), (t / 2, -b), (t / 2, b - t), (a, b - t), (a, b), (-t / 2, b), (-t / 2, t - b), (-a, t - b)],
    }
    points = legs[str(form)]
    loop = rounded(points, float(rng.uniform(0.2, 0.8)) * t) if rng.random() < 0.25 else polyline(points)
    width = float(rng.uniform(0.3, 1.2)) * 2 * b
    model.add([model.extruded(Profile(loop), GROUND.moved(0, 0, -width / 2), width)])
    if form != "Z" and rng.random() < 0.5:
        corner = t / 2 if form == "T" else t - a
        most = {"L": 2 * a - t, "U": a - t, "T": a - t / 2}[str(form)]
        run, rise = most * float(rng.uniform(0.4, 0.9)), (2 * b - t) * float(rng.uniform(0.4, 0.9))
        sunk = 0.3 * t
        rib = [(-sunk, -sunk), (run, -sunk), (run, 0.0), (0.0, rise), (-sunk, rise)]
        profile = Profile(polyline((corner + u, t - b + v) for u, v in rib))
        thickness = min(float(rng.uniform(0.5, 1.0)) * t, 0.2 * width)
        count = int(rng.integers(1, 4)) if width > 8 * thickness else 1
        spread = (np.arange(count) - (count - 1) / 2) * 0.7 * width / count
        model.add([model.extruded(profile, GROUND.moved(0, 0, float(z) - thickness / 2), thickness) for z in spread])


def housing(model: Model) -> None:
    """A tray: an outline hollowed out by a smaller one, or walls drawn as a ring; often with ears or with a lip."""
    rng = model.rng
    a, b = _sides(model, 0.5)
    height, wall = b * float(rng.uniform(0.3, 1.4)), b * float(rng.uniform(0.08, 0.2))
    radius = float(rng.choice([0.0, rng.uniform(0.15, 0.6)])) * b
    form = rng.choice(["box", "round", "many"], p=[0.65, 0.2, 0.15])
    corners, turn = int(rng.integers(5, 9)), float(rng.uniform(0, tau))

    def wall_line(off: float) -> Loop:
        if form == "round":
            return circle(b - off)
        if form == "many":
            return regular(corners, b - off / cos(pi / corners), turn)
        box = [(off - a, off - b), (a - off, off - b), (a - off, b - off), (off - a, b - off)]
        return rounded(box, max(radius - off, 0.02 * b)) if radius > off else rectangle(a - off, b - off)

    floor = wall * float(rng.uniform(0.8, 2.0))
    if rng.random() < 0.5:
        model.add([model.extruded(Profile(wall_line(0.0)), GROUND, height)])
        model.cut([model.extruded(Profile(wall_line(wall)), GROUND.moved(0, 0, floor), height, "cut")])
    else:  # the walls as one sketch, which stands on a floor or on nothing
        walls = model.extruded(Profile(wall_line(0.0), (wall_line(wall),)), GROUND, height)
        bottom = model.extruded(Profile(wall_line(0.5 * wall)), GROUND, floor)
        model.add([walls, bottom] if rng.random() < 0.7 else [walls])
    if rng.random() < 0.3:
        lip = wall * float(rng.uniform(0.3, 0.6))
        model.cut([model.extruded(Profile(wall_line(lip)), GROUND.moved(0, 0, height - lip), height, "cut")])
    if rng.random() < 0.4:
        ear = Profile(circle(float(rng.uniform(1.2, 2.2)) * wall))
        reach = (a if form == "box" else b) + 0.8 * wall
        tall = height * float(rng.choice([0.2, 0.4, 1.0]))
        tools = [model.extruded(ear, spun(GROUND.moved(reach, 0.0), pi * k), tall) for k in range(2)]
        model.add(tools)
        bores = [GROUND.moved(s * (reach + 0.3 * wall), 0.0, -height) for s in (1, -1)]
        model.cut([model.extruded(Profile(circle(0.55 * wall)), frame, 3 * height, "cut") for frame in bores])
