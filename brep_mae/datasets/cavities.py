"""Scalars of a face's cavity: the faces joined to it through concave arcs. What was cut from one plane counts once."""

import numpy as np
from scipy.sparse.csgraph import connected_components

CAVITY_SCALARS = (
    "log_inner",  # 1 + walls of the cavity that this face meets
    "log_walls",  # of the cavity, this one among them
    "log_cycles",  # 1 + independent cycles of its graph: a ring of walls has one, with a floor many
    "log_border",  # 1 + walls around it
    "log_ways",  # 1 + different normals of those
    "log_exits",  # 1 + different normals of those on the hull: one for a pocket, two for a passage
    "opposite",  # share of the exits with an opposite one: 1 for a passage, 0 for a slot that ends in the solid
    "open",  # share of the cavity's faces that touch the hull
    "square_inner",  # share of right angles among the cavity's concave arcs, 1 where there are none
    "square_border",  # and among the arcs around it
)

TOLERANCE = 1e-3
"""Of the size: how near a point lies to a plane it is on. Of a cosine: how near directions are that are one."""


def cavity_scalars(
    source: np.ndarray,
    target: np.ndarray,
    joined: np.ndarray,
    square: np.ndarray,
    on_hull: np.ndarray,
    normal: np.ndarray,
    level: np.ndarray,
) -> list[np.ndarray]:
    """CAVITY_SCALARS of F faces, (F,) each.

    Args:
        source, target: (A,) ends of the arcs.
        joined: (A,) True = the arc joins its ends to one cavity: a connected component of the faces.
        square: (A,) True = a right angle.
        on_hull: (F,) True = the face touches the hull.
        normal: (F, 3).
        level: (F,) of a plane along its normal, over size; of anything else a number of its own.
    """
    n_faces = len(on_hull)

    def different(group: np.ndarray, item: np.ndarray) -> np.ndarray:
        return np.bincount(np.unique(group * n_faces + item) // n_faces, minlength=n_faces)

    cosine = normal @ normal.T
    alike = cosine > 1 - TOLERANCE
    way = alike.argmax(1)  # the first face with this normal stands for all, and so does the first in this plane
    wall = (alike & (np.abs(level[:, None] - level) < TOLERANCE)).argmax(1)
    linked = np.zeros((n_faces, n_faces), bool)
    linked[source[joined], target[joined]] = True
    cavity = connected_components(linked, directed=False)[1].astype(np.int64)
    faces = np.bincount(cavity, minlength=n_faces)
    walls = different(cavity, wall)
    s, t = source[joined & (wall[source] != wall[target])], target[joined & (wall[source] != wall[target])]
    pairs = np.unique((cavity[s] * n_faces + wall[s]) * n_faces + wall[t]) // n_faces**2
    pairs = np.bincount(pairs, minlength=n_faces) / 2
    outward = cavity[source] != cavity[target]
    around, outside = cavity[source[outward]], target[outward]
    hull = on_hull[outside]
    exits = np.zeros((n_faces, n_faces), bool)
    exits[around[hull], way[outside[hull]]] = True
    opposed = exits & (exits @ (cosine < TOLERANCE - 1))
    arcs = np.bincount(cavity[source], minlength=n_faces)
    inner = np.bincount(cavity[source[joined]], minlength=n_faces)
    right = np.bincount(cavity[source], square, n_faces)
    right_inner = np.bincount(cavity[source[joined]], square[joined], n_faces)
    return [
        np.log1p(different(source[joined], wall[target[joined]])),
        *(
            column[cavity]
            for column in (
                np.log(np.maximum(walls, 1)),
                np.log1p(np.maximum(pairs - walls + 1, 0)),
                np.log1p(different(around, wall[outside])),
                np.log1p(different(around, way[outside])),
                np.log1p(exits.sum(1)),
                opposed.sum(1) / np.maximum(exits.sum(1), 1),
                np.bincount(cavity, on_hull, n_faces) / np.maximum(faces, 1),
                np.where(inner > 0, right_inner / np.maximum(inner, 1), 1.0),
                np.where(arcs > inner, (right - right_inner) / np.maximum(arcs - inner, 1), 1.0),
            )
        ),
    ]
