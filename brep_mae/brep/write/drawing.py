"""A solid in triangles, as pages and meshes show it. Loads no CAD kernel, so that every process may import it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Drawing:
    """Triangles and edges of one solid. V vertices, none shared between faces; C triangles, counter-clockwise from
    outside; E segments of edges. Lengths in mm from `center_mm`, the middle of the bounding box.

    Shapes:
        center_mm (3,) float64; point and normal (V, 3) float32, the latter outward, of the surface itself;
        triangle (C, 3) int32; face (C,) int32, the number of the face; outline (E, 2, 3) float32; outline_faces (E, 2)
        int32, the faces on both sides
    """

    solid: int
    name: str
    surfaces: tuple[str, ...]
    center_mm: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    triangle: np.ndarray
    face: np.ndarray
    outline: np.ndarray
    outline_faces: np.ndarray


def outlined(point: np.ndarray, triangle: np.ndarray, face: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where two faces meet: segments (E, 2, 3) and the faces on both sides (E, 2).

    Faces of a solid share the points of their edge, so each segment is met once from either side. Where a face meets
    itself there is a seam, which no drawing shows.
    """
    side = np.concatenate([triangle[:, [0, 1]], triangle[:, [1, 2]], triangle[:, [2, 0]]])
    of = np.tile(face, 3)
    _, first, count = np.unique(np.sort(side, axis=1), axis=0, return_index=True, return_counts=True)
    rim, of = side[first[count == 1]], of[first[count == 1]]
    _, place = np.unique(point.round(6), axis=0, return_inverse=True)
    ends = np.sort(place.reshape(-1)[rim], axis=1)
    order = np.lexsort((of, ends[:, 1], ends[:, 0]))
    ends, rim, of = ends[order], rim[order], of[order]
    _, start, met = np.unique(ends, axis=0, return_index=True, return_counts=True)
    sides = np.stack([of[start], of[start + met - 1]], axis=1)
    shown = (sides[:, 0] != sides[:, 1]) | (met == 1)
    return point[rim[start[shown]]], sides[shown]
