"""Which solids are the same but for place, direction, size and handedness.

Two solids are the same where they have as many faces and edges of each type, and where the sorted sides of faces (roots
of areas), lengths of edges, distances of the faces' centroids from the solid's, and distances of all those centroids
from one another agree, each to TOLERANCE of the solid's size, the root of its surface area. None of these depends on
where and how a solid lies, nor on how its faces are numbered. Solids that differ in none of them and yet differ are
possible, and none is known to us.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from brep_mae.schema import CURVE_TYPES, SURFACE_TYPES, FaceGraph

TOLERANCE = 1e-4
"""Of the solid's size: how far lengths of the same solid may differ."""
COORDINATES = 8
"""Of the lengths that are compared, so many are looked at first."""

Counts = tuple[int, ...]


@dataclass(frozen=True)
class Measured:
    """What is compared of one solid: lengths over its size, those of `sorted_lengths` in three sorted blocks."""

    uid: str
    file: str
    number: int
    counts: Counts
    sorted_lengths: np.ndarray
    centroids: np.ndarray


def measured(graph: FaceGraph) -> Measured:
    area = graph.face_area_mm2.astype(np.float64)
    size_mm = np.sqrt(area.sum())
    centroids = graph.face_centroid_mm.astype(np.float64) / size_mm
    first = np.unique(graph.arc_edge, return_index=True)[1]
    away = np.linalg.norm(centroids - area @ centroids / area.sum(), axis=1)
    lengths = (np.sqrt(area) / size_mm, graph.arc_length_mm[first] / size_mm, away)
    surfaces = np.bincount(graph.face_type, minlength=len(SURFACE_TYPES))
    curves = np.bincount(graph.arc_type[first], minlength=len(CURVE_TYPES))
    counts = (*surfaces.tolist(), *curves.tolist())
    return Measured(
        graph.uid, graph.file, graph.solid, counts, np.concatenate([np.sort(one) for one in lengths]), centroids
    )


def groups(solids: Iterable[Measured]) -> list[list[Measured]]:
    """Groups of two or more, each of those that are the same as its first; in the order of their first ones."""
    alike: dict[Counts, list[Measured]] = defaultdict(list)
    place: dict[int, int] = {}
    for number, solid in enumerate(solids):
        place[id(solid)] = number
        alike[solid.counts].append(solid)
    found = [group for these in alike.values() if len(these) > 1 for group in _groups(these)]
    return sorted(found, key=lambda group: place[id(group[0])])


def _groups(solids: list[Measured]) -> list[list[Measured]]:
    """Of solids with the same counts."""
    lengths = np.array([solid.sorted_lengths for solid in solids])
    few = np.linspace(0, lengths.shape[1] - 1, min(COORDINATES, lengths.shape[1])).astype(int)
    looked_at = np.column_stack([lengths[:, few], lengths.mean(1)])
    tree = cKDTree(looked_at)
    taken = np.zeros(len(solids), bool)
    found = []
    for i, solid in enumerate(solids):
        if taken[i]:
            continue
        near = np.array(sorted(tree.query_ball_point(looked_at[i], TOLERANCE, p=np.inf)), int)
        near = near[~taken[near] & (np.abs(lengths[near] - lengths[i]).max(1) <= TOLERANCE)]
        own = np.sort(pdist(solid.centroids)) if len(near) > 1 else np.zeros(0)
        group = [int(j) for j in near if j == i or _same_distances(own, solids[j])]
        taken[group] = True
        if len(group) > 1:
            found.append([solids[j] for j in group])
    return found


def _same_distances(distances: np.ndarray, other: Measured) -> bool:
    return bool(np.abs(distances - np.sort(pdist(other.centroids))).max(initial=0.0) <= TOLERANCE)
