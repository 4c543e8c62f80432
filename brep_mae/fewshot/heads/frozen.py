"""The backbone as it is, and logistic regression on its features."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from brep_mae.evaluation.problem import Predictor, Problem, Rows

NEVER = -20.0
"""Logit of a class that no labelled row shows."""


def probe(n_classes: int, x: np.ndarray, y: np.ndarray) -> nn.Linear:
    """Logistic regression on standardised frozen features, as one linear layer on the features as they are.

    Shapes: x (R, D), y (R,) -> a layer from D to n_classes
    """
    head = nn.Linear(x.shape[1], n_classes)
    classes = np.unique(y)
    weight, bias = np.zeros((n_classes, x.shape[1])), np.full(n_classes, NEVER)
    bias[classes] = 0.0
    if len(classes) > 1:
        scale = StandardScaler().fit(x)
        model = LogisticRegression(max_iter=200, tol=1e-3).fit(scale.transform(x), y)
        one = len(classes) == 2  # scikit-learn keeps a single row then: that of the second class
        weight[classes[1:] if one else classes] = model.coef_ / scale.scale_
        bias[classes[1:] if one else classes] = model.intercept_ - model.coef_ @ (scale.mean_ / scale.scale_)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))
    return head


@torch.no_grad()
def answer(head: nn.Linear, x: np.ndarray) -> np.ndarray:
    """Classes (R,) of features (R, D)."""
    return head(torch.from_numpy(x).to(head.weight.device)).argmax(1).cpu().numpy()


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    head = probe(problem.task.n_classes, labelled.x, labelled.y)
    return lambda rows: answer(head, rows.x)
