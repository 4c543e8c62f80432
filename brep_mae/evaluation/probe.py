"""What frozen features hold of the labels: a linear probe and nearest neighbours, quick enough to run at every step.

Both read labels of training solids and are scored on validation solids; the test side is left to the final scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Solids
from brep_mae.evaluation.problem import FewshotTask, Rows, features_of, labelled_order
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.settings import ProbeParams

SIZE = 32
"""Solids per batch."""

ITERATIONS = 1000
"""At most; a few hundred converge on a hundred solids."""


@dataclass(frozen=True)
class Sides:
    """Batches of the solids whose labels a probe learns from, and of those it is scored on."""

    train: list[Batch]
    validation: list[Batch]

    @classmethod
    def of(cls, data: Solids, train: Sequence[str], validation: Sequence[str], params: ProbeParams) -> "Sides":
        """All of `validation`, and `params.solids` of `train`: those that seed 0 of the few-shot study labels first."""
        first = labelled_order(list(train), 0)[: params.solids]
        return cls(_batches(data, first), _batches(data, validation))


def _batches(data: Solids, uids: Sequence[str]) -> list[Batch]:
    return [data.batch(uids[i : i + SIZE]) for i in range(0, len(uids), SIZE)]


def probes(params: ProbeParams, rows: int) -> dict[str, Pipeline | KNeighborsClassifier]:
    """The classifiers, by name, for `rows` labelled rows."""
    return {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS, tol=1e-3)),
        "knn": KNeighborsClassifier(min(params.neighbours, rows), metric="cosine"),
    }


def probe(
    backbone: FeatureExtractor, todo: Sequence[FewshotTask], sides: Sides, params: ProbeParams
) -> list[dict[str, str | float]]:
    """Rows {"task", "probe", "score"}: the share of right answers among labelled faces, or solids, of the validation
    side. A task of which the training solids show fewer than two classes, or the others none, gives no row."""
    gathered = [(batches, list(features_of(backbone, batches))) for batches in (sides.train, sides.validation)]
    found: list[dict[str, str | float]] = []
    for task in todo:
        train, validation = (Rows(task, *side) for side in gathered)
        if len(np.unique(train.y)) < 2 or not len(validation.y):
            continue
        for name, classifier in probes(params, len(train.y)).items():
            score = float(classifier.fit(train.x, train.y).score(validation.x, validation.y))
            found.append({"task": task.name, "probe": name, "score": score})
    return found
