"""Products of many vectors of three at once."""

import numpy as np


def cross(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """np.cross for vectors of three, at half its price for a few hundred of them."""
    x, y, z = left[..., 0], left[..., 1], left[..., 2]
    a, b, c = right[..., 0], right[..., 1], right[..., 2]
    return np.stack([y * c - z * b, z * a - x * c, x * b - y * a], axis=-1)
