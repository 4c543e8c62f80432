"""A forest on generated and real labels together; how much the real ones count is what cross-validation on the labelled
solids says. Without generated labels, the plain forest."""

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from brep_mae.evaluation.problem import Predictor, Problem, Rows
from brep_mae.fewshot.folds import folds
from brep_mae.fewshot.heads import forest
from brep_mae.fewshot.heads.forest import TREES, TREES_OF_MANY, grow

SHARES = (0.3, 0.0, 0.1, 0.6, 1.0)
"""Shares of the real rows in the weight of all, the first one for a tie or a single labelled solid; 0 = no real label
is learned from, 1 = no generated one."""


def mixed(generated: Rows, real: Rows, share: float, seed: int, trees: int) -> ExtraTreesClassifier:
    """A forest on both, whose real rows have `share` of the weight."""
    parts = [(rows, s) for rows, s in ((generated, 1 - share), (real, share)) if s]
    x, y = (np.concatenate([getattr(rows, name) for rows, _ in parts]) for name in ("x", "y"))
    weight = np.concatenate([np.full(len(rows.y), s * len(y) / len(rows.y)) for rows, s in parts])
    return grow(x, y, seed, weight, trees)


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    generated = problem.generated
    if generated is None:
        return forest.fit(problem, labelled, seed)
    right = np.zeros(len(SHARES), int)
    for learned, asked in folds(problem, labelled, seed):
        found = [mixed(generated, learned, share, seed, TREES_OF_MANY) for share in SHARES]
        right += [(each.predict(asked.x) == asked.y).sum() for each in found]
    chosen = mixed(generated, labelled, SHARES[int(right.argmax())], seed, TREES)
    return lambda rows: chosen.predict(rows.x)
