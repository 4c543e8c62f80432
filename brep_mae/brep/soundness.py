"""Whether a solid of planes that the kernel did not repair needs no repair."""

import numpy as np
from OCP.TopAbs import TopAbs_SHELL
from OCP.TopExp import TopExp
from OCP.TopoDS import TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.part import Part
from brep_mae.brep.surfaces import PLANE
from brep_mae.brep.topology import Topology


class NeedsRepair(Exception):
    """A solid that was read without the kernel's repairs is flawed; the file must be read again with them."""


def is_sound(shape: TopoDS_Shape, part: Part) -> bool:
    """True where repairs would leave everything as it is.

    That is where the solid has one shell of planes, each edge is used twice and in opposite directions, each loop is
    a closed chain of edges in order with its face on the left, and the faces look outward.
    """
    topology, surfaces = part.topology, part.surfaces
    shells = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_SHELL, shells)
    if shells.Extent() != 1 or (surfaces.kind != PLANE).any() or not part.trimming.sound.all():
        return False
    count, edge = len(topology.edges), topology.coedge_edge
    uses, ahead = np.bincount(edge, minlength=count), np.bincount(edge, topology.forward, count)
    if not part.edges.exists.all() or (uses != 2).any() or (ahead != 1).any() or (topology.edge_vertex < 0).any():
        return False
    if not _in_order(topology):
        return False
    normals = (surfaces.handed / surfaces.scale)[:, None] * surfaces.z * np.where(topology.reversed, -1.0, 1.0)[:, None]
    return float(((part.centroid - part.centroid[0]) * normals).sum(axis=1) @ part.area) > 0


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
