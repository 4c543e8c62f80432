"""Single revolutions that modellers add to a part: drilled and turned holes, pins, grooves, hoops, lugs."""

from math import pi, tau

from brep_mae.generate.generators.modelled.features.details import draw_spots, up_mm
from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.patterns import LEAST
from brep_mae.generate.generators.modelled.places import draw_ring
from brep_mae.generate.generators.modelled.sketches.outlines import circle, outline, rectangle
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Loop, Profile
from brep_mae.generate.generators.modelled.sketches.turning import dome, stepped, vase
from brep_mae.generate.labelled import Rejected


def drilled(model: Model, wanted: int) -> None:
    """Revolved cut: drill point, countersink, counterbore, ball or spline bowl."""
    spots = draw_spots(model, wanted, 3, 0.4)
    rng, r = model.rng, spots.b
    over, deep = 0.02 * model.size_mm, 0.75 * spots.below_mm
    form = rng.choice(["drill", "sink", "bore", "ball", "bowl"])
    if form in ("ball", "bowl"):
        depth = r + float(rng.uniform(0, 0.6)) * deep
        if depth > deep:
            raise Rejected("too shallow for a ball or bowl")
        profile = dome(r, depth, over) if form == "ball" else vase(rng, r, depth, over)
        model.cut([model.revolved(profile, _down(f).upright()) for f in spots.frames])
        return
    if form == "drill":
        d = min(deep, r * float(rng.uniform(1.5, 5)))
        corners = [(0.0, -d), (r, -d + min(0.6 * r, 0.5 * d))]
    else:
        inner = r * float(rng.uniform(0.4, 0.65))
        d = min(0.5 * deep, float(rng.uniform(0.8, 1.5)) * (r - inner))
        end = -spots.through_mm - over if rng.random() < 0.5 else -deep
        corners = [(0.0, end), (inner, end), (inner, -d), (r, 0.0 if form == "sink" else -d)]
    profile = stepped([*corners, (r, over), (0.0, over)])
    model.cut([model.revolved(profile, f.upright()) for f in spots.frames])


def _down(frame: Frame) -> Frame:
    """The same plane seen from below: its normal points into the material."""
    n = frame.normal
    return Frame(frame.origin, frame.x, (-n[0], -n[1], -n[2]))


def pin(model: Model, wanted: int) -> None:
    """Joined revolution: ball-ended, stepped or with a spline for its side."""
    spots = draw_spots(model, wanted, 4, 0.5)
    rng, r, height = model.rng, spots.b, up_mm(model, spots, 0.8, 3.0)
    form = rng.choice(["dome", "stepped", "vase"])
    if form == "dome":
        profile = dome(r, max(height, 1.05 * r), 0.0)
    elif form == "stepped":
        neck, at = r * float(rng.uniform(0.4, 0.75)), height * float(rng.uniform(0.3, 0.7))
        top = neck * float(rng.choice([1.0, 0.6]))
        profile = stepped([(0, 0), (r, 0), (r, at), (neck, at), (top, height), (0, height)])
    else:
        profile = vase(rng, r, height, 0.0)
    model.add([model.revolved(profile, f.upright()) for f in spots.frames])


def bent(model: Model, wanted: int) -> None:
    """Revolution through part of a turn about a face's middle: grooves, or walls and hoops, with two ends each."""
    rng = model.rng
    ring, start = draw_ring(model, LEAST * model.size_mm)
    radius, half = ring.a, ring.b * float(rng.uniform(0.3, 0.8))
    count = min(int(rng.integers(1, 7)), max(1, wanted // 4))
    angle = tau / count * float(rng.uniform(0.3, 0.8))
    over = 0.02 * model.size_mm
    joined = rng.random() < 0.5
    if joined:
        low, high = 0.0, min(float(rng.uniform(0.5, 2.5)) * half, 0.8 * ring.above_mm)
    else:
        low, high = -min(float(rng.uniform(0.5, 2.0)) * half, 0.7 * ring.below_mm), over
    middle, tall = (low + high) / 2, (high - low) / 2
    form = rng.choice(["box", "round", "wedge"])
    if form == "round":
        loop: Loop = circle(min(half, tall), radius, low + min(half, tall) if not joined else 0.25 * min(half, tall))
    elif form == "wedge":
        narrow = half * float(rng.uniform(0.3, 0.7))
        foot, top = (half, narrow) if joined else (narrow, half)
        loop = stepped([(radius - foot, low), (radius + foot, low), (radius + top, high), (radius - top, high)]).outer
    else:
        loop = Profile(rectangle(half, tall)).scaled(1.0, radius, middle).outer
    frames = [ring.frame.turned(start + tau * k / count).upright() for k in range(count)]
    tools = [model.revolved(Profile(loop), frame, angle) for frame in frames]
    model.add(tools) if joined else model.cut(tools)


def lug(model: Model, wanted: int) -> None:
    """Revolution about an axis in the face, up out of it or down into it, less than half a turn."""
    spots = draw_spots(model, wanted, 5, 0.6)
    rng = model.rng
    joined = rng.random() < 0.55
    reach = min(spots.b, (0.8 * spots.above_mm) if joined else 0.8 * spots.below_mm)
    half = reach * float(rng.uniform(0.3, 0.9))
    profile = Profile(outline(rng, reach / 2, half)) if rng.random() < 0.5 else Profile(rectangle(reach / 2, half))
    profile = profile.scaled(0.95, reach * 0.5)
    angle = float(rng.uniform(0.25, 0.75)) * pi
    over = 0.0 if joined else 0.01 * model.size_mm
    frames = spots.frames if joined else [_down(f).moved(0, 0, -over) for f in spots.frames]
    tools = [model.revolved(profile, f, angle) for f in frames]
    model.add(tools) if joined else model.cut(tools)
