"""A forest on plain features and the network beside them, fine-tuned: the shares that both give the classes, added.

They are wrong about other rows, and a mean of unlike learners is better than most of them (Dietterich 2000, "Ensemble
methods in machine learning", section 1). The network is sooner sure of what it says, and so counts less.
"""

from dataclasses import replace

import numpy as np
import torch
from sklearn.ensemble import ExtraTreesClassifier

from brep_mae.evaluation.problem import Predictor, Problem, Rows, features_of
from brep_mae.fewshot.heads import forest
from brep_mae.fewshot.heads.finetuned import fine_tune
from brep_mae.fewshot.heads.frozen import probe
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.extractors.joined import Joined

NETWORK = 0.5
"""Weight of the network's shares, the forest's being 1; chosen on validation solids of the study of methods."""


def shares(grown: ExtraTreesClassifier, x: np.ndarray, n_classes: int) -> np.ndarray:
    """Of all classes, those among them that the forest never saw.

    Shapes: features x (R, D) -> (R, n_classes)
    """
    found = np.zeros((len(x), n_classes))
    found[:, grown.classes_] = grown.predict_proba(x)
    return found


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    """Of two encoders the first grows the forest and the last is fine-tuned; a single one is both."""
    task, backbone = problem.task, problem.backbone
    plain, network = backbone.both if isinstance(backbone, Joined) else (backbone, backbone)

    def seen_by(encoder: FeatureExtractor, rows: Rows) -> Rows:
        return Rows(task, rows.batches, features_of(encoder, rows.batches))

    first, second = seen_by(plain, labelled), seen_by(network, labelled)
    grown = forest.grow(first.x, first.y, seed)
    if len(grown.classes_) < 2:  # there is nothing to tell apart
        return lambda rows: grown.predict(seen_by(plain, rows).x)
    torch.manual_seed(seed)
    start = probe(task.n_classes, second.x, second.y)
    tuned, head = fine_tune(replace(problem, backbone=network), start, second, seed)
    head.cpu()

    @torch.no_grad()
    def predict(rows: Rows) -> np.ndarray:
        network_says = head(torch.from_numpy(seen_by(tuned, rows).x)).softmax(1).numpy()
        return (shares(grown, seen_by(plain, rows).x, task.n_classes) + NETWORK * network_says).argmax(1)

    return predict
