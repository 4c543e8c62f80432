"""Principal curvatures on the samples of the UV-grids."""

import numpy as np

from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.faces.trimming import Trimming
from brep_mae.brep.geometry.surfaces import CONE, CYLINDER, PLANE, SPHERE, TORUS, Surfaces
from brep_mae.brep.solid.uvgrid import unit_grid


def curvatures(topology: Topology, surfaces: Surfaces, trimming: Trimming, size: int) -> np.ndarray:
    """Principal curvatures in 1/mm, larger first, positive where the solid bulges: 1/r on a ball of radius r.

    Zero where the surface has no normal or bends infinitely (an apex). Shapes: (F, size, size, 2)
    """
    faces = len(topology.faces)
    index = np.repeat(np.arange(faces), size * size)
    uv = trimming.parameters(index, np.tile(unit_grid(size), (faces, 1)))
    kind, v = surfaces.kind[index], uv[:, 1]
    radius, minor, slope = surfaces.radius[index], surfaces.minor[index], surfaces.half_angle_rad[index]
    cone_width = radius + v * np.sin(slope)
    torus_width = radius + minor * np.cos(v)
    turning = np.select(
        [kind == CYLINDER, kind == CONE, kind == SPHERE, kind == TORUS],
        [_inverse(radius), np.cos(slope) * _inverse(np.abs(cone_width)), _inverse(radius),
         np.cos(v) * np.sign(torus_width) * _inverse(torus_width)],
        0.0,
    )  # fmt: skip
    rolling = np.select(
        [kind == SPHERE, kind == TORUS], [_inverse(radius), np.sign(torus_width) * _inverse(minor)], 0.0
    )
    both = np.stack([turning, rolling], axis=1) * (surfaces.handed / surfaces.scale)[index, None]
    for number, surface in surfaces.free.items():
        rows = index == number
        both[rows] = surface.curvatures(uv[rows], size)
    both[topology.reversed[index]] *= -1
    both[kind == PLANE] = 0.0
    return np.sort(both, axis=1)[:, ::-1].reshape(faces, size, size, 2)


def _inverse(length: np.ndarray) -> np.ndarray:
    tiny = np.abs(length) < 1e-9
    return np.where(tiny, 0.0, 1 / np.where(tiny, 1.0, length))
