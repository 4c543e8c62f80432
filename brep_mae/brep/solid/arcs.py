"""Arcs: the coedges that lie between two faces, with what is known along them."""

from typing import Any

import numpy as np

from brep_mae.brep.faces.loops import Loops
from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.geometry.curves import Curves
from brep_mae.brep.geometry.surfaces import Surfaces
from brep_mae.brep.ragged import take
from brep_mae.brep.solid.uvgrid import backwards, edge_grids
from brep_mae.schema import CONVEXITY

SMOOTH_RAD = np.deg2rad(1.0)
"""Below this angle between the normals an edge is smooth."""
CONCAVE, SMOOTH, CONVEX = (CONVEXITY.index(name) for name in ("concave", "smooth", "convex"))


def pair_up(topology: Topology, edges: Curves) -> tuple[np.ndarray, np.ndarray]:
    """Ordered pairs of different coedges of one edge: source coedge (A,), target coedge (A,), by source.

    An edge between two faces gives one arc each way, a seam two arcs from its face to itself. Where more than two
    coedges meet in an edge (non-manifold), every ordered pair of them gives an arc. Free edges, degenerate edges and
    edges without a curve in space give none.
    """
    edge = topology.coedge_edge
    by_edge = np.argsort(edge, kind="stable")
    uses = np.bincount(edge, minlength=len(topology.edges))
    rows, element = take(uses, edge)
    target = by_edge[element]
    kept = (target != rows) & edges.exists[edge[rows]]
    return rows[kept], target[kept]


def arc_arrays(
    topology: Topology,
    surfaces: Surfaces,
    loops: Loops,
    edges: Curves,
    kind: np.ndarray,
    number: np.ndarray,
    size: int,
) -> dict[str, Any]:
    """The arrays of schema.FaceGraph that begin with `arc_`, the grid in double precision.

    Args:
        kind: (E of the topology,) index in schema.CURVE_TYPES.
        number: (E of the topology,) what a stored edge is called, -1 where it is not stored.
        size: samples of a U-grid.
    """
    source, target = pair_up(topology, edges)
    edge = topology.coedge_edge[source]
    forward = ahead(topology, surfaces)[source]
    along = edge_grids(edges, size)
    both = np.array([along, backwards(along)])
    tangents = edges.middles()[1][edge]
    normals = _normals_at_middle(topology, surfaces, loops)
    angles = dihedral(normals[source], normals[target], np.where(forward[:, None], tangents, -tangents))
    convexity = np.where(angles > 0, CONVEX, CONCAVE)
    convexity[np.abs(angles) < SMOOTH_RAD] = SMOOTH
    ends = np.stack([topology.coedge_face[source], topology.coedge_face[target]])
    return {
        "arc_index": ends.astype(np.int32),
        "arc_edge": number[edge].astype(np.int32),
        "arc_grid": both[np.where(forward, 0, 1), edge],
        "arc_type": kind[edge].astype(np.int8),
        "arc_convexity": convexity.astype(np.int8),
        "arc_angle_rad": angles.astype(np.float32),
        "arc_length_mm": edges.lengths()[edge].astype(np.float32),
        "arc_seam": ends[0] == ends[1],
    }


def ahead(topology: Topology, surfaces: Surfaces) -> np.ndarray:
    """(C,) True where the edge's own direction has the face on its left, seen from outside."""
    return topology.forward != surfaces.mirrored[topology.coedge_face]


def _normals_at_middle(topology: Topology, surfaces: Surfaces, loops: Loops) -> np.ndarray:
    """Outward normal of the face half way along each coedge's parameter, zero where it is unknown. Shapes: (C, 3)"""
    face = topology.coedge_face
    normals = surfaces.evaluate(face, loops.middles())[1]
    normals[~loops.exists] = 0.0
    return np.where(topology.reversed[face, None], -normals, normals)


def dihedral(sources: np.ndarray, targets: np.ndarray, tangents: np.ndarray) -> np.ndarray:
    """Angle between outward normals in (-pi, pi], positive where the edge is convex.

    The source face is on the left of the tangent seen from outside, so at a convex edge the normal turns about the
    tangent by a positive angle on the way to the target. Shapes: three times (A, 3) -> (A,)
    """
    size = np.linalg.norm(tangents, axis=1)
    turn = (np.cross(sources, targets) * tangents).sum(axis=1) / np.where(size > 0, size, 1.0)
    angles = np.arctan2(turn, (sources * targets).sum(axis=1))
    return np.where(angles == -np.pi, np.pi, angles)
