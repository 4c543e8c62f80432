"""The better of two heads for these labels, as cross-validation on the labelled solids tells.

A tie is the first one's, and so are labels that are too few to compare: those of a single solid.
"""

import numpy as np
from sklearn.model_selection import KFold

from brep_mae.evaluation.problem import Predictor, Problem, Rows, features_of
from brep_mae.fewshot.heads import finetuned, frozen

HEADS = (frozen.fit, finetuned.fit)
FOLDS = 5
"""Most parts into which the labelled solids are cut; with no more solids than these, each is a part of its own."""


def labelled_rows(problem: Problem, uids: list[str]) -> Rows:
    """What the problem's backbone makes of labelled solids."""
    batches = [problem.data.batch([uid]) for uid in uids]
    return Rows(problem.task, batches, features_of(problem.backbone, batches))


def right_of_each(problem: Problem, uids: list[str], seed: int) -> list[int]:
    """How many held-out rows every head of HEADS tells right. A solid is held out whole: its faces resemble one another
    more than they do those of the next solid."""
    right = [0] * len(HEADS)
    for learned, held_out in KFold(min(FOLDS, len(uids)), shuffle=True, random_state=seed).split(uids):
        rows, asked = (labelled_rows(problem, [uids[i] for i in part]) for part in (learned, held_out))
        if len(rows.y) and len(asked.y):
            right = [count + _right(fit(problem, rows, seed), asked) for count, fit in zip(right, HEADS, strict=True)]
    return right


def _right(predictor: Predictor, asked: Rows) -> int:
    return int((predictor(asked) == asked.y).sum())


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    uids = [uid for batch in labelled.batches for uid in batch.uid]
    best = int(np.argmax(right_of_each(problem, uids, seed))) if len(uids) > 1 else 0
    return HEADS[best](problem, labelled, seed)
