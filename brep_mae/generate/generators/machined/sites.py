"""Sites: the places on a stock where features may start, and how much room each of them offers."""

from dataclasses import dataclass, replace
from math import cos, pi, sin, sqrt

import numpy as np

from brep_mae.generate.primitives import Vector, cross

Sides = tuple[bool, bool, bool, bool]
ALL_OPEN: Sides = (True, True, True, True)
CLOSED: Sides = (False, False, False, False)


@dataclass(frozen=True)
class Site:
    """A place on the stock where a feature may start: a frame on the surface and the room around it.

    Local coordinates: origin on the surface, z out of the material, x along `x_dir`.

    Args:
        half_x_mm, half_y_mm: half extent in which a closed profile fits; 0 where none does.
        reach_x_mm, reach_y_mm: from the origin to where the stock ends on its open sides.
        depth_mm: material below the surface that a blind feature may use.
        through_mm: distance to the far side; None where a feature cannot go through.
        open: True = the stock ends at that side (x+, y+, x-, y-), so a tool may run out there.
        corners: True = neighbouring open sides meet in a corner of the stock.
        radius_mm: of the cylinder, with axis along local x, whose surface the site touches; None = flat.
        inner_mm: radius of the bore around the origin, 0 without one.
        clear_mm, beyond_mm: how far tools start above the surface, and end beyond the far side.
        headroom_mm: free height for a boss; 0 where none may stand.
        far_open: True = nothing but bosses can stand beyond the far side.
        run_mm: how far tools overshoot an open side.
    """

    origin: Vector
    normal: Vector
    x_dir: Vector
    half_x_mm: float
    half_y_mm: float
    reach_x_mm: float
    reach_y_mm: float
    depth_mm: float
    through_mm: float | None
    open: Sides = CLOSED
    corners: bool = False
    radius_mm: float | None = None
    inner_mm: float = 0.0
    clear_mm: float = 1.0
    beyond_mm: float = 1.0
    headroom_mm: float = 0.0
    far_open: bool = False
    run_mm: float = 2.0

    def turned(self, quarters: int) -> "Site":
        """The same place with its frame turned about the normal by quarter turns, counter-clockwise."""
        site = self
        for _ in range(quarters):
            site = replace(
                site,
                x_dir=cross(site.normal, site.x_dir),
                half_x_mm=site.half_y_mm,
                half_y_mm=site.half_x_mm,
                reach_x_mm=site.reach_y_mm,
                reach_y_mm=site.reach_x_mm,
                open=(*site.open[1:], site.open[0]),
            )
        return site


def box_side(size: Vector, axis: int, sign: int, depth_mm: float | None = None, open: Sides = ALL_OPEN) -> Site:
    """One side of a box that is centred on the origin."""
    unit = np.eye(3)
    x, y = size[(axis + 1) % 3] / 2, size[(axis + 2) % 3] / 2
    depth = size[axis] if depth_mm is None else depth_mm
    return Site(
        origin=tuple(sign * unit[axis] * size[axis] / 2),
        normal=tuple(sign * unit[axis]),
        x_dir=tuple(unit[(axis + 1) % 3]),
        half_x_mm=x,
        half_y_mm=y,
        reach_x_mm=x,
        reach_y_mm=y,
        depth_mm=depth,
        through_mm=depth,
        open=open,
        corners=True,
        headroom_mm=min(x, y),
        far_open=True,
    )


def _moved(site: Site, dx_mm: float, dy_mm: float, half_mm: float) -> Site:
    """A small closed patch inside a site, for one hole of a pattern."""
    at = np.array(site.origin) + dx_mm * np.array(site.x_dir) + dy_mm * np.array(cross(site.normal, site.x_dir))
    return replace(site, origin=tuple(at), half_x_mm=half_mm, half_y_mm=half_mm, open=CLOSED, corners=False)


def corner_pattern(site: Site) -> tuple[Site, ...]:
    half = 0.25 * min(site.half_x_mm, site.half_y_mm)
    x, y = site.half_x_mm - 1.2 * half, site.half_y_mm - 1.2 * half
    return tuple(_moved(site, sx * x, sy * y, half) for sx in (-1, 1) for sy in (-1, 1))


def disc(z_mm: float, sign: int, radius_mm: float, inner_mm: float, depth_mm: float, through_mm: float) -> Site:
    """A round end face around the z axis; with a bore, only grooves and what runs across the face fit."""
    half = 0.65 * radius_mm if inner_mm == 0 else 0.0
    up = (0.0, 0.0, float(sign))
    return Site(
        origin=(0.0, 0.0, z_mm),
        normal=up,
        x_dir=(1.0, 0.0, 0.0),
        half_x_mm=half,
        half_y_mm=half,
        reach_x_mm=radius_mm,
        reach_y_mm=radius_mm,
        depth_mm=depth_mm,
        through_mm=through_mm,
        open=ALL_OPEN,
        inner_mm=inner_mm,
        headroom_mm=half,
        far_open=True,
    )


def around(z_mm: float, sign: int, inner_mm: float, outer_mm: float, depth_mm: float, count: int) -> tuple[Site, ...]:
    """Equal patches around the z axis on a ring-shaped face, their x pointing outwards."""
    middle, wall = (inner_mm + outer_mm) / 2, outer_mm - inner_mm
    half = 0.8 * min(wall / 2, middle * sin(pi / count))
    sagitta = inner_mm - sqrt(max(inner_mm**2 - half**2, 0.0))  # the bore recedes beside the patch's centre line
    sites = []
    for k in range(count):
        out = (cos(2 * pi * k / count), sin(2 * pi * k / count), 0.0)
        sites.append(
            Site(
                origin=(middle * out[0], middle * out[1], z_mm),
                normal=(0.0, 0.0, float(sign)),
                x_dir=out,
                half_x_mm=half,
                half_y_mm=half,
                reach_x_mm=wall / 2,
                reach_y_mm=half,
                depth_mm=depth_mm,
                through_mm=depth_mm,
                headroom_mm=half,
                far_open=True,
                run_mm=1.0 + sagitta,
            )
        )
    return tuple(sites)


def mantle(rng: np.random.Generator, z_mm: float, length_mm: float, radius_mm: float, inner_mm: float) -> Site:
    """A place on a cylinder around the z axis, at a random angle, its x along the axis."""
    angle = rng.uniform(0, 2 * pi)
    out = (cos(angle), sin(angle), 0.0)
    wall = radius_mm - inner_mm
    return Site(
        origin=(radius_mm * out[0], radius_mm * out[1], z_mm),
        normal=out,
        x_dir=(0.0, 0.0, 1.0),
        half_x_mm=0.4 * length_mm,
        half_y_mm=min(0.35 * radius_mm, wall),
        reach_x_mm=length_mm / 2,
        reach_y_mm=radius_mm,
        depth_mm=0.8 * wall,
        through_mm=2 * radius_mm if inner_mm == 0 else wall,
        radius_mm=radius_mm,
        beyond_mm=1.0 + 0.45 * inner_mm,
    )
