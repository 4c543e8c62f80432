"""A forest on plain features, whose answers are averaged over the nearest unlabelled rows by pretrained codes.

Rows with close codes are taken to have the same class (Zhou et al. 2004, "Learning with local and global consistency",
section 2; here one step from the rows that are asked to those without a label). Codes so say what is alike and choose
no class, which few labels cannot teach a forest through as many columns.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brep_mae.evaluation.problem import Predictor, Problem, Rows, features_of
from brep_mae.fewshot.heads import forest
from brep_mae.models.extractors.joined import Joined

NEAREST, COMPONENTS = 15, 32
"""Rows without a label whose answers are averaged; principal components of the codes by which they are near."""


def codes_from(problem: Problem, labelled: Rows) -> int:
    """The column where the codes of the last encoder begin; 0 where there is one encoder, whose features are both."""
    if not isinstance(problem.backbone, Joined):
        return 0
    _, encoder = problem.backbone.both
    (last,) = features_of(encoder, labelled.batches[:1])
    return labelled.x.shape[1] - problem.task.rows(last).shape[1]


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    at, others = codes_from(problem, labelled), problem.unlabelled()
    grown = forest.grow(labelled.x[:, : at or None], labelled.y, seed)
    if not len(others):
        return lambda rows: grown.predict(rows.x[:, : at or None])
    components = PCA(min(COMPONENTS, *others[:, at:].shape), random_state=seed)
    place = make_pipeline(StandardScaler(), components).fit(others[:, at:])
    near = NearestNeighbors(n_neighbors=min(NEAREST, len(others))).fit(place.transform(others[:, at:]))
    share = grown.predict_proba(others[:, : at or None])

    def predict(rows: Rows) -> np.ndarray:
        which = near.kneighbors(place.transform(rows.x[:, at:]), return_distance=False)
        return grown.classes_[share[which].mean(1).argmax(1)]

    return predict
