"""Whether a solid that the kernel did not repair, or not in full, needs no repair, and whether one can be at all."""

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.TopAbs import TopAbs_SHELL
from OCP.TopExp import TopExp
from OCP.TopoDS import TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.geometry.surfaces import CONE, PLANE, REVOLUTION, TORUS
from brep_mae.brep.geometry.untrimmed import untrimmed
from brep_mae.brep.solid.crossings import loops_cross
from brep_mae.brep.solid.measured import MeasuredSolid

CLEAR = 1e-3
"""Least enclosed volume, as a share of what the faces add to it and take from it, that tells outside from inside; what
is integrated over free-form faces is off by a tenth of that."""

ONE_TURN = 1e-6
"""A face spans more than one period where it does by this share."""
STRIP = 24
"""Points per side of what is more, at which the face is asked whether it covers them twice."""
END = 1e-3
"""Share of a face's side at either end on which a profile may touch its axis."""
PROFILE = 256
"""Points of a profile that are looked at."""
ON_AXIS = 1e-9
"""Distance from the axis, as a share of the largest, that counts as being on it."""


class NeedsRepair(Exception):
    """A solid that was read without some of the kernel's repairs is flawed; the file must be read again with them."""


def is_sound(shape: TopoDS_Shape, part: MeasuredSolid) -> bool:
    """True where repairs would leave everything as it is.

    That is where the solid has one shell, each edge is used twice and in opposite directions, by one face only as a
    seam, each loop is a closed chain of edges in order with its face on the left, and the faces look outward. The
    points that stand for edges at the poles of surfaces are used once; on curved surfaces the ends of curves may lie a
    little apart, since there only repairs that turn faces and loops round were left out.
    """
    topology, trimming = part.topology, part.trimming
    if not np.where(part.surfaces.kind == PLANE, trimming.sound, trimming.on_left).all() or trimming.slit.any():
        return False
    shells = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_SHELL, shells)
    if shells.Extent() != 1 or (topology.edge_vertex < 0).any():
        return False
    if (part.surfaces.kind != PLANE).any() and loops_cross(part):
        return False
    count, edge = len(topology.edges), topology.coedge_edge
    uses, ahead = np.bincount(edge, minlength=count), np.bincount(edge, topology.forward, count)
    there = part.edges.exists
    if (uses[there] != 2).any() or (ahead[there] != 1).any() or (uses[~there] != 1).any() or not _in_order(topology):
        return False
    return bool(part.volume.sum() > CLEAR * np.abs(part.volume).sum())


def _in_order(topology: Topology) -> bool:
    """True where the coedges of each loop follow one another, whichever way the loop is written down."""
    face, loops = topology.coedge_face, topology.loops
    first, last = topology.edge_vertex[:, topology.coedge_edge]
    start, end = np.where(topology.forward, first, last), np.where(topology.forward, last, first)
    same = face[1:] == face[:-1]
    onward = np.bincount(face[1:], same & (end[:-1] == start[1:]), len(loops))
    back = np.bincount(face[1:], same & (start[:-1] == end[1:]), len(loops))
    backwards = (back > onward)[face]
    start, end = np.where(backwards, end, start), np.where(backwards, start, end)
    heads = np.flatnonzero(np.concatenate([[True], ~same | (end[:-1] != start[1:])]))
    tails = np.concatenate([heads[1:], [len(face)]]) - 1
    closed = (end[tails] == start[heads]).all()
    return bool(closed and (np.bincount(face[heads], minlength=len(loops)) == loops).all())


def impossible(part: MeasuredSolid) -> str:
    """Why no solid can have the part's faces, "" where it can.

    The kernel makes such faces of sound files: it lays a hole across the seam of a sphere on the wrong side of it, and
    takes a whole circle for the arc whose revolution a spindle torus is.
    """
    trimming, surfaces = part.trimming, part.surfaces
    if not surfaces.period.any():
        return ""
    low, high = trimming.low[:, 1], trimming.low[:, 1] + trimming.extent[:, 1]
    turning = (surfaces.kind == CONE) | (surfaces.kind == TORUS) | (surfaces.kind == REVOLUTION)
    for number in np.flatnonzero(turning).tolist():
        if _crosses_axis(part, number, low[number], high[number]):
            return f"face {number} runs through the axis that its surface turns about"
    share = surfaces.period / trimming.extent
    for number, axis in np.argwhere((share > 0) & (share < 1 - ONE_TURN)).tolist():
        if _covers_twice(trimming.boundary(number)[0], axis, share[number, axis]):
            return f"face {number} covers a piece of its surface twice"
    return ""


def _covers_twice(chords: np.ndarray, axis: int, period: float) -> bool:
    """True where points one period apart both lie inside. Args: chords (n, 2, 2) and period: of the rescaled box."""
    start, end = chords.transpose(1, 2, 0)[..., None]  # u and v (2, n, 1) of each
    slope = (end[0] - start[0]) / np.where(end[1] == start[1], 1.0, end[1] - start[1])
    middles = (np.arange(STRIP) + 0.5) / STRIP
    points = np.stack(np.meshgrid(middles, middles)).reshape(2, -1)
    points[axis] *= 1 - period
    inside = []
    for _ in range(2):
        u, v = points
        crossed = ((start[1] > v) != (end[1] > v)) & (start[0] + (v - start[1]) * slope > u)
        inside.append(crossed.sum(axis=0) % 2 == 1)
        points[axis] += period
    return bool((inside[0] & inside[1]).any())


def _crosses_axis(part: MeasuredSolid, number: int, low: float, high: float) -> bool:
    """True where a surface of revolution meets its axis between the ends of the face, not only at them."""
    surfaces, kind, margin = part.surfaces, part.surfaces.kind[number], END * (high - low)
    if kind == CONE:
        apex = -surfaces.radius[number] / np.sin(surfaces.half_angle_rad[number])
        return bool(low + margin < apex < high - margin)
    v = np.linspace(low + margin, high - margin, PROFILE)
    if kind == TORUS:
        width = surfaces.radius[number] + surfaces.minor[number] * np.cos(v)
        return bool((width < 0).any() and (width > 0).any())
    surface = untrimmed(BRep_Tool.Surface_s(part.topology.faces[number]))
    axis, curve = surface.Axis(), surface.BasisCurve()
    along = np.array(axis.Direction().Coord())
    points = np.array([curve.Value(t).Coord() for t in v.tolist()]) - axis.Location().Coord()
    from_axis = points - np.outer(points @ along, along)
    step = np.diff(from_axis, axis=0)
    share = -(from_axis[:-1] * step).sum(axis=1) / np.maximum((step * step).sum(axis=1), 1e-300)
    nearest = np.linalg.norm(from_axis[:-1] + np.clip(share, 0, 1)[:, None] * step, axis=1)
    return bool((nearest < ON_AXIS * np.linalg.norm(from_axis, axis=1).max()).any())
