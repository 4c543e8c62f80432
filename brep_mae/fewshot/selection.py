"""Which solids to label, before any label is known: those whose rows stand for as many others as possible.

What is to be classified (faces, or solids) is gathered around centres of k-means on a pretrained encoder's features.
The solids are taken one by one: next comes the one whose rows bring the centres, weighted by the rows around them,
nearest to a row that is labelled (greedy k-medoids; Kaufman and Rousseeuw 1990, "Finding groups in data", BUILD). Both
typical and diverse, like TypiClust (Hacohen et al. 2022, arXiv:2202.02794), but over all faces of a solid at once, and
every budget is the start of a larger one. A budget counts solids: where these differ in size, the chosen ones have more
faces than most, and are more work to label.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brep_mae.datasets.loader import Samples
from brep_mae.evaluation.problem import FewshotTask, features_of
from brep_mae.models.extractor import FeatureExtractor

CANDIDATES, CENTRES, ROWS, DIMS = 1000, 100, 10, 32
"""Solids that are looked at; most centres, and the rows that each of them should have; principal components in which
distances are taken."""


def covering(x: np.ndarray, solid: np.ndarray, count: int, seed: int) -> list[int]:
    """`count` of the solids 0 to solid.max(), the one that covers most first.

    Shapes: x (R, D) features of rows, solid (R,) whose they are
    """
    points = make_pipeline(StandardScaler(), PCA(min(DIMS, *x.shape), random_state=seed)).fit_transform(x)
    n_centres = min(CENTRES, math.ceil(len(x) / ROWS))
    centres = MiniBatchKMeans(n_centres, random_state=seed, n_init=3, batch_size=2048).fit(points)
    distance = centres.transform(points)
    from_solid = np.full((solid.max() + 1, n_centres), np.inf)
    np.minimum.at(from_solid, solid, distance)
    weight = np.bincount(centres.labels_, minlength=n_centres)
    so_far: np.ndarray = distance.mean(0)
    chosen: list[int] = []
    for _ in range(min(count, len(from_solid))):
        gain = np.maximum(so_far - from_solid, 0) @ weight
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        so_far = np.minimum(so_far, from_solid[chosen[-1]])
    return chosen


def covering_order(
    backbone: FeatureExtractor, task: FewshotTask, data: Samples, uids: Sequence[str], count: int, seed: int
) -> list[str]:
    """The solids, `count` that cover most of the first CANDIDATES before all others, which stay as they are. Reads no
    label, not even whether there is one."""
    rows, solid = [], []
    for i, uid in enumerate(uids[:CANDIDATES]):
        (features,) = features_of(backbone, [data.batch([uid])])
        rows.append(task.rows(features))
        solid.append(np.full(len(rows[-1]), i))
    first = [uids[i] for i in covering(torch.cat(rows).numpy(), np.concatenate(solid), count, seed)]
    taken = set(first)
    return first + [uid for uid in uids if uid not in taken]
