"""Area, centroid and share of the volume of every face, all faces of a solid together."""

import numpy as np

from brep_mae.brep.faces.loops import Loops
from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.faces.trimming import Trimming
from brep_mae.brep.geometry.surfaces import PLANE, Surfaces
from brep_mae.brep.ragged import take
from brep_mae.brep.solid.free_moments import FreeMoments, basis, densities, polynomials

NODES = 14
"""Chebyshev nodes per direction of the box of a closed form; leaves 1e-8 on a full turn."""


def moments(
    topology: Topology, surfaces: Surfaces, trimming: Trimming, loops: Loops
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Area in mm^2 (F,), centroid in mm (F, 3) and share of the enclosed volume in mm^3 (F,), by Green's theorem.

    A face's share is a third of the integral of the outward normal times the way from a point near the solid, so over
    a closed solid they add up to its volume, and to less than zero where it is inside out.

    On a plane all are integrals round the trimming loops, whose curves are followed exactly. Elsewhere the area
    element |Du x Dv| and its moments are interpolated over the face's box, on free-form surfaces span by span, and
    integrated along v in closed form; the rest is an integral round the loops. The error is that of the interpolation:
    rounding on closed forms, about 1e-5 of the area on free-form surfaces, 1e-4 at most.
    """
    flat = surfaces.kind == PLANE
    middle, free = topology.middle, list(surfaces.free)
    forms = FreeMoments(surfaces, middle, trimming)
    nodes = loops.quadrature(forms.pieces)
    integrals = _flat_moments(surfaces, middle, *nodes)
    integrals[free] = forms.round_the_loops(*nodes)
    flat[free] = True
    if not flat.all():
        integrals[~flat] = _curved_moments(np.flatnonzero(~flat), surfaces, middle, trimming, *nodes)
    signed = integrals[:, 0]
    centroid = middle + integrals[:, 1:4] / np.where(np.abs(signed) > 0, signed, 1.0)[:, None]
    outward = np.where(topology.reversed, -1.0, 1.0) * np.sign(signed)
    return np.abs(signed), centroid, outward * integrals[:, 4] / 3


def _flat_moments(
    surfaces: Surfaces, middle: np.ndarray, face: np.ndarray, uv: np.ndarray, step: np.ndarray
) -> np.ndarray:
    """Integrals of `densities` as if every face were a plane. Shapes: (3,), see Loops.quadrature -> (F, 5)"""
    u, v = uv.T
    du, dv = step.T
    rows = len(surfaces.kind)
    area, about_u, about_v = (
        np.bincount(face, values, rows) for values in ((u * dv - v * du) / 2, u * u * dv / 2, -v * v * du / 2)
    )
    origin = surfaces.origin - middle
    moments = area[:, None] * origin + about_u[:, None] * surfaces.x + about_v[:, None] * surfaces.y
    height = (origin * surfaces.z).sum(axis=1) * surfaces.handed / surfaces.scale
    return np.column_stack([area, moments, area * height]) * (surfaces.scale**2)[:, None]


def _curved_moments(
    members: np.ndarray,
    surfaces: Surfaces,
    middle: np.ndarray,
    trimming: Trimming,
    face: np.ndarray,
    uv: np.ndarray,
    step: np.ndarray,
) -> np.ndarray:
    """Those of the faces `members`, closed forms. Shapes: (k,), (3,), see Loops.quadrature -> (k, 5)"""
    x, along, upwards = basis(NODES)
    index = np.repeat(members, NODES * NODES)
    low, extent = trimming.low, trimming.extent
    unit = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    inner = low[index] + np.tile(unit, (len(members), 1)) * extent[index]
    points, normals = surfaces.element(index, inner)
    values = densities(points - middle[index], normals).reshape(-1, NODES, NODES * 5)
    integral = upwards @ (along @ values).reshape(-1, NODES, NODES, 5) / 2  # the points run over [-1, 1], v over [0, 1]

    _, chosen = take(np.bincount(face, minlength=len(low)), members)
    face, uv, step = face[chosen], uv[chosen], step[chosen]
    share = (uv - low[face]) / extent[face]
    along_u, along_v = polynomials(share[:, 0], NODES), polynomials(share[:, 1], NODES + 1)
    along_u *= -step[:, 0] * extent[face, 1]  # the area lies left of the way: minus G du
    moments = np.zeros((len(members), 5))
    for place, number in enumerate(members.tolist()):
        a, b = np.searchsorted(face, (number, number + 1))
        both = along_u[:, a:b] @ along_v[:, a:b].T
        moments[place] = np.tensordot(both, integral[place], 2)
    return moments
