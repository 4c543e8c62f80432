"""Faces of closed surfaces that hold holes alone: the rest of the surface is put round them.

A loop that runs along a seam and back holds the whole surface but its hole. The kernel cuts both ways off, and puts the
surface's own boundary round what is left on a sphere, but not on free-form surfaces.
"""

import numpy as np
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Curve2d
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeFace
from OCP.BRepTools import BRepTools_ReShape
from OCP.Geom import Geom_BSplineSurface
from OCP.gp import gp_Vec2d
from OCP.Precision import Precision
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_FORWARD, TopAbs_REVERSED, TopAbs_WIRE
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Edge, TopoDS_Face, TopoDS_Solid

from brep_mae.brep.read.solids import subshapes

CLOSED = 1e-6
"""Ends of a loop that lie nearer in the parameters are one."""
CLEAR = 0.9
"""Share of the way from the middle between two loops to either within which a seam is clear of them."""
STEPS = 16
"""Chords of an edge when loops are measured."""


def bounded(solid: TopoDS_Solid) -> TopoDS_Solid:
    """The solid with its faces bounded from outside too; the same where each is."""
    here = solid.Located(TopLoc_Location())
    changes = BRepTools_ReShape()
    holes = [TopoDS.Face_s(face) for face in subshapes(here, TopAbs_FACE) if _holes_alone(TopoDS.Face_s(face))]
    for face in holes:
        changes.Replace(face, _bounded(face))
    return TopoDS.Solid_s(changes.Apply(here).Located(solid.Location())) if holes else solid


def _holes_alone(face: TopoDS_Face) -> bool:
    """True where a spline surface repeats and the face lies right of its loops, which are closed in (u, v)."""
    surface = BRep_Tool.Surface_s(face)
    if not isinstance(surface, Geom_BSplineSurface) or not (surface.IsUPeriodic() or surface.IsVPeriodic()):
        return False
    area, way = 0.0, np.zeros(2)
    forward = TopoDS.Face_s(face.Oriented(TopAbs_FORWARD))
    for edge in subshapes(forward, TopAbs_EDGE):
        u, v = _points(TopoDS.Edge_s(edge), forward)
        sign = -1.0 if edge.Orientation() == TopAbs_REVERSED else 1.0
        area += sign * (u[:-1] * v[1:] - u[1:] * v[:-1]).sum() / 2
        way += sign * np.array([u[-1] - u[0], v[-1] - v[0]])
    return bool(area < 0 and np.abs(way).max() < CLOSED)


def _points(edge: TopoDS_Edge, face: TopoDS_Face) -> np.ndarray:
    """u and v along an edge. Shapes: (2, STEPS + 1)"""
    curve = BRepAdaptor_Curve2d(edge, face)
    t = np.linspace(curve.FirstParameter(), curve.LastParameter(), STEPS + 1)
    return np.array([curve.Value(at).Coord() for at in t.tolist()]).T


def _bounded(face: TopoDS_Face) -> TopoDS_Face:
    """The face inside a boundary of the whole surface, whose seams lie half way between the loops."""
    forward, surface = TopoDS.Face_s(face.Oriented(TopAbs_FORWARD)), BRep_Tool.Surface_s(face).Copy()
    wires = list(subshapes(forward, TopAbs_WIRE))
    edges = [[TopoDS.Edge_s(edge) for edge in subshapes(wire, TopAbs_EDGE)] for wire in wires]
    loops = [np.concatenate([_points(edge, forward) for edge in each], axis=1) for each in edges]
    low, high = np.array([loop.min(axis=1) for loop in loops]), np.array([loop.max(axis=1) for loop in loops])
    period = np.zeros(2)
    if surface.IsUPeriodic():
        period[0] = surface.UPeriod()
        knots = [surface.UKnot(i + 1) for i in range(surface.NbUKnots() - 1)]
        start = _between(low[:, 0], high[:, 0], knots, period[0])
        surface.InsertUKnot(start, 1, 0.0, False)  # no change where it is one
        surface.SetUOrigin(_nearest([surface.UKnot(i + 1) for i in range(surface.NbUKnots() - 1)], start))
    if surface.IsVPeriodic():
        period[1] = surface.VPeriod()
        knots = [surface.VKnot(i + 1) for i in range(surface.NbVKnots() - 1)]
        start = _between(low[:, 1], high[:, 1], knots, period[1])
        surface.InsertVKnot(start, 1, 0.0, False)
        surface.SetVOrigin(_nearest([surface.VKnot(i + 1) for i in range(surface.NbVKnots() - 1)], start))
    start_u, _, start_v, _ = surface.Bounds()
    turns = np.floor(((low + high) / 2 - (start_u, start_v)) / np.where(period > 0, period, np.inf))
    whole, builder = BRepBuilderAPI_MakeFace(surface, Precision.Confusion_s()).Face(), BRep_Builder()
    whole.Orientation(TopAbs_FORWARD)
    for wire, own_edges, shift in zip(wires, edges, -turns * period, strict=True):
        for edge in own_edges:
            curve = BRep_Tool.CurveOnSurface_s(edge, forward, 0.0, 0.0).Translated(gp_Vec2d(*shift.tolist()))
            builder.UpdateEdge(edge, curve, whole, BRep_Tool.Tolerance_s(edge))
        builder.Add(whole, wire)
    whole.Orientation(face.Orientation())
    return whole


def _between(low: np.ndarray, high: np.ndarray, knots: list[float], period: float) -> float:
    """Parameter inside the longest stretch that none of the ranges covers: a knot if there is one, else the middle.

    Args:
        knots: of one period.
    """
    first = knots[0]
    order = np.argsort((low - first) % period)
    begin, end = (low[order] - first) % period, (low[order] - first) % period + (high - low)[order]
    reached = np.maximum.accumulate(end)
    gaps = np.append(begin[1:], begin[0] + period) - reached
    widest = int(gaps.argmax())
    middle = float(first + (reached[widest] + gaps[widest] / 2) % period)
    knot = min(knots, key=lambda k: abs((k - middle + period / 2) % period - period / 2))
    away = abs((knot - middle + period / 2) % period - period / 2)
    return knot if away < CLEAR * gaps[widest] / 2 else middle


def _nearest(knots: list[float], value: float) -> int:
    """Number, from 1 on, of a knot."""
    return 1 + min(range(len(knots)), key=lambda i: abs(knots[i] - value))
