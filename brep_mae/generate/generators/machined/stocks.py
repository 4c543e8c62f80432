"""The raw parts of the generator: seven families of stock, and the sites where features may be cut into them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepPrimAPI import BRepPrimAPI_MakeBox
from OCP.gp import gp_Pnt
from OCP.TopoDS import TopoDS_Solid

from brep_mae.generate.generators.machined.sites import CLOSED, Site, around, box_side, corner_pattern, disc, mantle
from brep_mae.generate.labelled import only_solid
from brep_mae.generate.primitives import Vector, obround, polygon, prism, revolve, rounded_rectangle


@dataclass(frozen=True)
class Stock:
    """A raw solid with its sites; `patterns` are groups of equal sites that take the same hole each."""

    solid: TopoDS_Solid
    sites: tuple[Site, ...]
    patterns: tuple[tuple[Site, ...], ...] = ()

    @cached_property
    def turns(self) -> list[Site]:
        """Every site in every direction it can be used; a mantle's x is its cylinder's axis and has to stay so."""
        return [site.turned(k) for site in self.sites for k in range(4 if site.radius_mm is None else 1)]


def _box(size: Vector) -> TopoDS_Solid:
    return BRepPrimAPI_MakeBox(gp_Pnt(*(-c / 2 for c in size)), gp_Pnt(*(c / 2 for c in size))).Solid()


def plate(rng: np.random.Generator) -> Stock:
    """A flat plate, rectangular or with round ends; features on top and bottom."""
    long = rng.uniform(60, 200)
    size = (long, long * rng.uniform(0.45, 0.9), rng.uniform(6, 8 + 0.1 * long))
    round_ends = rng.random() < 0.3
    sides = (box_side(size, 2, 1), box_side(size, 2, -1))
    if not round_ends:
        return Stock(_box(size), sides, tuple(corner_pattern(s) for s in sides))
    solid = prism(obround(size[0] / 2, size[1] / 2, -size[2] / 2), size[2])
    straight = size[0] / 2 - 0.3 * size[1]  # beyond it the round end leaves no room in the corners of a patch
    lanes = (False, True, False, True)  # across only: a tool along x would have to follow the round ends
    rounded = tuple(replace(s, half_x_mm=straight, half_y_mm=0.45 * size[1], open=lanes, corners=False) for s in sides)
    return Stock(solid, rounded, tuple(corner_pattern(s) for s in rounded))


def block(rng: np.random.Generator) -> Stock:
    """A box of comparable sides; features on all six."""
    long = rng.uniform(30, 160)
    size = (long, max(20.0, long * rng.uniform(0.5, 1)), max(20.0, long * rng.uniform(0.4, 1)))
    sides = tuple(box_side(size, axis, sign) for axis in range(3) for sign in (1, -1))
    return Stock(_box(size), sides)


def bracket(rng: np.random.Generator) -> Stock:
    """An L or U profile of even wall; features on its base and webs, from outside and where a tool can enter."""
    a, b, w = (rng.uniform(40, 140) for _ in range(3))
    t = rng.uniform(0.12, 0.22) * min(a, b)
    u_shape = rng.random() < 0.5
    if u_shape:
        outline = [(0, 0), (a, 0), (a, b), (a - t, b), (a - t, t), (t, t), (t, b), (0, b)]
    else:
        outline = [(0, 0), (a, 0), (a, t), (t, t), (t, b), (0, b)]
    solid = prism(polygon([(x, 0.0, z) for x, z in outline]), w, (0, 1, 0))

    walls: list[tuple[Vector, Vector, Vector, float, bool]] = [  # inside point, outward normal, x, half, x+ free
        ((a / 2 if u_shape else (a + t) / 2, w / 2, t), (0, 0, -1), (1, 0, 0), a / 2 - t, False),
        ((t, w / 2, (b + t) / 2), (-1, 0, 0), (0, 0, 1), (b - t) / 2, True),
    ]
    if u_shape:
        walls.append(((a - t, w / 2, (b + t) / 2), (1, 0, 0), (0, 0, 1), (b - t) / 2, True))
    else:
        walls[0] = (*walls[0][:3], (a - t) / 2, True)
    sites = []
    for inside, normal, x_dir, x, free in walls:
        away = (inside[0] + t * normal[0], inside[1], inside[2] + t * normal[2])
        outer = Site(
            origin=away,
            normal=normal,
            x_dir=x_dir,
            half_x_mm=x,
            half_y_mm=w / 2,
            reach_x_mm=x,
            reach_y_mm=w / 2,
            depth_mm=t,
            through_mm=t,
            open=(free, True, False, True),
            corners=True,
            headroom_mm=t,
        )
        sites.append(outer)
        if not u_shape or not free:  # no tool reaches the inner side of a U's web
            back = (-normal[0], 0.0, -normal[2])
            # bosses stand outside only, so what enters from inside has to get through them
            sites.append(replace(outer, origin=inside, normal=back, headroom_mm=0.0, far_open=True))
    return Stock(solid, tuple(sites), tuple(corner_pattern(s) for s in sites))


def flange(rng: np.random.Generator) -> Stock:
    """A disc with or without hub and bore; bolt patches around, grooves and slots across its faces."""
    outer, t = rng.uniform(30, 100), rng.uniform(8, 22)
    bore = outer * rng.uniform(0.2, 0.35) if rng.random() < 0.6 else 0.0
    hub = max(bore * 1.3, outer * rng.uniform(0.35, 0.5)) if rng.random() < 0.5 else 0.0
    top = t + rng.uniform(10, 30) if hub else t
    outline = [(bore, 0), (outer, 0), (outer, t), (hub, t), (hub, top), (bore, top)] if hub else None
    solid = revolve(outline or [(bore, 0), (outer, 0), (outer, t), (bore, t)])
    count = int(rng.integers(3, 9))
    upper = around(t, 1, hub or bore or 0.3 * outer, outer, t, count)
    lower = around(0, -1, hub or bore or 0.3 * outer, outer, t, count)
    sites = [disc(0, -1, outer, bore, t, top), mantle(rng, t / 2, t, outer, outer * 0.5)]
    sites[1] = replace(sites[1], through_mm=None)
    if not hub:
        sites.append(disc(t, 1, outer, bore, t, t))
    some = rng.choice(count, 2, replace=False)
    return Stock(solid, (*sites, *(patches[i] for patches in (upper, lower) for i in some)), (upper, lower))


def shaft(rng: np.random.Generator) -> Stock:
    """A turned, stepped shaft; features along its mantles and on its ends."""
    steps = int(rng.integers(2, 5))
    length = rng.uniform(80, 200)
    cuts = np.concatenate([[0.0], np.sort(rng.dirichlet(np.full(steps, 6.0)).cumsum())])
    z = cuts / cuts[-1] * length
    radii = [float(length * rng.uniform(0.1, 0.22))]
    while len(radii) < steps:
        factor = float(rng.choice([0.7, 0.8, 1.25, 1.4]))
        radii.append(radii[-1] * factor if 8 < radii[-1] * factor < 50 else radii[-1] / factor)
    outline: list[tuple[float, float]] = [(0.0, 0.0)]
    sites = []
    for i, radius in enumerate(radii):
        outline += [(radius, float(z[i])), (radius, float(z[i + 1]))]
        sites.append(mantle(rng, float(z[i] + z[i + 1]) / 2, float(z[i + 1] - z[i]), radius, 0.0))
    outline.append((0.0, length))
    for end, sign, k in ((0.0, -1, 0), (length, 1, -1)):
        step_mm = float(z[1] if k == 0 else z[-1] - z[-2])
        sites.append(replace(disc(end, sign, radii[k], 0.0, step_mm, length), headroom_mm=0.0))
    return Stock(revolve(outline), tuple(sites))


def ring(rng: np.random.Generator) -> Stock:
    """A ring with a wide bore; features on its faces and through its wall."""
    outer = rng.uniform(30, 100)
    inner = outer * rng.uniform(0.5, 0.75)
    height = outer * rng.uniform(0.25, 0.8)
    solid = revolve([(inner, 0), (outer, 0), (outer, height), (inner, height)])
    count = int(rng.integers(3, 9))
    faces = [around(z, sign, inner, outer, height, count) for z, sign in ((height, 1), (0.0, -1))]
    across = [replace(patches[0], open=(True, False, True, False)) for patches in faces]
    discs = [disc(z, sign, outer, inner, height, height) for z, sign in ((height, 1), (0.0, -1))]
    mantles = [mantle(rng, height / 2, height, outer, inner) for _ in range(2)]
    return Stock(solid, (*across, *discs, *mantles), tuple(faces))


def housing(rng: np.random.Generator) -> Stock:
    """A box with a wide, open, round-cornered hollow; features on its walls and its floor."""
    long = rng.uniform(60, 180)
    size = (long, long * rng.uniform(0.55, 1), long * rng.uniform(0.35, 0.7))
    wall = rng.uniform(0.08, 0.14) * min(size)
    floor = wall * rng.uniform(1, 1.6)
    bottom = -size[2] / 2 + floor
    inner = (size[0] - 2 * wall, size[1] - 2 * wall, size[2] - floor)
    corner = rng.uniform(0.15, 0.25) * min(inner[:2])
    solid = _box(size)
    hollow = prism(rounded_rectangle(inner[0] / 2, inner[1] / 2, corner, bottom), inner[2] + 1)
    solid = only_solid(BRepAlgoAPI_Cut(solid, hollow).Shape())
    under = replace(box_side(size, 2, -1, depth_mm=floor), half_x_mm=0.45 * inner[0], half_y_mm=0.45 * inner[1])
    inside = replace(
        under,
        origin=(0.0, 0.0, bottom),
        normal=(0.0, 0.0, 1.0),
        open=CLOSED,
        corners=False,
        headroom_mm=0.5 * inner[2],
    )
    walls = []
    for axis in (0, 1):
        across, up = inner[1 - axis] / 2 - corner, inner[2] / 2 - 1
        for sign in (1, -1):
            side = box_side(size, axis, sign, depth_mm=wall, open=CLOSED)
            side = replace(side, origin=(*side.origin[:2], bottom + inner[2] / 2), far_open=False, corners=False)
            x, y = (across, up) if axis == 0 else (up, across)  # local x is the axis after the normal's
            walls.append(replace(side, half_x_mm=x, half_y_mm=y))
    return Stock(solid, (under, inside, *walls), (corner_pattern(under), corner_pattern(inside)))


FAMILIES: dict[str, Callable[[np.random.Generator], Stock]] = {
    "plate": plate,
    "bracket": bracket,
    "flange": flange,
    "shaft": shaft,
    "block": block,
    "ring": ring,
    "housing": housing,
}
