"""Analytic parameters of faces, edges and vertices: what the encoder of Jones et al. 2023 reads.

arXiv:2210.10807. The solid is first mapped into [-1, 1]^3 by its bounding box, lengths and radii included. Origins are
canonical: of a plane the point nearest to the middle of the box, of a cylinder or line the nearest point of the axis.
How far a face extends is not among the parameters: that is for a decoder to find out.
"""

import numpy as np

from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.geometry.curves import CIRCLE, LINE, Curves
from brep_mae.brep.geometry.motions import Motions
from brep_mae.brep.geometry.surfaces import CYLINDER, PLANE, TORUS, Surfaces
from brep_mae.brep.solid.arcs import ahead
from brep_mae.brep.vectors import cross


def face_params(topology: Topology, surfaces: Surfaces, motions: Motions, scale: np.ndarray) -> np.ndarray:
    """Shapes: K motions about the solid's centre, scale (K,) -> (F, K, 21) = one-hot plane, cylinder, cone, sphere,
    torus (5); origin (3); normal (3) of planes;
    axis (3) of the others; reference direction (3); radius, minor radius, half angle in rad (3);
    1 where the face looks against the normal of its plane, or inwards on a round surface. All zero but the last for
    other surfaces, where it is 1 against the surface's own normal.
    """
    params = np.zeros((len(topology.faces), len(motions), 21))
    rows = np.flatnonzero(surfaces.kind <= TORUS)  # the closed forms come first
    kind = surfaces.kind[rows]
    params[rows, :, kind] = 1.0
    size = surfaces.scale[rows, None]
    origin = motions.points(surfaces.origin[rows]) / scale[:, None]
    normal = motions.vectors(surfaces.z[rows] / size)
    along = (origin * normal).sum(axis=-1, keepdims=True) * normal
    plane, cylinder = ((kind == one)[:, None, None] for one in (PLANE, CYLINDER))
    params[rows, :, 5:8] = np.where(plane, along, np.where(cylinder, origin - along, origin))
    params[rows, :, 8:11] = np.where(plane, surfaces.handed[rows, None, None] * normal, 0.0)
    params[rows, :, 11:14] = np.where(plane, 0.0, normal)
    params[rows, :, 14:17] = motions.vectors(surfaces.x[rows] / size)
    radii = np.stack([surfaces.radius[rows], surfaces.minor[rows]], axis=1) * size
    params[rows, :, 17:19] = radii[:, None] / scale[:, None]
    params[rows, :, 19] = surfaces.half_angle_rad[rows, None]
    # a left-handed frame turns the normal of a round surface inwards; that of a plane is given as it is
    params[..., 20] = (topology.reversed ^ ((surfaces.handed < 0) & (surfaces.kind != PLANE)))[:, None]
    return params


def edge_params(
    topology: Topology, surfaces: Surfaces, edges: Curves, motions: Motions, scale: np.ndarray
) -> np.ndarray:
    """Shapes: K motions about the solid's centre, scale (K,) -> (E, K, 18) = one-hot line, circle, ellipse (3); origin
    (3); direction (3) of lines;
    axis (3) of the others; reference direction (3); radius, minor radius (2); 1 where the first face that uses
    the edge lies right of it. All zero but the last for other curves.
    """
    params = np.zeros((len(edges), len(motions), 18))
    line, turns = np.flatnonzero(edges.kind == LINE), np.flatnonzero(edges.turns)
    lead = motions.points(edges.lead) / scale[:, None]
    direction = motions.vectors(_unit(edges.along[line]))
    params[line, :, 0] = 1.0
    params[line, :, 3:6] = lead[line] - (lead[line] * direction).sum(axis=-1, keepdims=True) * direction
    params[line, :, 6:9] = direction
    a, b = edges.spoke[turns], edges.along[turns]
    angle = -edges.first[turns, None]  # back to the curve's own zero, where the half axes lie
    major = np.cos(angle) * a + np.sin(angle) * b
    minor = np.cos(angle) * b - np.sin(angle) * a
    params[turns, :, edges.kind[turns]] = 1.0
    params[turns, :, 3:6] = lead[turns]
    params[turns, :, 9:12] = motions.vectors(_unit(cross(a, b)))
    params[turns, :, 12:15] = motions.vectors(_unit(major))
    params[turns, :, 15:17] = np.linalg.norm([major, minor], axis=2).T[:, None] / scale[:, None]
    params[edges.kind == CIRCLE, :, 16] = 0.0
    first = np.full(len(edges), -1)
    first[topology.coedge_edge[::-1]] = np.arange(len(topology.coedges))[::-1]
    params[..., 17] = ~ahead(topology, surfaces)[first, None]
    return params


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))
