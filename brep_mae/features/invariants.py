"""Scalars of faces and arcs that tell shape and neighbourhood without saying where or how the solid lies.

All of them stay as they are when the solid is turned, moved, scaled or mirrored (the whole of O(3), not rotations
alone): lengths are divided by `size_mm`, the square root of the solid's surface area, which unlike its box does not
turn with the axes, and no quantity has a handedness. Dihedral angles keep their sign in a mirror, because outward
normals do. Renumbering the faces renumbers the rows. Where a face lies on a coarse grid that no sample inside meets
(a thin ring), its whole parameter box stands for it.

Convex and concave arcs as the words of machining features: Joshi and Chang 1988, "Graph-based heuristics for
recognition of machined features from a 3D solid model".
"""

from dataclasses import dataclass

import numpy as np

from brep_mae.features.cavities import CAVITY_SCALARS, TOLERANCE, cavity_scalars
from brep_mae.features.extremes import Extremes
from brep_mae.schema import CONVEXITY, CURVE_TYPES, INSIDE, NORMAL, POINT, SURFACE_TYPES, FaceGraph

FACE_SCALARS = (
    "log_area",  # share of the solid's
    "fill",  # area over that of the whole parameter box, 1 where nothing is trimmed
    "log_long",  # sides of the rectangle with the same moments, over size
    "log_short",
    "thick",  # the same across the face: 0 for a plane
    "log_compact",  # 4 pi area / perimeter^2, 0 for a disc
    "above",  # how far the solid rises over the tangent plane at the face's centroid, over size
    "below",  # and how far it reaches beneath it
    "on_hull",  # share of the face's samples where no point of the solid lies over their tangent plane
    "spread",  # of the normals: 1 - |mean|, 0 for a plane, 1 for a full cylinder
    "bulge",  # mean offset from the centroid along the sample's own normal, over size: < 0 in a hole
    "distance",  # of the centroids of face and solid, over size
    "offset",  # the same along the face's normal
    "log_degree",
    "loops",
    "concave",  # shares of the perimeter
    "smooth",
    "convex",
    *CAVITY_SCALARS,
)
ARC_SCALARS = (
    "cos_angle",
    "angle",  # dihedral, over pi: > 0 where convex
    "log_length",  # over size
    "share",  # of the source's perimeter
    "offset",  # of the target's centroid from the source's along the source's normal, over size
    "back_offset",  # of the source's from the target's along the target's normal
    "distance",  # of the two centroids, over size
    "log_area_ratio",  # target over source
    "square",  # 1 for a right angle
)
FACE_COLUMNS = (*FACE_SCALARS, *(f"surface {name}" for name in SURFACE_TYPES))
ARC_COLUMNS = (*ARC_SCALARS, *(f"bend {name}" for name in CONVEXITY), *(f"curve {name}" for name in CURVE_TYPES))
FACE_DIM, ARC_DIM = len(FACE_COLUMNS), len(ARC_COLUMNS)

LEAST_NORMAL = 0.05
"""A mean normal shorter than this says nothing: the axis takes its place, and of what is signed the magnitude."""
HULL_SAMPLES = 3
"""Per side of a curved face's grid; a plane needs one tangent plane."""


@dataclass(frozen=True)
class Invariants:
    """Of F faces and the A arcs between different faces. Values are finite; logarithms are natural.

    Shapes: face (F, FACE_DIM) float32: FACE_SCALARS, then the surface type one-hot; arc_index (2, A) int64; arc
    (A, ARC_DIM) float32: ARC_SCALARS, then convexity and curve type one-hot.
    """

    face: np.ndarray
    arc: np.ndarray
    arc_index: np.ndarray


def invariants(graph: FaceGraph) -> Invariants:
    """The scalars of one stored solid. Seam arcs are left out, as everywhere: a face is not its own neighbour."""
    n_faces = graph.n_faces
    between = ~graph.arc_seam & (graph.arc_index[0] != graph.arc_index[1])
    source, target = arc_index = graph.arc_index[:, between].astype(np.int64)
    area = np.maximum(graph.face_area_mm2.astype(np.float64), 1e-30)
    size_mm = np.sqrt(area.sum())
    area = np.maximum(area / size_mm**2, 1e-9)
    length = np.maximum(graph.arc_length_mm[between] / size_mm, 1e-6)
    points = graph.face_grid[..., POINT].astype(np.float64) / size_mm
    center = graph.face_centroid_mm.astype(np.float64) / size_mm

    cell, box = _cells(points, graph.face_grid[..., INSIDE])
    points, normals = points.reshape(n_faces, -1, 3), graph.face_grid[..., NORMAL].reshape(n_faces, -1, 3)
    mean = (cell[:, None] @ normals)[:, 0]
    straight = np.linalg.norm(mean, axis=1)
    signed = straight > LEAST_NORMAL
    normal = np.where(signed[:, None], mean / np.maximum(straight, 1e-9)[:, None], graph.face_axes[:, 2])
    away = points - cell[:, None] @ points
    weighted = cell[..., None] * away
    sides = np.sqrt(12 * np.maximum(np.linalg.eigvalsh(weighted.transpose(0, 2, 1) @ away), 0))

    solid = Extremes(_cloud(graph, points, size_mm))
    above, below = solid.over(center, normal), solid.over(center, -normal)
    both = np.maximum(above, below)
    above, below = np.where(signed, above, both), np.where(signed, below, both)
    to_solid = center - (area @ center) / area.sum()
    offset = np.einsum("fc,fc->f", to_solid, normal)

    kind, angle = graph.arc_convexity[between], graph.arc_angle_rad[between]
    plane = graph.face_type == SURFACE_TYPES.index("plane")
    edges = np.bincount(source, length, n_faces)
    perimeter = np.maximum(edges, 1e-9)
    on_hull = _on_hull(graph, points, normals, center, normal, solid)
    bulge = (weighted * normals).sum((1, 2))
    hollow = (bulge[source] < -TOLERANCE) | (bulge[target] < -TOLERANCE)
    joined = (kind == CONVEXITY.index("concave")) | (hollow & (kind == CONVEXITY.index("smooth")))
    square = np.abs(np.cos(angle)) < TOLERANCE
    level = np.where(plane, np.einsum("fc,fc->f", center, normal), 10.0 + np.arange(n_faces))  # curved: none alike
    cavities = cavity_scalars(source, target, joined, square, on_hull > 0, normal, level)

    face = [
        np.log(area),
        np.minimum(area / np.maximum(box, 1e-9), 2.0),
        np.log(np.maximum(sides[:, 2], 1e-4)),
        np.log(np.maximum(sides[:, 1], 1e-4)),
        sides[:, 0],
        np.where(edges > 0, np.log(4 * np.pi * area / perimeter**2), 0.0),
        above,
        below,
        on_hull,
        1 - straight,
        bulge,
        np.linalg.norm(to_solid, axis=1),
        np.where(signed, offset, np.abs(offset)),
        np.log1p(np.bincount(source, minlength=n_faces)),
        graph.face_loops,
        *(np.bincount(source[kind == k], length[kind == k], n_faces) / perimeter for k in range(len(CONVEXITY))),
        *cavities,
    ]
    way = center[target] - center[source]
    out, back = np.einsum("ac,ac->a", way, normal[source]), -np.einsum("ac,ac->a", way, normal[target])
    arc = [
        np.cos(angle),
        angle / np.pi,
        np.log(length),
        length / perimeter[source],
        np.where(signed[source], out, np.abs(out)),
        np.where(signed[target], back, np.abs(back)),
        np.linalg.norm(way, axis=1),
        np.log(area[target] / area[source]),
        square,
    ]
    surfaces, bends, curves = np.eye(len(SURFACE_TYPES)), np.eye(len(CONVEXITY)), np.eye(len(CURVE_TYPES))
    return Invariants(
        face=np.column_stack([*face, surfaces[graph.face_type]]).astype(np.float32),
        arc=np.column_stack([*arc, bends[kind], curves[graph.arc_type[between]]]).astype(np.float32),
        arc_index=arc_index,
    )


def _cells(points: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of each sample in its face's area inside the trimming loops, and the area of the whole parameter box.

    A quarter of each grid cell goes to each of its corners. Shapes: (F, U, V, 3), (F, U, V) -> (F, U * V), (F,)
    """
    (ax, ay, az), (bx, by, bz) = (
        np.moveaxis(points[:, 1:, 1:] - points[:, :-1, :-1], -1, 0),
        np.moveaxis(points[:, 1:, :-1] - points[:, :-1, 1:], -1, 0),
    )
    quarter = np.sqrt((ay * bz - az * by) ** 2 + (az * bx - ax * bz) ** 2 + (ax * by - ay * bx) ** 2) / 8
    area = np.zeros(points.shape[:3])
    for corner in (area[:, 1:, 1:], area[:, 1:, :-1], area[:, :-1, 1:], area[:, :-1, :-1]):
        corner += quarter
    every = area.reshape(len(area), -1)
    cell = np.where(inside.reshape(every.shape) > 0.5, every, 0.0)
    empty = cell.sum(1) <= 1e-12
    cell[empty] = every[empty] + 1e-12
    return cell / cell.sum(1, keepdims=True), every.sum(1)


def _cloud(graph: FaceGraph, points: np.ndarray, size_mm: float) -> np.ndarray:
    """Points whose hull is the solid's: edges (of lines the ends) and the inside of what is curved. (Q, 3)"""
    first = np.unique(graph.arc_edge, return_index=True)[1]
    line = graph.arc_type[first] == CURVE_TYPES.index("line")
    edges = graph.arc_grid[first, :, POINT].astype(np.float64) / size_mm
    curved = graph.face_type != SURFACE_TYPES.index("plane")
    inside = graph.face_grid[..., INSIDE].reshape(points.shape[:2])[curved] > 0.5
    ends, bent = edges[line][:, [0, -1]], edges[~line]
    return np.concatenate([ends.reshape(-1, 3), bent.reshape(-1, 3), points[curved][inside]])


def _on_hull(
    graph: FaceGraph, points: np.ndarray, normals: np.ndarray, center: np.ndarray, normal: np.ndarray, solid: Extremes
) -> np.ndarray:
    """Share of a face's samples with nothing of the solid over their tangent plane: 0 or 1 for a plane. (F,)"""
    n_faces, u, v = graph.face_grid.shape[:3]
    rows, columns = (((np.arange(HULL_SAMPLES) + 0.5) / HULL_SAMPLES * n).astype(int) for n in (u, v))
    chosen = (rows[:, None] * v + columns).ravel()
    plane = graph.face_type == SURFACE_TYPES.index("plane")
    used = (graph.face_grid[..., INSIDE].reshape(n_faces, -1)[:, chosen] > 0.5) & ~plane[:, None]
    once = ~used.any(1)
    face, sample = used.nonzero()
    which = np.concatenate([np.flatnonzero(once), face])
    at = np.concatenate([center[once], points[face, chosen[sample]]])
    along = np.concatenate([normal[once], normals[face, chosen[sample]]])
    free = solid.over(at, along) <= TOLERANCE
    return np.bincount(which, free, n_faces) / np.bincount(which, minlength=n_faces)
