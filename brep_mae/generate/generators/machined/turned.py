"""Round tools: holes, bores, ring grooves and bosses, each in a site's local coordinates (z = 0 is the surface)."""

from math import pi

from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.gp import gp_Ax1, gp_Dir, gp_Pnt, gp_Trsf, gp_Vec
from OCP.TopoDS import TopoDS, TopoDS_Solid

from brep_mae.generate.generators.machined.fitting import Rng, blind_mm, down, spot, through_mm
from brep_mae.generate.generators.machined.sites import Site
from brep_mae.generate.primitives import circle, obround, prism, revolve


def through_hole(site: Site, rng: Rng) -> TopoDS_Solid:
    x, y, r = spot(site, rng, 0.12, 0.4)
    return down(lambda z: circle(r, z, x, y), site, through_mm(site))


def circular_pocket(site: Site, rng: Rng) -> TopoDS_Solid:
    x, y, r = spot(site, rng, 0.3, 0.6)
    return down(lambda z: circle(r, z, x, y), site, min(blind_mm(site, rng, 2 * r), 1.2 * r))


def blind_hole(site: Site, rng: Rng) -> TopoDS_Solid:
    """Drilled: the bottom is the cone of a 118 degree point."""
    x, y, r = spot(site, rng, 0.1, 0.3)
    r = min(r, 0.2 * site.depth_mm)
    depth = min(rng.uniform(0.35, 0.7) * site.depth_mm, 6 * r)
    return revolve([(0, -depth - 0.6 * r), (r, -depth), (r, site.clear_mm), (0, site.clear_mm)], x, y)


def counterbore(site: Site, rng: Rng) -> TopoDS_Solid:
    x, y, wide = spot(site, rng, 0.25, 0.5)
    r, shoulder = wide * rng.uniform(0.45, 0.7), -min(rng.uniform(0.2, 0.5) * site.depth_mm, 1.5 * wide)
    end, top = -through_mm(site), site.clear_mm
    return revolve([(0, end), (r, end), (r, shoulder), (wide, shoulder), (wide, top), (0, top)], x, y)


def countersink(site: Site, rng: Rng) -> TopoDS_Solid:
    """A hole with a 90 degree cone at its mouth."""
    x, y, wide = spot(site, rng, 0.25, 0.5)
    r = max(wide * rng.uniform(0.45, 0.65), wide - 0.5 * site.depth_mm)
    end, top, over = -through_mm(site), site.clear_mm, 0.5
    return revolve([(0, end), (r, end), (r, r - wide), (wide + over, over), (wide + over, top), (0, top)], x, y)


def o_ring_groove(site: Site, rng: Rng) -> TopoDS_Solid:
    """Around the axis on a mantle, a ring in the face elsewhere."""
    if site.radius_mm is not None:
        half = min(rng.uniform(0.1, 0.25) * site.half_x_mm, 0.15 * site.radius_mm)
        at, floor = rng.uniform(-1, 1) * (site.half_x_mm - half), site.radius_mm - min(half, 0.2 * site.depth_mm)
        top = site.radius_mm + site.clear_mm
        ring = revolve([(floor, at - half), (top, at - half), (top, at + half), (floor, at + half)])
        onto_axis, lower = gp_Trsf(), gp_Trsf()
        onto_axis.SetRotation(gp_Ax1(gp_Pnt(), gp_Dir(0, 1, 0)), pi / 2)  # z becomes x, the cylinder's axis
        lower.SetTranslation(gp_Vec(0, 0, -site.radius_mm))
        return TopoDS.Solid_s(BRepBuilderAPI_Transform(ring, lower.Multiplied(onto_axis), True).Shape())
    if min(site.half_x_mm, site.half_y_mm) > 0:
        x, y, outer = spot(site, rng, 0.5, 0.85)
        width = rng.uniform(0.15, 0.3) * outer
    else:
        x, y, room = 0.0, 0.0, site.reach_x_mm - site.inner_mm
        outer, width = site.inner_mm + rng.uniform(0.5, 0.85) * room, rng.uniform(0.1, 0.3) * room
    bottom, top = -min(width, 0.4 * site.depth_mm), site.clear_mm
    return revolve([(outer - width, bottom), (outer, bottom), (outer, top), (outer - width, top)], x, y)


def boss(site: Site, rng: Rng) -> TopoDS_Solid:
    x, y, r = spot(site, rng, 0.2, 0.5)
    height = min(rng.uniform(0.5, 1.2) * r, site.headroom_mm)
    sunk = -min(0.5, 0.2 * site.depth_mm)  # a little below the surface, so that no two faces coincide
    if rng.random() < 0.6:
        return prism(circle(r, sunk, x, y), height - sunk)
    return prism(obround(r, rng.uniform(0.5, 0.8) * r, sunk, x, y), height - sunk)
