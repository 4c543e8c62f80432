"""Analytic parameters of faces, edges and vertices: what the encoder of Jones et al. 2023 reads.

arXiv:2210.10807. The solid is first mapped into [-1, 1]^3 by its bounding box, lengths and radii included. Origins are
canonical: of a plane the point nearest to the middle of the box, of a cylinder or line the nearest point of the axis.
How far a face extends is not among the parameters: that is for a decoder to find out.
"""

import numpy as np

from brep_mae.brep.arcs import ahead
from brep_mae.brep.curves import CIRCLE, LINE, Curves
from brep_mae.brep.jets import cross
from brep_mae.brep.surfaces import CYLINDER, PLANE, TORUS, Surfaces
from brep_mae.brep.topology import Topology


def face_params(topology: Topology, surfaces: Surfaces, center: np.ndarray, scale: float) -> np.ndarray:
    """Shapes: (F, 21) = one-hot plane, cylinder, cone, sphere, torus (5); origin (3); normal (3) of planes; axis (3) of
    the others; reference direction (3); radius, minor radius, half angle in rad (3); 1 where the face looks against
    the normal of its plane, or inwards on a round surface. All zero but the last for other surfaces, where it is 1
    against the surface's own normal.
    """
    params = np.zeros((len(topology.faces), 21))
    rows = np.flatnonzero(surfaces.kind <= TORUS)  # the closed forms come first
    kind = surfaces.kind[rows]
    params[rows, kind] = 1.0
    size = surfaces.scale[rows, None]
    origin = (surfaces.origin[rows] - center) / scale
    normal = surfaces.z[rows] / size
    along = (origin * normal).sum(axis=1, keepdims=True) * normal
    canonical = np.where((kind == PLANE)[:, None], along, np.where((kind == CYLINDER)[:, None], origin - along, origin))
    params[rows, 5:8] = canonical
    params[rows, 8:11] = np.where((kind == PLANE)[:, None], (surfaces.handed[rows])[:, None] * normal, 0.0)
    params[rows, 11:14] = np.where((kind == PLANE)[:, None], 0.0, normal)
    params[rows, 14:17] = surfaces.x[rows] / size
    params[rows, 17:19] = np.stack([surfaces.radius[rows], surfaces.minor[rows]], axis=1) * size / scale
    params[rows, 19] = surfaces.half_angle_rad[rows]
    # a left-handed frame turns the normal of a round surface inwards; that of a plane is given as it is
    params[:, 20] = topology.reversed ^ ((surfaces.handed < 0) & (surfaces.kind != PLANE))
    return params


def edge_params(topology: Topology, surfaces: Surfaces, edges: Curves, center: np.ndarray, scale: float) -> np.ndarray:
    """Shapes: (E, 18) = one-hot line, circle, ellipse (3); origin (3); direction (3) of lines; axis (3) of the others;
    reference direction (3); radius, minor radius (2); 1 where the first face that uses the edge lies right of it. All
    zero but the last for other curves.
    """
    params = np.zeros((len(edges), 18))
    line, turns = edges.kind == LINE, edges.turns
    rows = np.flatnonzero(line | turns)
    params[rows, edges.kind[rows]] = 1.0
    direction = _unit(edges.along)
    lead = (edges.lead - center) / scale
    foot = lead - (lead * direction).sum(axis=1, keepdims=True) * direction
    params[rows, 3:6] = np.where(line[:, None], foot, lead)[rows]
    params[line, 6:9] = direction[line]
    params[turns, 9:12] = _unit(cross(edges.spoke, edges.along))[turns]
    a, b = edges.spoke, edges.along
    angle = -edges.first[:, None]  # back to the curve's own zero, where the half axes lie
    major = np.cos(angle) * a + np.sin(angle) * b
    minor = np.cos(angle) * b - np.sin(angle) * a
    params[turns, 12:15] = _unit(major)[turns]
    params[turns, 15:17] = np.stack([np.linalg.norm(m, axis=1) for m in (major, minor)], axis=1)[turns] / scale
    params[edges.kind == CIRCLE, 16] = 0.0
    first = np.full(len(edges), -1)
    first[topology.coedge_edge[::-1]] = np.arange(len(topology.coedges))[::-1]
    params[:, 17] = ~ahead(topology, surfaces)[first]
    return params


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))
