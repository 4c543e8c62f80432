"""Whether a solid that the kernel did not repair, or not in full, needs no repair."""

import numpy as np
from OCP.TopAbs import TopAbs_SHELL
from OCP.TopExp import TopExp
from OCP.TopoDS import TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.part import Part
from brep_mae.brep.surfaces import PLANE
from brep_mae.brep.topology import Topology

CLEAR = 1e-3
"""Least enclosed volume, as a share of what the faces add to it and take from it, that tells outside from inside; what
is integrated over free-form faces is off by a tenth of that."""


class NeedsRepair(Exception):
    """A solid that was read without some of the kernel's repairs is flawed; the file must be read again with them."""


def is_sound(shape: TopoDS_Shape, part: Part) -> bool:
    """True where repairs would leave everything as it is.

    That is where the solid has one shell, each edge is used twice and in opposite directions, each loop is a closed
    chain of edges in order with its face on the left, and the faces look outward. The points that stand for edges at
    the poles of surfaces are used once; on curved surfaces the ends of curves may lie a little apart, since there only
    repairs that turn faces and loops round were left out.
    """
    topology, trimming = part.topology, part.trimming
    if not np.where(part.surfaces.kind == PLANE, trimming.sound, trimming.on_left).all():
        return False
    shells = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_SHELL, shells)
    if shells.Extent() != 1 or (topology.edge_vertex < 0).any():
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
