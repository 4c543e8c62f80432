"""Tools with flat walls: slots, steps, pockets and passages, each in a site's local coordinates.

The surface is z = 0, the material below. Slots run along y, steps lie at x+, blind slots open towards x+, corners lie
at (x+, y+).
"""

from collections.abc import Callable
from math import cos, pi, sin

from OCP.TopoDS import TopoDS_Solid

from brep_mae.generate.generators.machined.fitting import Rng, blind_mm, down, patch, through_mm
from brep_mae.generate.generators.machined.sites import Site
from brep_mae.generate.primitives import obround, outline, polygon, prism


def _rectangle(x: float, y: float, a: float, b: float) -> list[tuple[float, float]]:
    return [(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)]


def _triangle(x: float, y: float, a: float, b: float, tip: float) -> list[tuple[float, float]]:
    return [(x - a, y - b), (x + a, y - b), (x + tip * a, y + b)]


def _hexagon(x: float, y: float, a: float, b: float, turn_rad: float) -> list[tuple[float, float]]:
    r = min(a, b)
    return [(x + r * cos(turn_rad + k * pi / 3), y + r * sin(turn_rad + k * pi / 3)) for k in range(6)]


def _mill(points: list[tuple[float, float]], site: Site, depth_mm: float) -> TopoDS_Solid:
    return down(lambda z: polygon([(x, y, z) for x, y in points]), site, depth_mm)


def closed(shape: str, passage: bool) -> Callable[[Site, Rng], TopoDS_Solid]:
    """Maker of pockets and passages with three, four or six walls."""

    def make(site: Site, rng: Rng) -> TopoDS_Solid:
        x, y, a, b = patch(site, rng)
        if shape == "rectangle":
            points = _rectangle(x, y, a, b)
        elif shape == "triangle":
            points = _triangle(x, y, a, b, rng.uniform(-0.8, 0.8))
        else:
            points = _hexagon(x, y, a, b, rng.uniform(0, pi / 3))
        return _mill(points, site, through_mm(site) if passage else blind_mm(site, rng, 2 * min(a, b)))

    return make


def _lane(site: Site, rng: Rng) -> tuple[float, float, float]:
    """Centre, half width and half length of a slot along y."""
    half = rng.uniform(0.08, 0.25) * site.reach_x_mm
    return rng.uniform(-0.6, 0.6) * site.half_x_mm, half, site.reach_y_mm + site.run_mm


def rectangular_through_slot(site: Site, rng: Rng) -> TopoDS_Solid:
    x, half, run = _lane(site, rng)
    return _mill(_rectangle(x, 0, half, run), site, blind_mm(site, rng, 2 * half))


def triangular_through_slot(site: Site, rng: Rng) -> TopoDS_Solid:
    x, half, run = _lane(site, rng)
    depth = blind_mm(site, rng, 2 * half)
    wide = half * (1 + 0.5 / depth)  # the slope goes on half a millimetre above the surface
    top = site.clear_mm
    profile = [(x, -depth), (x + wide, 0.5), (x + wide, top), (x - wide, top), (x - wide, 0.5)]
    return prism(polygon([(p, -run, z) for p, z in profile]), 2 * run, (0, 1, 0))


def round_slot(site: Site, rng: Rng) -> TopoDS_Solid:
    x, half, run = _lane(site, rng)
    depth = blind_mm(site, rng, 2 * half)
    r, top = min(half, 0.8 * depth), site.clear_mm
    left, right, low = (x - r, -run, r - depth), (x + r, -run, r - depth), (x, -run, -depth)
    up_left, up_right = (x - r, -run, top), (x + r, -run, top)
    pieces = [[left, low, right], [right, up_right], [up_right, up_left], [up_left, left]]
    return prism(outline(pieces), 2 * run, (0, 1, 0))


def step(wall: str) -> Callable[[Site, Rng], TopoDS_Solid]:
    """Maker of through steps along y at x+, by the shape of their wall seen from above."""

    def make(site: Site, rng: Rng) -> TopoDS_Solid:
        edge, run = site.reach_x_mm, site.reach_y_mm + site.run_mm
        w = rng.uniform(0.2, 0.6) * edge
        slant = rng.uniform(0.25, 0.6) * w * rng.choice([-1, 1])
        points = [(edge + site.run_mm, -run), (edge + site.run_mm, run)]
        if wall == "straight":
            points += [(edge - w, run), (edge - w, -run)]
        elif wall == "slanted":
            points += [(edge - w - slant, run), (edge - w + slant, -run)]
        else:
            points += [(edge - w + slant, run), (edge - w - slant, 0.0), (edge - w + slant, -run)]
        return _mill(points, site, blind_mm(site, rng, 2 * w))

    return make


def rectangular_blind_slot(site: Site, rng: Rng) -> TopoDS_Solid:
    b = rng.uniform(0.15, 0.45) * site.half_y_mm
    y = rng.uniform(-1, 1) * (0.9 * site.half_y_mm - b)
    start, end = site.reach_x_mm - rng.uniform(0.4, 1.2) * site.half_x_mm, site.reach_x_mm + site.run_mm
    return _mill(_rectangle((start + end) / 2, y, (end - start) / 2, b), site, blind_mm(site, rng, 2 * b))


def rectangular_blind_step(site: Site, rng: Rng) -> TopoDS_Solid:
    a, b = rng.uniform(0.25, 0.9, 2) * (site.half_x_mm, site.half_y_mm)
    x, y = site.reach_x_mm + site.run_mm, site.reach_y_mm + site.run_mm
    start_x, start_y = site.reach_x_mm - a, site.reach_y_mm - b
    points = [(start_x, start_y), (x, start_y), (x, y), (start_x, y)]
    return _mill(points, site, blind_mm(site, rng, 2 * min(a, b)))


def triangular_blind_step(site: Site, rng: Rng) -> TopoDS_Solid:
    a, b = rng.uniform(0.4, 1.2, 2) * (site.half_x_mm, site.half_y_mm)
    grown = 1 + site.run_mm / min(a, b)  # the wall goes on past both open sides
    x, y = site.reach_x_mm - a + a * grown, site.reach_y_mm - b + b * grown
    points = [(x, y), (x - a * (2 * grown - 1), y), (x, y - b * (2 * grown - 1))]
    return _mill(points, site, blind_mm(site, rng, 2 * min(a, b)))


def keyway(site: Site, rng: Rng) -> TopoDS_Solid:
    x, y, a, b = patch(site, rng)
    b = min(b, 0.5 * a)
    return down(lambda z: obround(a, b, z, x, y), site, blind_mm(site, rng, 2 * b))
