"""Analytic parameters of faces, edges and vertices: what the encoder of Jones et al. 2023 reads.

arXiv:2210.10807. The solid is first mapped into [-1, 1]^3 by its bounding box, lengths and radii included. Origins are
canonical: of a plane the point nearest to the middle of the box, of a cylinder or line the nearest point of the axis.
How far a face extends is not among the parameters: that is for a decoder to find out.
"""

import numpy as np

from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.geometry.curves import CIRCLE, ELLIPSE, LINE
from brep_mae.brep.geometry.motions import Motions
from brep_mae.brep.geometry.surfaces import CYLINDER, PLANE, TORUS, Surfaces
from brep_mae.brep.solid.arcs import ahead
from brep_mae.brep.solid.edge_forms import EdgeForms
from brep_mae.brep.solid.face_forms import FaceForms
from brep_mae.brep.vectors import cross


def face_params(topology: Topology, forms: FaceForms, motions: Motions, scale: np.ndarray) -> np.ndarray:
    """Shapes: K motions about the solid's centre, scale (K,) -> (F, K, 21) = one-hot plane, cylinder, cone, sphere,
    torus (5); origin (3); normal (3) of planes;
    axis (3) of the others; reference direction (3); radius, minor radius, half angle in rad (3);
    1 where the face looks against the normal of its plane, or inwards on a round surface. All zero but the last for
    other surfaces, where it is 1 against the surface's own normal.
    """
    params = np.zeros((len(topology.faces), len(motions), 21))
    rows = np.flatnonzero(forms.kind <= TORUS)  # the closed forms come first
    kind = forms.kind[rows]
    params[rows, :, kind] = 1.0
    origin = motions.points(forms.origin[rows]) / scale[:, None]
    normal = motions.vectors(forms.z[rows])
    along = (origin * normal).sum(axis=-1, keepdims=True) * normal
    plane, cylinder = ((kind == one)[:, None, None] for one in (PLANE, CYLINDER))
    params[rows, :, 5:8] = np.where(plane, along, np.where(cylinder, origin - along, origin))
    params[rows, :, 8:11] = np.where(plane, normal, 0.0)
    params[rows, :, 11:14] = np.where(plane, 0.0, normal)
    params[rows, :, 14:17] = motions.vectors(forms.x[rows])
    radii = np.stack([forms.radius[rows], forms.minor[rows]], axis=1)
    params[rows, :, 17:19] = radii[:, None] / scale[:, None]
    params[rows, :, 19] = forms.half_angle_rad[rows, None]
    params[..., 20] = (topology.reversed ^ forms.inward)[:, None]
    return params


def edge_params(
    topology: Topology, surfaces: Surfaces, forms: EdgeForms, motions: Motions, scale: np.ndarray
) -> np.ndarray:
    """Shapes: K motions about the solid's centre, scale (K,) -> (E, K, 18) = one-hot line, circle, ellipse (3); origin
    (3); direction (3) of lines;
    axis (3) of the others; reference direction (3); radius, minor radius (2); 1 where the first face that uses
    the edge lies right of it. All zero but the last for other curves.
    """
    params = np.zeros((len(topology.edges), len(motions), 18))
    line = np.flatnonzero(forms.kind == LINE)
    turns = np.flatnonzero((forms.kind == CIRCLE) | (forms.kind == ELLIPSE))
    lead = motions.points(forms.lead) / scale[:, None]
    direction = motions.vectors(_unit(forms.along[line]))
    params[line, :, 0] = 1.0
    params[line, :, 3:6] = lead[line] - (lead[line] * direction).sum(axis=-1, keepdims=True) * direction
    params[line, :, 6:9] = direction
    major, minor = forms.spoke[turns], forms.along[turns]
    params[turns, :, forms.kind[turns]] = 1.0
    params[turns, :, 3:6] = lead[turns]
    params[turns, :, 9:12] = motions.vectors(_unit(cross(major, minor)))
    params[turns, :, 12:15] = motions.vectors(_unit(major))
    params[turns, :, 15:17] = np.linalg.norm([major, minor], axis=2).T[:, None] / scale[:, None]
    params[forms.kind == CIRCLE, :, 16] = 0.0
    first = np.full(len(topology.edges), -1)
    first[topology.coedge_edge[::-1]] = np.arange(len(topology.coedges))[::-1]
    params[..., 17] = ~ahead(topology, surfaces)[first, None]
    return params


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))
