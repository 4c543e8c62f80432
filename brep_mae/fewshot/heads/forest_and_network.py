"""A forest on plain features and the network beside them, fine-tuned: the shares that both give the classes, added.

They are wrong about other rows, and a mean of unlike learners is better than most of them (Dietterich 2000, "Ensemble
methods in machine learning", section 1). The network is sooner sure of what it says, and so counts less.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from sklearn.ensemble import ExtraTreesClassifier
from torch import nn

from brep_mae.evaluation.problem import Predictor, Problem, Rows
from brep_mae.fewshot.heads import forest
from brep_mae.fewshot.heads.finetuned import fine_tune, seen_by
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


def learn(problem: Problem, labelled: Rows, seed: int) -> tuple[ExtraTreesClassifier, FeatureExtractor, nn.Linear]:
    """A forest, a trained encoder, and the layer that reads the encoder's codes. Of two encoders the first grows the
    forest and the last is trained; a single one is both."""
    plain, network = _two(problem.backbone)
    first, second = seen_by(plain, labelled), seen_by(network, labelled)
    grown = forest.grow(first.x, first.y, seed)
    torch.manual_seed(seed)
    start = probe(problem.task.n_classes, second.x, second.y)
    tuned, layer = fine_tune(replace(problem, backbone=network), start, second, seed)
    return grown, tuned, layer.cpu()


def _two(backbone: FeatureExtractor) -> Iterable[FeatureExtractor]:
    return backbone.both if isinstance(backbone, Joined) else (backbone, backbone)


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    plain, _ = _two(problem.backbone)
    grown, tuned, layer = learn(problem, labelled, seed)

    @torch.no_grad()
    def predict(rows: Rows) -> np.ndarray:
        network_says = layer(torch.from_numpy(seen_by(tuned, rows).x)).softmax(1).numpy()
        return (shares(grown, seen_by(plain, rows).x, problem.task.n_classes) + NETWORK * network_says).argmax(1)

    return predict
