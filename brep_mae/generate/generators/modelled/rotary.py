"""How parts built around axes begin: turned parts, segments, wheels, levers. The main axis is z."""

from collections.abc import Callable
from math import pi, sin, tau

import numpy as np

from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.sketches.freehand import blob, cam, gear, lobes
from brep_mae.generate.generators.modelled.sketches.outlines import circle, kidney, outline, regular, sector
from brep_mae.generate.generators.modelled.sketches.sketch import Curve, Frame, Kind, Loop, Profile
from brep_mae.generate.generators.modelled.sketches.turning import shaft, vase

GROUND = Frame()
TURNING = GROUND.upright()  # u along x, v along z


def turned(model: Model) -> None:
    """A full turn of a stepped or splined section, solid or bored."""
    rng = model.rng
    slender = rng.random() < 0.6
    length = model.size_mm * (1.0 if slender else float(rng.uniform(0.25, 0.6)))
    radius = model.size_mm * (float(rng.uniform(0.08, 0.25)) if slender else 0.5)
    inner = radius * float(rng.uniform(0.15, 0.45)) if rng.random() < 0.45 else 0.0
    if rng.random() < 0.3:
        section = vase(rng, radius, length, 0.0, inner)
    else:
        section = shaft(rng, radius, length, inner, int(rng.integers(2, 7)))
    model.add([model.revolved(section, TURNING)])


def segment(model: Model) -> None:
    """Part of a turn of any sketch: bends, rails, half bearings."""
    rng = model.rng
    angle = float(rng.choice([pi / 2, pi, float(rng.uniform(0.4, 5.2))]))
    outer = model.size_mm * (0.5 if angle > 2 else 0.8)
    a = outer * float(rng.uniform(0.15, 0.4))
    if rng.random() < 0.45:
        section = shaft(rng, outer, outer * float(rng.uniform(0.4, 1.4)), outer - 2 * a, int(rng.integers(1, 5)))
    else:
        section = Profile(outline(rng, a, a * float(rng.uniform(0.4, 1.0)))).scaled(1.0, outer - a)
    model.add([model.revolved(section, TURNING, angle)])


def wheel(model: Model) -> None:
    """A disc, gear or cam with hub, bore, and spokes or bolt holes."""
    rng = model.rng
    r = 0.5 * model.size_mm
    thickness = r * float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
    rims: list[Callable[[], Loop]] = [
        lambda: circle(r),
        lambda: gear(rng, r, r),
        lambda: cam(rng, r, r),
        lambda: lobes(rng, r, r),
        lambda: regular(int(rng.integers(5, 9)), r),
        lambda: blob(rng, r, r),
    ]
    rim = rims[rng.choice(len(rims), p=[0.42, 0.22, 0.1, 0.1, 0.08, 0.08])]()
    model.add([model.extruded(Profile(rim), GROUND, thickness)])
    bore, hub = r * float(rng.uniform(0.08, 0.22)), r * float(rng.uniform(0.26, 0.36))
    top, bottom = thickness, 0.0
    if rng.random() < 0.6:
        top += r * float(rng.uniform(0.1, 0.7))
        model.add([model.extruded(Profile(circle(hub)), GROUND.moved(0, 0, thickness), top - thickness)])
        if rng.random() < 0.35:
            bottom = -r * float(rng.uniform(0.05, 0.4))
            model.add([model.extruded(Profile(circle(hub)), GROUND.moved(0, 0, bottom), -bottom)])
    if rng.random() < 0.8:
        over = 0.05 * r
        foot, length = GROUND.moved(0, 0, bottom - over), top - bottom + 2 * over
        model.cut([model.extruded(Profile(circle(bore)), foot, length, "cut")])
    if rng.random() < 0.55:
        count = int(rng.integers(3, 9))
        inner, outer, angle = 1.15 * hub, 0.58 * r, tau / count * float(rng.uniform(0.5, 0.75))
        middle, half = (inner + outer) / 2, (outer - inner) / 2
        windows = [sector(inner, outer, angle), circle(min(half, 0.8 * middle * sin(pi / count)), middle)]
        if half / middle < 0.3 * angle:
            windows.append(kidney(middle, half, angle * 0.8))
        window = Profile(windows[rng.integers(len(windows))])
        frames = [GROUND.moved(0, 0, -0.05 * r).turned(tau * k / count) for k in range(count)]
        model.cut([model.extruded(window, frame, thickness + 0.1 * r, "cut") for frame in frames])


def lever(model: Model) -> None:
    """Two or three eyes joined by arms with splines for sides; the eyes stand out and are bored."""
    rng = model.rng
    half = 0.5 * model.size_mm
    big, small = half * float(rng.uniform(0.2, 0.4)), half * float(rng.uniform(0.15, 0.3))
    thickness = small * float(rng.uniform(0.25, 1.0))
    arms = int(rng.choice([1, 1, 2, 3]))
    length = (1.6 if arms == 1 else 0.8) * half
    waist = float(rng.uniform(0.45, 0.8)) * min(big, small)
    bend = float(rng.uniform(-0.25, 0.25)) * length * (rng.random() < 0.6)
    foot, eye = 0.75 * big, 0.9 * small
    stations = np.linspace(0.0, length, 5)
    middle = bend * np.sin(np.linspace(0, pi, 5))
    widths = [foot, (foot + waist) / 2, waist, (eye + waist) / 2, eye]
    right = tuple((float(u), float(m - w)) for u, m, w in zip(stations, middle, widths, strict=True))
    left = tuple((float(u), float(m + w)) for u, m, w in zip(stations, middle, widths, strict=True))[::-1]
    arm = (
        Curve(Kind.SPLINE, right),
        Curve(Kind.LINE, (right[-1], left[0])),
        Curve(Kind.SPLINE, left),
        Curve(Kind.LINE, (left[-1], right[0])),
    )
    frames = [GROUND.turned(tau * k / arms if arms != 2 else 2.0 * k) for k in range(arms)]
    rise = thickness * float(rng.uniform(0.1, 0.8))
    eyes = [(GROUND, big)] + [(frame.moved(length, 0.0), small) for frame in frames]
    model.add([model.extruded(Profile(circle(big)), GROUND.moved(0, 0, -rise), thickness + 2 * rise)])
    model.add([model.extruded(Profile(arm), frame, thickness) for frame in frames])
    flush = rng.random() < 0.4
    low, tall = (-rise, thickness + 2 * rise) if flush else (-rise / 2, thickness + rise)
    model.add([model.extruded(Profile(circle(r)), f.moved(0, 0, low), tall) for f, r in eyes[1:]])
    share, through = float(rng.uniform(0.35, 0.65)), thickness + 4 * rise
    bores = [(Profile(circle(share * r)), f.moved(0, 0, -2 * rise)) for f, r in eyes]
    model.cut([model.extruded(bore, frame, through, "cut") for bore, frame in bores])
