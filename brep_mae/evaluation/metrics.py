"""Scores of a labelling, per face or per solid."""

from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, f1_score


def confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts (n_classes, n_classes), row = truth."""
    return np.bincount(truth * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def scores(
    truth: np.ndarray, predicted: np.ndarray, part: np.ndarray, labelled: np.ndarray, n_classes: int
) -> dict[str, float]:
    """All numbers that the tables hold.

    Args:
        truth, predicted: (R,) class of each row (face, or solid).
        part: (R,) solid of each row.
        labelled: (L,) classes of the rows that were trained on.
        n_classes: number of classes.

    Returns:
        micro: share of rows that are right; per_part: mean over solids of that share; miou: mean intersection over
        union over the classes that occur in the truth; covered: micro over rows whose class was among the labelled;
        ceiling: share of such rows, the best that these labels allow.
    """
    right = truth == predicted
    table = confusion(truth, predicted, n_classes)
    union = table.sum(0) + table.sum(1) - table.diagonal()
    present = table.sum(1) > 0
    known = np.isin(truth, labelled)
    _, part = np.unique(part, return_inverse=True)
    per_part = np.bincount(part, right) / np.bincount(part)
    return {
        "micro": float(right.mean()),
        "per_part": float(per_part.mean()),
        "miou": float((table.diagonal()[present] / union[present]).mean()),
        "covered": float(right[known].mean()) if known.any() else 0.0,
        "ceiling": float(known.mean()),
    }


def multilabel_scores(shown: np.ndarray, probability: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """All numbers of a multi-label task; pairs of a solid and a class that are not known (-1) count nowhere.

    Args:
        shown: (R, C) 1 = the solid shows the class, 0 = it does not, -1 = not known.
        probability: (R, C) in (0, 1).
        predicted: (R, C) True = the class is said to be shown.

    Returns:
        macro_f1, map: mean F1 and mean average precision over the classes that some solid shows, without which
        neither is defined; micro_f1: F1 over all pairs; strict: share of solids whose classes are all right; f1 and
        average_precision of every class, None for a class that no solid shows.
    """
    known = shown >= 0
    f1: list[float | None] = []
    average_precision: list[float | None] = []
    for there, truth, p, said in zip(known.T, shown.T, probability.T, predicted.T, strict=True):
        defined = bool((truth == 1).any())
        f1.append(float(f1_score(truth[there], said[there], zero_division=0.0)) if defined else None)
        average_precision.append(float(average_precision_score(truth[there], p[there])) if defined else None)
    right = (shown == predicted) | ~known
    return {
        "macro_f1": _mean(f1),
        "micro_f1": float(f1_score(shown[known], predicted[known], zero_division=0.0)),
        "map": _mean(average_precision),
        "strict": float(right.all(1)[known.any(1)].mean()),
        "f1": f1,
        "average_precision": average_precision,
    }


def _mean(values: list[float | None]) -> float:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else 0.0
