"""A forest that learns from its own confident answers on unlabelled solids (Scudder 1965; Yarowsky 1995)."""

import numpy as np

from brep_mae.evaluation.problem import Predictor, Problem, Rows
from brep_mae.fewshot.heads.forest import grow

ROUNDS, CONFIDENCE, WEIGHT, TREES = 3, 0.6, 0.3, 100
"""Rounds; the least confidence of an answer that is learned from; its weight, which its confidence scales; trees of a
forest that has that much to learn from."""


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    forest = grow(labelled.x, labelled.y, seed)
    others = problem.unlabelled()
    for _ in range(ROUNDS if len(others) else 0):
        share = forest.predict_proba(others)
        sure = share.max(1) > CONFIDENCE
        weight = np.concatenate([np.ones(len(labelled.y)), WEIGHT * share.max(1)[sure]])
        classes = np.concatenate([labelled.y, forest.classes_[share.argmax(1)[sure]]])
        forest = grow(np.concatenate([labelled.x, others[sure]]), classes, seed, weight, TREES)
    return lambda rows: forest.predict(rows.x)
