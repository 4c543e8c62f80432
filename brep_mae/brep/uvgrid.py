"""Face -> UV-grid, edge -> U-grid. Conventions as in occwl and UV-Net's converter.

Samples are uniform in the parameter and include both ends of the box. Normals point out of the solid. On a face that
uses its surface from the back the grid runs backwards in u, so that d/du x d/dv of what is stored is the normal.
"""

import numpy as np

from brep_mae.brep.curves import Curve
from brep_mae.brep.trimming import TrimmedFace
from brep_mae.schema import INSIDE, NORMAL, POINT


def unit_grid(size: int) -> np.ndarray:
    """Rescaled (u, v) of the samples of a UV-grid, row by row. Shapes: (size * size, 2), values in [0, 1]."""
    t = np.linspace(0.0, 1.0, size)
    return np.stack(np.meshgrid(t, t, indexing="ij"), axis=-1).reshape(-1, 2)


def face_grid(face: TrimmedFace, unit: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """UV-grid in float64.

    Args:
        unit: `unit_grid(size)`.
        inside: True where that sample lies inside the trimming loops or on them.

    Shapes: (size, size, 7), channels as in schema.
    """
    size = round(len(unit) ** 0.5)
    grid = np.empty((size * size, 7))
    grid[:, POINT], grid[:, NORMAL] = face.outward(face.parameters(unit))
    grid[:, INSIDE] = inside
    return grid.reshape(size, size, 7)


def edge_grid(curve: Curve, size: int) -> np.ndarray:
    """U-grid along the curve's own direction: point (mm) and unit tangent. Shapes: (size, 6)."""
    points, along = curve.sample(size)
    length = np.linalg.norm(along, axis=1, keepdims=True)
    return np.concatenate([points, along / np.where(length > 0, length, 1.0)], axis=1)


def backwards(grids: np.ndarray) -> np.ndarray:
    """U-grids of the same edges from their other ends. Shapes: (..., size, 6)"""
    return grids[..., ::-1, :] * np.array([1, 1, 1, -1, -1, -1])
