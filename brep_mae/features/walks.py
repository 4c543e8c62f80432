"""Random walks over a face graph: how likely one is back where it began, without a table of faces by faces."""

import numpy as np
from scipy.sparse import csr_array, diags_array

WALK_STEPS = 8
"""Length of the longest walk."""

HUBS = 64
"""So many faces, those with the most neighbours, are hubs at least, and are gone through together."""
MANY = 32
"""Neighbours of a face that is a hub in any case."""
ROWS = 1024
"""Faces whose walks past all hubs are followed together."""


def walk_encoding(arc_index: np.ndarray, n_faces: int) -> np.ndarray:
    """Return probabilities of random walks of 1..WALK_STEPS steps, and log degree.

    Dwivedi et al. 2021, arXiv:2110.07875, section 3. After four steps a walk may be anywhere on a plate with a thousand
    holes, but only by way of the plate. So walks are told apart by the first hub that they meet: what lies before it,
    and all walks that meet none, stay near their faces; what comes after it is followed from the few hubs.

    Shapes: (2, A), F -> (F, WALK_STEPS + 1) float32.
    """
    source, target = arc_index[:, arc_index[0] != arc_index[1]]
    degree = np.bincount(source, minlength=n_faces)
    if n_faces <= HUBS:
        return _encoding(_of_few(source, target, degree), degree)
    arcs = csr_array((np.ones(len(source)), (source, target)), shape=(n_faces, n_faces))
    arcs.sum_duplicates()
    step = (diags_array(1 / np.maximum(degree, 1)) @ arcs).tocsr()
    neighbours = np.maximum(np.diff(arcs.indptr), np.bincount(arcs.indices, minlength=n_faces))
    most = np.argsort(-neighbours, kind="stable")
    hubs, others = np.split(most, [max(HUBS, int((neighbours > MANY).sum()))])
    keep = diags_array(np.isin(np.arange(n_faces), others).astype(float))
    past = (keep @ step @ keep).tocsr()
    back = _past_hubs(past)
    for start in range(0, len(hubs), HUBS):
        _add_by_way_of(hubs[start : start + HUBS], step, past, keep, back)
    return _encoding(back, degree)


def _encoding(back: np.ndarray, degree: np.ndarray) -> np.ndarray:
    return np.column_stack([*back, np.log1p(degree)]).astype(np.float32)


def _of_few(source: np.ndarray, target: np.ndarray, degree: np.ndarray) -> np.ndarray:
    """A small table of faces by faces is fastest multiplied out. Returns (WALK_STEPS, F)."""
    n_faces = len(degree)
    arcs = np.bincount(source * n_faces + target, minlength=n_faces**2).reshape(n_faces, n_faces)
    step = walk = (1 / np.maximum(degree, 1))[:, None] * arcs
    back = [step.diagonal()]
    for _ in range(WALK_STEPS - 1):
        walk = walk @ step
        back.append(walk.diagonal())
    return np.array(back)


def _past_hubs(past: csr_array) -> np.ndarray:
    """Of walks that meet no hub: the middle of a walk is where half of it leads to and the other half comes from."""
    n_faces = past.shape[0]
    back, reverse = np.zeros((WALK_STEPS, n_faces)), past.T.tocsr()
    for first in range(0, n_faces, ROWS):
        rows = slice(first, first + ROWS)
        there, home = [past[rows]], [reverse[rows]]
        for _ in range(WALK_STEPS // 2 - 1):
            there.append(there[-1] @ past)
            home.append(home[-1] @ reverse)
        for steps in range(2, WALK_STEPS + 1):
            back[steps - 1, rows] = there[steps // 2 - 1].multiply(home[steps - steps // 2 - 1]).sum(1)
    return back


def _add_by_way_of(hubs: np.ndarray, step: csr_array, past: csr_array, keep: csr_array, back: np.ndarray) -> None:
    """Adds walks that meet one of these hubs before any other hub, and sets those of the hubs themselves."""
    there = [(keep @ step[:, hubs]).toarray()]  # there[a][i, h]: from face i, step a + 1 is the first to a hub, to h
    home = [step[hubs].T.toarray()]  # home[b][i, h]: from hub h, step b + 1 leads to face i
    for _ in range(WALK_STEPS - 1):
        there.append(past @ there[-1])
        home.append(step.T @ home[-1])
    for steps in range(1, WALK_STEPS + 1):
        for a in range(steps - 1):
            back[steps - 1] += np.einsum("ih,ih->i", there[a], home[steps - a - 2])
        back[steps - 1, hubs] = home[steps - 1][hubs, np.arange(len(hubs))]
