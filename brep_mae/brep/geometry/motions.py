"""Rigid motions that put one part in several places, applied together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Motions:
    """K rigid motions. What they make of an array of points or vectors has K as its last axis but one.

    Args:
        matrix: (K, 3, 3) rotations; None = the part is not turned, and K is 1.
        offset: (K, 3) in mm.
    """

    matrix: np.ndarray | None
    offset: np.ndarray

    @classmethod
    def of(cls, places: Sequence[tuple[np.ndarray | None, np.ndarray]]) -> "Motions":
        """From pairs of a matrix (3, 3) and an offset (3,); the matrix of a single one may be None."""
        matrices, offsets = zip(*places, strict=True)
        return cls(None if matrices[0] is None else np.stack(matrices), np.stack(offsets))

    def about(self, center: np.ndarray) -> "Motions":
        """The same motions, with the origin in `center` (K, 3) afterwards."""
        return replace(self, offset=self.offset - center)

    def __len__(self) -> int:
        return len(self.offset)

    def vectors(self, vectors: np.ndarray) -> np.ndarray:
        """Turned. Shapes: (..., 3) -> (..., K, 3)"""
        if self.matrix is None:
            return vectors[..., None, :]
        side_by_side = self.matrix.transpose(2, 0, 1).reshape(3, -1)
        return (vectors.reshape(-1, 3) @ side_by_side).reshape(*vectors.shape[:-1], len(self), 3)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Turned and shifted. Shapes: (..., 3) -> (..., K, 3)"""
        return self.vectors(points) + self.offset

    def each(self, points: np.ndarray) -> np.ndarray:
        """Points that are meant for one motion each. Shapes: (..., K, 3) -> the same"""
        turned = points if self.matrix is None else np.einsum("kij,...kj->...ki", self.matrix, points)
        return turned + self.offset

    def back(self, vectors: np.ndarray) -> np.ndarray:
        """Which vectors these are made from. Shapes: (..., 3) -> (..., K, 3)"""
        if self.matrix is None:
            return vectors[..., None, :]
        return np.einsum("kij,...i->...kj", self.matrix, vectors)
