"""Extremely randomised trees on frozen features (Geurts et al. 2006, "Extremely randomized trees").

On a few dozen rows of good features they beat logistic regression and small networks: no scale has to be chosen, and
thresholds at random places average to smooth borders.
"""

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from brep_mae.evaluation.problem import Predictor, Problem, Rows

TREES, FEATURES = 200, 0.1
"""Trees, and the share of features that each of their splits looks at."""
MANY, TREES_OF_MANY = 100_000, 50
"""From so many rows on a tree takes seconds and sees enough of them that so many trees do."""


def grow(
    x: np.ndarray, y: np.ndarray, seed: int, weight: np.ndarray | None = None, trees: int = TREES
) -> ExtraTreesClassifier:
    """A forest on features x (R, D), classes y (R,) and weights (R,)."""
    return ExtraTreesClassifier(trees, max_features=FEATURES, random_state=seed).fit(x, y, weight)


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    forest = grow(labelled.x, labelled.y, seed, trees=TREES if len(labelled.y) < MANY else TREES_OF_MANY)
    return lambda rows: forest.predict(rows.x)
