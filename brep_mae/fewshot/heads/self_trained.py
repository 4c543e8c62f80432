"""A forest that learns from its own confident answers on unlabelled solids (Scudder 1965; Yarowsky 1995)."""

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from brep_mae.evaluation.problem import Predictor, Problem, Rows
from brep_mae.fewshot.heads import forest

ROUNDS, CONFIDENCE, WEIGHT, TREES = 3, 0.6, 0.3, 100
"""Rounds; the least confidence of an answer that is learned from; its weight, which its confidence scales; trees of a
forest that has that much to learn from."""


def grow(x: np.ndarray, y: np.ndarray, others: np.ndarray, seed: int) -> ExtraTreesClassifier:
    """A forest on features x (R, D), classes y (R,), and rows without a class, others (U, D)."""
    grown = forest.grow(x, y, seed)
    for _ in range(ROUNDS if len(others) else 0):
        share = grown.predict_proba(others)
        sure = share.max(1) > CONFIDENCE
        weight = np.concatenate([np.ones(len(y)), WEIGHT * share.max(1)[sure]])
        classes = np.concatenate([y, grown.classes_[share.argmax(1)[sure]]])
        grown = forest.grow(np.concatenate([x, others[sure]]), classes, seed, weight, TREES)
    return grown


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    grown = grow(labelled.x, labelled.y, problem.unlabelled(), seed)
    return lambda rows: grown.predict(rows.x)
