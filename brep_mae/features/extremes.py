"""How far a cloud of points reaches along many directions, without a table of directions by points."""

from functools import cached_property

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

DIRECT = 1 << 22
"""Up to so many products of directions and points are simply made."""
MOST_CORNERS = 100_000
"""Of a hull worth making. A rounder cloud has few points in one plane, and the search needs no hull to be fast."""
SAMPLE = 5_000
"""Points from which the corners of all are estimated."""
JOGGLE = 1e-9
"""Of the radius: how far points are moved for the hull alone. With thousands of them in one plane it takes minutes."""
SAME = 2.0**-24
"""How near directions lie that are searched as one; relative error of the search. Samples are stored no finer."""


class Extremes:
    """Args:
    cloud: (Q, 3) points; may be empty.
    """

    def __init__(self, cloud: np.ndarray) -> None:
        self.cloud = cloud

    def over(self, at: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """How far the cloud lies over M planes, 0 where there is no point. Unit normals (M, 3), at (M, 3) -> (M,)"""
        if not len(self.cloud):
            return np.zeros(len(at))
        return self._along(normal) - np.einsum("mc,mc->m", at, normal)

    def _along(self, direction: np.ndarray) -> np.ndarray:
        if len(direction) * len(self.cloud) <= DIRECT:
            return np.asarray((direction @ self.cloud.T).max(1))
        corners, radius, tree = self._search
        alike = np.unique(np.round(direction / SAME).astype(np.int32), axis=0, return_index=True, return_inverse=True)
        first, which = alike[1], alike[2].ravel()
        _, nearest = tree.query(np.pad(direction[first] * radius, ((0, 0), (0, 1))), eps=SAME)
        return np.einsum("mc,mc->m", direction, corners[nearest[which]])

    @cached_property
    def _search(self) -> tuple[np.ndarray, float, cKDTree]:
        """Corners of the hull, the greatest distance from the origin, and a tree of the corners on a sphere.

        A fourth coordinate gives every point that greatest length: of points of one length the nearest to a direction
        reaches farthest along it.
        """
        corners = _corners(self.cloud)
        square = np.einsum("qc,qc->q", corners, corners)
        lift = np.sqrt(square.max() - square)
        return corners, float(np.sqrt(square.max())), cKDTree(np.column_stack([corners, lift]))


def _corners(cloud: np.ndarray) -> np.ndarray:
    """Points that no others hold between them; all of them where they are too many or lie in one point."""
    rng = np.random.default_rng(0)
    moved = cloud + rng.uniform(-JOGGLE, JOGGLE, cloud.shape) * np.abs(cloud).max()
    try:
        if len(cloud) > MOST_CORNERS:
            sample = rng.choice(len(cloud), SAMPLE, replace=False)
            if len(ConvexHull(moved[sample]).vertices) / SAMPLE * len(cloud) > MOST_CORNERS:
                return cloud
        return cloud[ConvexHull(moved).vertices]
    except QhullError:
        return cloud
