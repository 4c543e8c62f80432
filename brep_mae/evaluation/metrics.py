"""Scores of a labelling, per face or per solid."""

import numpy as np


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
