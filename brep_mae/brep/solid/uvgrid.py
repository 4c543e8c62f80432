"""Faces -> UV-grids, edges -> U-grids. Conventions as in occwl and UV-Net's converter.

Samples are uniform in the parameter and include both ends of the box. Normals point out of the solid. On a face that
uses its surface from the back the grid runs backwards in u, so that d/du x d/dv of what is stored is the normal.
"""

from functools import lru_cache

import numpy as np

from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.faces.trimming import Trimming
from brep_mae.brep.geometry.curves import Curves
from brep_mae.brep.geometry.surfaces import Surfaces
from brep_mae.brep.vectors import cross
from brep_mae.schema import INSIDE, NORMAL, POINT

LEAST_NORMAL = 0.05
"""A mean normal shorter than this says nothing."""


@lru_cache
def unit_grid(size: int) -> np.ndarray:
    """Rescaled (u, v) of the samples of a UV-grid, row by row. Shapes: (size * size, 2), values in [0, 1]."""
    t = np.linspace(0.0, 1.0, size)
    return np.stack(np.meshgrid(t, t, indexing="ij"), axis=-1).reshape(-1, 2)


def outward(
    topology: Topology, surfaces: Surfaces, trimming: Trimming, unit: np.ndarray, side: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Points in mm and outward unit normals at the same rescaled points of every face, or at each face's own.

    Args:
        side: see Surfaces.evaluate.

    Shapes: (P, 2) or (F, P, 2) -> twice (F, P, 3)
    """
    faces = len(topology.faces)
    every = np.broadcast_to(unit, (faces, *unit.shape[-2:])).reshape(-1, 2)
    index = np.repeat(np.arange(faces), unit.shape[-2])
    points, normals = surfaces.evaluate(index, trimming.parameters(index, every), side)
    normals = np.where(topology.reversed[index, None], -normals, normals)
    return points.reshape(faces, -1, 3), normals.reshape(faces, -1, 3)


def face_grids(topology: Topology, surfaces: Surfaces, trimming: Trimming, size: int, inside: np.ndarray) -> np.ndarray:
    """UV-grids in float64.

    Args:
        inside: (F, size * size) True where that sample lies inside the trimming loops or on them.

    Shapes: (F, size, size, 7), channels as in schema.
    """
    grid = np.empty((len(inside), size * size, 7))
    grid[..., POINT], grid[..., NORMAL] = outward(topology, surfaces, trimming, unit_grid(size), size)
    grid[..., INSIDE] = inside
    return grid.reshape(-1, size, size, 7)


def edge_grids(curves: Curves, size: int) -> np.ndarray:
    """U-grids along the curves' own directions: point (mm) and unit tangent. Shapes: (E, size, 6)"""
    points, along = curves.sample(size)
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    return np.concatenate([points, along / np.where(length > 0, length, 1.0)], axis=-1)


def backwards(grids: np.ndarray) -> np.ndarray:
    """U-grids of the same edges from their other ends. Shapes: (..., size, 6)"""
    return grids[..., ::-1, :] * np.array([1, 1, 1, -1, -1, -1])


def axes(grids: np.ndarray) -> np.ndarray:
    """Each face's own reference frame: rows u direction, n x u, mean outward normal n.

    All samples of the box count, inside or not. Where the mean normal vanishes (a full cylinder, a sphere) the mean
    chord takes its place, along v or else along u: it is the axis. A face without chords (a full torus) has the axis
    that its lines along u turn about. Shapes: (F, U, V, 7) -> (F, 3, 3)
    """
    points = grids[..., POINT]
    weight = np.ones(points.shape[1])
    weight[[0, -1]] = 0.5  # a full turn has its first sample twice
    weight /= weight.sum()
    n = np.einsum("fuvc,u,v->fc", grids[..., NORMAL], weight, weight)
    round_about = np.flatnonzero((n * n).sum(axis=1) <= LEAST_NORMAL**2)
    if len(round_about):
        n[round_about] = _axis(points[round_about])
    n = _unit(n)
    first_u, first_v = (points[:, 1] - points[:, 0]).mean(axis=1), (points[:, :, 1] - points[:, :, 0]).mean(axis=1)
    u = _first([_across(way, n) for way in (first_u, first_v, np.eye(3)[np.abs(n).argmin(axis=1)])], first_u, 1e-6)
    return np.stack([u, cross(n, u), n], axis=1)


def _axis(points: np.ndarray) -> np.ndarray:
    """What stands for the mean normal on faces that go round. Shapes: (k, U, V, 3) -> (k, 3)"""
    points = points - points.mean(axis=(1, 2), keepdims=True)
    size = np.abs(points).max(axis=(1, 2, 3))[:, None]
    points = points / np.where(size > 0, size, 1.0)[:, :, None, None]
    chords = [(points[:, :, -1] - points[:, :, 0]).mean(axis=1), (points[:, -1] - points[:, 0]).mean(axis=1)]
    turning = cross(points[:, :-1], points[:, 1:]).mean(axis=(1, 2))
    upright = np.broadcast_to([0.0, 0.0, 1.0], turning.shape)
    return _first([*chords, turning, upright], upright, 1e-3)


def _first(candidates: list[np.ndarray], unit: np.ndarray, share: float) -> np.ndarray:
    """Of each row the first vector that is longer than a share of `unit`, made as long as 1. Shapes: (F, 3) each"""
    least = share * np.linalg.norm(unit, axis=1, keepdims=True)
    chosen = candidates[-1]
    for vectors in candidates[-2::-1]:
        chosen = np.where(np.linalg.norm(vectors, axis=1, keepdims=True) > least, vectors, chosen)
    return _unit(chosen)


def _across(vectors: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.asarray(vectors - (vectors * n).sum(axis=1, keepdims=True) * n)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))
