"""Stored solids as they would have been read had they lain another way: what a network that reads coordinates sees."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from brep_mae.datasets.content import FACES
from brep_mae.datasets.loader import Solids
from brep_mae.schema import FIELD_POINT, INSIDE, NORMAL, POINT, TANGENT, FaceGraph


def turned(graph: FaceGraph, matrix: np.ndarray) -> FaceGraph:
    """The solid turned about its centre, and mirrored where the determinant is negative.

    The solid's box is that of the stored samples. Boxes of single faces and analytic parameters stay as they were: this
    is not for networks that read them.

    Args:
        matrix: (3, 3), orthogonal.
    """

    def moved(array: np.ndarray, *vectors: slice) -> np.ndarray:
        array = array.astype(np.float64)
        for channels in vectors:
            array[..., channels] = array[..., channels] @ matrix.T
        return array

    grid, arcs = moved(graph.face_grid, POINT, NORMAL), moved(graph.arc_grid, POINT, TANGENT)
    if np.linalg.det(matrix) < 0:  # the face on the left of a coedge would lie on its right: it runs the other way
        arcs = arcs[:, ::-1].copy()
        arcs[..., TANGENT] *= -1
    inside = grid[..., INSIDE] > 0.5
    every = np.concatenate([grid[..., POINT][inside], arcs[..., POINT].reshape(-1, 3)])
    low, high = every.min(0), every.max(0)
    samples, centroid = moved(graph.field_samples, FIELD_POINT), moved(graph.face_centroid_mm, POINT)
    for array, channels in ((grid, POINT), (arcs, POINT), (samples, FIELD_POINT), (centroid, POINT)):
        array[..., channels] -= (low + high) / 2
    axes = graph.face_axes @ matrix.T
    axes[:, 1] *= np.sign(np.linalg.det(matrix))  # the second is the third across the first
    return replace(
        graph,
        face_grid=grid.astype(np.float32),
        arc_grid=arcs.astype(np.float32),
        field_samples=samples.astype(np.float32),
        face_centroid_mm=centroid.astype(np.float32),
        face_axes=axes.astype(np.float32),
        center_mm=graph.center_mm + (low + high) / 2,
        scale_mm=np.array((high - low).max() / 2),
    )


class TurnedSolids(Solids):
    """Solids of which some lie another way, each its own, drawn uniformly from SO(3).

    Args:
        turn: those that do.
        mirror: True = they are mirrored besides.
    """

    def __init__(self, shards: Path, uids: Sequence[str], turn: Sequence[str], mirror: bool) -> None:
        super().__init__(shards, None, uids, FACES)
        drawn = Rotation.random(len(turn), rng=np.random.default_rng(0)).as_matrix()
        self.matrices = dict(zip(turn, -drawn if mirror else drawn, strict=True))

    def graph(self, uid: str) -> FaceGraph:
        stored = super().graph(uid)
        return turned(stored, self.matrices[uid]) if uid in self.matrices else stored
