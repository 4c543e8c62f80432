"""Draws where in a site a feature goes, how large and how deep it is, and brings the tool there."""

from collections.abc import Callable

import numpy as np
from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.gp import gp_Ax3, gp_Dir, gp_Pnt, gp_Trsf
from OCP.TopoDS import TopoDS_Shape, TopoDS_Solid, TopoDS_Wire

from brep_mae.generate.generators.machined.sites import Site
from brep_mae.generate.primitives import prism

Rng = np.random.Generator


def place(tool: TopoDS_Shape, site: Site) -> TopoDS_Shape:
    """Brings a tool from local coordinates to the part's."""
    there = gp_Trsf()
    there.SetDisplacement(gp_Ax3(), gp_Ax3(gp_Pnt(*site.origin), gp_Dir(*site.normal), gp_Dir(*site.x_dir)))
    return BRepBuilderAPI_Transform(tool, there, True).Shape()


def patch(site: Site, rng: Rng) -> tuple[float, float, float, float]:
    """Centre and half sizes of a box inside the site, no side more than 2.5 times the other."""
    a, b = rng.uniform(0.25, 0.6) * site.half_x_mm, rng.uniform(0.25, 0.6) * site.half_y_mm
    a, b = min(a, 2.5 * b), min(b, 2.5 * a)
    x = rng.uniform(-1, 1) * (0.95 * site.half_x_mm - a)
    y = rng.uniform(-1, 1) * (0.95 * site.half_y_mm - b)
    return x, y, a, b


def spot(site: Site, rng: Rng, low: float, high: float) -> tuple[float, float, float]:
    """Centre and radius of a circle inside the site; low and high are shares of the smaller half extent."""
    r = rng.uniform(low, high) * min(site.half_x_mm, site.half_y_mm)
    x = rng.uniform(-1, 1) * (0.95 * site.half_x_mm - r)
    y = rng.uniform(-1, 1) * (0.95 * site.half_y_mm - r)
    return x, y, r


def blind_mm(site: Site, rng: Rng, width_mm: float) -> float:
    return min(rng.uniform(0.2, 0.6) * site.depth_mm, 1.5 * width_mm)


def through_mm(site: Site) -> float:
    assert site.through_mm is not None, "Feature.fits lets through features only to sites with a far side"
    return site.through_mm + site.beyond_mm


def down(wire: Callable[[float], TopoDS_Wire], site: Site, depth_mm: float) -> TopoDS_Solid:
    """Prism from `depth_mm` below the surface up to the clearance; `wire` makes its outline at a given z."""
    return prism(wire(-depth_mm), depth_mm + site.clear_mm)
