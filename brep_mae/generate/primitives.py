"""Small makers of wires and solids in local coordinates; the generator's stock and tools are built from them."""

from collections.abc import Sequence

from OCP.BRepBuilderAPI import (
    BRepBuilderAPI_MakeEdge,
    BRepBuilderAPI_MakeFace,
    BRepBuilderAPI_MakePolygon,
    BRepBuilderAPI_MakeWire,
)
from OCP.BRepPrimAPI import BRepPrimAPI_MakePrism, BRepPrimAPI_MakeRevol
from OCP.GC import GC_MakeArcOfCircle
from OCP.gp import gp_Ax1, gp_Ax2, gp_Circ, gp_Dir, gp_Pnt, gp_Vec
from OCP.TopoDS import TopoDS, TopoDS_Solid, TopoDS_Wire

Vector = tuple[float, float, float]
Z: Vector = (0.0, 0.0, 1.0)


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product; numpy's takes longer for three numbers than cutting a hole takes to prepare."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def polygon(points_mm: Sequence[Vector]) -> TopoDS_Wire:
    """Closed wire of straight edges."""
    maker = BRepBuilderAPI_MakePolygon()
    for point in points_mm:
        maker.Add(gp_Pnt(*point))
    maker.Close()
    return maker.Wire()


def outline(pieces_mm: Sequence[Sequence[Vector]]) -> TopoDS_Wire:
    """Wire of pieces that follow each other: two points make a line, three (start, middle, end) an arc."""
    maker = BRepBuilderAPI_MakeWire()
    for piece in pieces_mm:
        points = [gp_Pnt(*p) for p in piece]
        if len(points) == 2:
            maker.Add(BRepBuilderAPI_MakeEdge(*points).Edge())
        else:
            maker.Add(BRepBuilderAPI_MakeEdge(GC_MakeArcOfCircle(*points).Value()).Edge())
    return maker.Wire()


def circle(radius_mm: float, z_mm: float, x_mm: float = 0.0, y_mm: float = 0.0) -> TopoDS_Wire:
    """Circle in a plane of constant z."""
    axis = gp_Ax2(gp_Pnt(x_mm, y_mm, z_mm), gp_Dir(*Z))
    return BRepBuilderAPI_MakeWire(BRepBuilderAPI_MakeEdge(gp_Circ(axis, radius_mm)).Edge()).Wire()


def rounded_rectangle(half_x_mm: float, half_y_mm: float, radius_mm: float, z_mm: float) -> TopoDS_Wire:
    """Rectangle around the origin whose corners are quarter circles; radius below both halves."""
    a, b, r, z = half_x_mm, half_y_mm, radius_mm, z_mm
    k = r * (1 - 0.5**0.5)  # where the middle of a corner's arc lies, seen from the corner
    return outline(
        [
            [(a, r - b, z), (a, b - r, z)],
            [(a, b - r, z), (a - k, b - k, z), (a - r, b, z)],
            [(a - r, b, z), (r - a, b, z)],
            [(r - a, b, z), (k - a, b - k, z), (-a, b - r, z)],
            [(-a, b - r, z), (-a, r - b, z)],
            [(-a, r - b, z), (k - a, k - b, z), (r - a, -b, z)],
            [(r - a, -b, z), (a - r, -b, z)],
            [(a - r, -b, z), (a - k, k - b, z), (a, r - b, z)],
        ]
    )


def obround(half_length_mm: float, radius_mm: float, z_mm: float, x_mm: float = 0.0, y_mm: float = 0.0) -> TopoDS_Wire:
    """Slot shape along x: two straight sides and two half circles; half length above radius."""
    r, z = radius_mm, z_mm
    left, right = x_mm - half_length_mm + r, x_mm + half_length_mm - r
    return outline(
        [
            [(left, y_mm - r, z), (right, y_mm - r, z)],
            [(right, y_mm - r, z), (right + r, y_mm, z), (right, y_mm + r, z)],
            [(right, y_mm + r, z), (left, y_mm + r, z)],
            [(left, y_mm + r, z), (left - r, y_mm, z), (left, y_mm - r, z)],
        ]
    )


def prism(wire: TopoDS_Wire, length_mm: float, direction: Vector = Z) -> TopoDS_Solid:
    """Solid swept from a flat closed wire along a direction."""
    sweep = gp_Vec(gp_Dir(*direction)).Multiplied(length_mm)
    base = BRepBuilderAPI_MakeFace(wire, True).Face()
    # Without its own copy the far end would be the base moved, and STEP writing could not tell the two faces apart.
    return TopoDS.Solid_s(BRepPrimAPI_MakePrism(base, sweep, True).Shape())


def revolve(profile_mm: Sequence[tuple[float, float]], x_mm: float = 0.0, y_mm: float = 0.0) -> TopoDS_Solid:
    """Solid of a closed (radius, z) polygon turned about a line along z."""
    wire = polygon([(x_mm + r, y_mm, z) for r, z in profile_mm])
    face = BRepBuilderAPI_MakeFace(wire, True).Face()
    axis = gp_Ax1(gp_Pnt(x_mm, y_mm, 0.0), gp_Dir(*Z))
    return TopoDS.Solid_s(BRepPrimAPI_MakeRevol(face, axis).Shape())
