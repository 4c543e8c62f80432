"""Flat sketches: closed loops of lines, arcs and splines in a frame's plane."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from math import cos, hypot, sin

from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_MakeFace, BRepBuilderAPI_MakeWire
from OCP.GC import GC_MakeArcOfCircle
from OCP.GeomAPI import GeomAPI_Interpolate
from OCP.gp import gp_Ax2, gp_Circ, gp_Dir, gp_Elips, gp_Pln, gp_Pnt
from OCP.Standard import Standard_ConstructionError
from OCP.StdFail import StdFail_NotDone
from OCP.TColgp import TColgp_HArray1OfPnt
from OCP.TopoDS import TopoDS, TopoDS_Edge, TopoDS_Face, TopoDS_Wire

from brep_mae.generate.labelled import Rejected
from brep_mae.generate.primitives import Vector, cross

Point = tuple[float, float]


class Kind(Enum):
    """What a curve's points mean."""

    LINE = "start, end"
    ARC = "start, a point between, end"
    SPLINE = "the points it passes through"
    SMOOTH = "the points it passes through, closed without a corner"
    CIRCLE = "centre, a point on it"
    ELLIPSE = "centre, end of the major axis, end of the minor axis"


@dataclass(frozen=True)
class Curve:
    """A piece of a loop; only its points change under a similarity."""

    kind: Kind
    points: tuple[Point, ...]


Loop = tuple[Curve, ...]


@dataclass(frozen=True)
class Frame:
    """A plane to sketch in: u along `x`, v along `y`, w along `normal`; both vectors are unit and perpendicular."""

    origin: Vector = (0.0, 0.0, 0.0)
    x: Vector = (1.0, 0.0, 0.0)
    normal: Vector = (0.0, 0.0, 1.0)

    @cached_property
    def y(self) -> Vector:
        return cross(self.normal, self.x)

    def at(self, u: float, v: float, w: float = 0.0) -> Vector:
        o, x, y, n = self.origin, self.x, self.y, self.normal
        return (
            o[0] + u * x[0] + v * y[0] + w * n[0],
            o[1] + u * x[1] + v * y[1] + w * n[1],
            o[2] + u * x[2] + v * y[2] + w * n[2],
        )

    def point(self, u: float, v: float, w: float = 0.0) -> gp_Pnt:
        return gp_Pnt(*self.at(u, v, w))

    def moved(self, u: float, v: float, w: float = 0.0) -> "Frame":
        return Frame(self.at(u, v, w), self.x, self.normal)

    def turned(self, angle_rad: float) -> "Frame":
        """About its normal."""
        c, s, x, y = cos(angle_rad), sin(angle_rad), self.x, self.y
        return Frame(self.origin, (c * x[0] + s * y[0], c * x[1] + s * y[1], c * x[2] + s * y[2]), self.normal)

    def upright(self) -> "Frame":
        """The plane through the origin, x and the normal; its v runs along this frame's normal."""
        return Frame(self.origin, self.x, cross(self.x, self.normal))


@dataclass(frozen=True)
class Profile:
    """An outline with holes, each loop counter-clockwise."""

    outer: Loop
    holes: tuple[Loop, ...] = ()

    @cached_property
    def points(self) -> tuple[Point, ...]:
        return tuple(p for curve in self.outer for p in curve.points)

    @cached_property
    def reach(self) -> float:
        """Radius about the origin that holds the outline, but for what splines and arcs bulge between points."""
        centred = {Kind.CIRCLE, Kind.ELLIPSE}
        found = [hypot(*p) for c in self.outer if c.kind not in centred for p in c.points]
        for curve in self.outer:
            if curve.kind in centred:
                (cx, cy), (px, py) = curve.points[:2]
                found.append(hypot(cx, cy) + hypot(px - cx, py - cy))
        return max(found)

    def scaled(self, factor: float, u: float = 0.0, v: float = 0.0) -> "Profile":
        """Scaled about the origin, which then moves to (u, v)."""

        def loop(curves: Loop) -> Loop:
            return tuple(Curve(c.kind, tuple((u + factor * a, v + factor * b) for a, b in c.points)) for c in curves)

        return Profile(loop(self.outer), tuple(loop(hole) for hole in self.holes))

    def filling(self, radius_mm: float) -> "Profile":
        """Scaled to the given reach."""
        return self.scaled(radius_mm / self.reach)


def polyline(points: Iterable[Point]) -> Loop:
    """Closed loop of lines."""
    corners = list(points)
    return tuple(Curve(Kind.LINE, (a, b)) for a, b in zip(corners, corners[1:] + corners[:1], strict=True))


def _edge(curve: Curve, frame: Frame) -> TopoDS_Edge:
    points = [frame.point(*p) for p in curve.points]
    if curve.kind is Kind.LINE:
        return BRepBuilderAPI_MakeEdge(*points).Edge()
    if curve.kind is Kind.ARC:
        return BRepBuilderAPI_MakeEdge(GC_MakeArcOfCircle(*points).Value()).Edge()
    if curve.kind in (Kind.CIRCLE, Kind.ELLIPSE):
        axis = gp_Ax2(points[0], gp_Dir(*frame.normal), gp_Dir(*frame.x))
        major = points[0].Distance(points[1])
        if curve.kind is Kind.CIRCLE:
            return BRepBuilderAPI_MakeEdge(gp_Circ(axis, major)).Edge()
        return BRepBuilderAPI_MakeEdge(gp_Elips(axis, major, points[0].Distance(points[2]))).Edge()
    array = TColgp_HArray1OfPnt(1, len(points))
    for i, point in enumerate(points):
        array.SetValue(i + 1, point)
    spline = GeomAPI_Interpolate(array, curve.kind is Kind.SMOOTH, 1e-6)
    spline.Perform()
    return BRepBuilderAPI_MakeEdge(spline.Curve()).Edge()


def wire(loop: Loop, frame: Frame) -> TopoDS_Wire:
    maker = BRepBuilderAPI_MakeWire()
    for curve in loop:
        maker.Add(_edge(curve, frame))
    return maker.Wire()


def face(profile: Profile, frame: Frame) -> TopoDS_Face:
    """The sketch's region, its normal the frame's; Rejected where the kernel finds no such region."""
    try:
        plane = gp_Pln(gp_Pnt(*frame.origin), gp_Dir(*frame.normal))
        maker = BRepBuilderAPI_MakeFace(plane, wire(profile.outer, frame), True)
        for hole in profile.holes:
            maker.Add(TopoDS.Wire_s(wire(hole, frame).Reversed()))
        return maker.Face()
    except (StdFail_NotDone, Standard_ConstructionError) as error:
        raise Rejected("sketch does not close") from error
