"""Scalars of a face's cavity: the faces joined to it through concave arcs. What was cut from one plane counts once."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

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
APART = np.sqrt(2 * TOLERANCE)
"""Greatest distance of unit vectors that are one direction."""
CELL = 1 / 64
"""Of those distances: how roughly faces are placed for a first look."""
FEW = 256
"""Faces compared one by one."""


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

    # The first face with a normal stands for all with it, and so does the first in a plane.
    way, wall = first_alike(normal, np.zeros(n_faces)), first_alike(normal, level)
    linked = coo_array((np.ones(joined.sum()), (source[joined], target[joined])), shape=(n_faces, n_faces))
    cavity = connected_components(linked, directed=False)[1].astype(np.int64)
    faces = np.bincount(cavity, minlength=n_faces)
    walls = different(cavity, wall)
    s, t = source[joined & (wall[source] != wall[target])], target[joined & (wall[source] != wall[target])]
    pairs = np.unique((cavity[s] * n_faces + wall[s]) * n_faces + wall[t]) // n_faces**2
    pairs = np.bincount(pairs, minlength=n_faces) / 2
    outward = cavity[source] != cavity[target]
    around, outside = cavity[source[outward]], target[outward]
    hull = on_hull[outside]
    exit_of, exit_way = np.divmod(np.unique(around[hull] * n_faces + way[outside[hull]]), n_faces)
    opposed = _opposed(exit_of, normal[exit_way])
    exits = np.bincount(exit_of, minlength=n_faces)
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
                np.log1p(exits),
                np.bincount(exit_of, opposed, n_faces) / np.maximum(exits, 1),
                np.bincount(cavity, on_hull, n_faces) / np.maximum(faces, 1),
                np.where(inner > 0, right_inner / np.maximum(inner, 1), 1.0),
                np.where(arcs > inner, (right - right_inner) / np.maximum(arcs - inner, 1), 1.0),
            )
        ),
    ]


def first_alike(normal: np.ndarray, level: np.ndarray) -> np.ndarray:
    """The number of the first face with the normal and level of each. (F, 3), (F,) -> (F,)

    To be alike does not carry over from one pair to the next, so there are no classes: the faces are halved again and
    again, and whoever has a like in the first half is not looked for in the second.
    """
    place = np.round(np.column_stack([normal / APART, level / TOLERANCE]) / CELL) * CELL
    first = np.zeros(len(level), np.int64)

    def search(low: int, high: int, rows: np.ndarray) -> np.ndarray:
        """Looks for a like of `rows`, all of which are at least `low`. Returns those that have none there."""
        if high - low <= FEW:
            alike = normal[rows] @ normal[low:high].T > 1 - TOLERANCE
            alike &= np.abs(level[rows, None] - level[low:high]) < TOLERANCE
            found = alike.any(1)
            first[rows[found]] = low + alike[found].argmax(1)
            return rows[~found]
        tree = cKDTree(np.unique(place[low:high], axis=0))  # thousands of rows alike would end in one leaf
        distance, _ = tree.query(place[rows], p=np.inf, distance_upper_bound=1 + 2 * CELL)
        near, middle = np.isfinite(distance), (low + high) // 2
        left = search(low, middle, rows[near])
        return np.concatenate([rows[~near], search(middle, high, left[left >= middle])])

    search(0, len(level), np.arange(len(level)))
    return first


def _opposed(group: np.ndarray, way: np.ndarray) -> np.ndarray:
    """True = the group has a way opposite to this one. Shapes: (W,), (W, 3) -> (W,)"""
    if not len(group):
        return np.zeros(0, bool)
    tree = cKDTree(np.column_stack([4.0 * group, way]))  # no way reaches into another group
    return np.isfinite(tree.query(np.column_stack([4.0 * group, -way]), distance_upper_bound=APART)[0])
