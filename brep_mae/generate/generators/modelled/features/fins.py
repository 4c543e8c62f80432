"""Joined extrusions that reach out beyond the part: fins, gussets, wings, handles, axles."""

import numpy as np

from brep_mae.generate.generators.modelled.bounds import bounds_mm
from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.places import Probe
from brep_mae.generate.generators.modelled.sketches.outlines import circle, outline
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Loop, Profile, polyline
from brep_mae.generate.labelled import Rejected


def fin(model: Model, wanted: int) -> None:
    """Sketched in a plane that cuts through the part, from inside it to outside, and swept to both sides of that plane:
    one thin sheet, or several in parallel."""
    rng = model.rng
    low, high = bounds_mm(model.solid)
    axis, sign = int(rng.integers(3)), float(rng.choice([-1, 1]))
    sideways = (axis + int(rng.integers(1, 3))) % 3
    unit = np.eye(3)
    at = rng.uniform(0.8 * low + 0.2 * high, 0.2 * low + 0.8 * high)
    out, normal = (sign * unit[axis]).tolist(), unit[sideways].tolist()
    frame = Frame(tuple(at.tolist()), tuple(out), tuple(normal))
    hits = Probe(model.solid).crossings_mm(frame.origin, frame.x)
    if len(hits) < 2:
        raise Rejected("nothing at the datum plane")
    top, thick = float(hits[-1]), float(hits[-1] - hits[-2])
    reach = float(rng.uniform(0.06, 0.35)) * model.size_mm
    sunk = min(0.45 * thick, 0.4 * reach)
    tall = 0.5 * float((high - low)[3 - axis - sideways]) * float(rng.uniform(0.1, 0.6))
    a = 0.5 * (reach + sunk)
    loop = _web(rng, a, tall, sunk) if rng.random() < 0.4 else outline(rng, a, max(tall, 0.2 * a))
    profile = Profile(loop).scaled(1.0, top - sunk + a)
    width = float((high - low)[sideways])
    count = int(min(rng.choice([1, 1, 2, 2, 3, 5]), max(1, wanted // 4)))
    thickness = min(float(rng.uniform(0.02, 0.12)) * model.size_mm, 0.6 * width / count)
    pitch = min(float(rng.uniform(1.5, 4.0)) * thickness, width / count)
    stations = (np.arange(count) - (count - 1) / 2) * pitch
    model.add([model.extruded(profile, frame.moved(0, 0, float(w) - thickness / 2), thickness) for w in stations])


def _web(rng: np.random.Generator, a: float, b: float, sunk: float) -> Loop:
    """A triangle or trapezium whose long side is in the part."""
    tip, lean = float(rng.uniform(0.05, 0.8)) * b, float(rng.choice([-1.0, 0.0, 1.0]))
    middle = lean * (b - tip)
    return polyline([(-a, -b), (sunk - a, -b), (a, middle - tip), (a, middle + tip), (sunk - a, b), (-a, b)])


def axle(model: Model, wanted: int) -> None:
    """Through the part along x, y or z, out at both sides, often with larger ends."""
    rng = model.rng
    low, high = bounds_mm(model.solid)
    axis = int(rng.integers(3))
    unit = np.eye(3)
    at = rng.uniform(0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high)
    at[axis] = low[axis]
    frame = Frame(tuple(at.tolist()), tuple(unit[(axis + 1) % 3].tolist()), tuple(unit[axis].tolist()))
    length = float((high - low)[axis])
    if not len(Probe(model.solid).crossings_mm(frame.origin, frame.normal)):
        raise Rejected("nothing along the axle")
    b = float(rng.uniform(0.02, 0.12)) * model.size_mm
    out = float(rng.uniform(0.03, 0.3)) * length
    loop = circle(b) if rng.random() < 0.5 else outline(rng, 1.4 * b, b)
    model.add([model.extruded(Profile(loop), frame.moved(0, 0, -out), length + 2 * out)])
    if rng.random() < 0.5:
        disc = Profile(circle(b * float(rng.uniform(1.8, 3.5))) if rng.random() < 0.7 else outline(rng, 3 * b, 2 * b))
        thick = out * float(rng.uniform(0.3, 0.8))
        ends = [frame.moved(0, 0, -out), frame.moved(0, 0, length + out - thick)]
        model.add([model.extruded(disc, end, thick) for end in ends])
