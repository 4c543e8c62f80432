"""Which way to learn from few labels: the candidates, and cross-validation on the labelled parts that chooses.

A part is held out with all that its file holds: its faces resemble one another more than they do those of the next.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold

from brep_mae.fewshot.heads import forest, frozen, self_trained
from brep_mae.fitted.classifier import Classifier, Forest, Linear

FOLDS = 5
"""Most parts into which the labelled files are cut."""


@dataclass(frozen=True)
class Table:
    """Labelled rows (faces, solids or files), and rows without a label that may be learned from.

    Shapes: x (R, D) plain features, then the codes of an encoder if there is one; y (R,) classes; file (R,) whose they
        are; others (U, D); plain = number of plain features
    """

    x: np.ndarray
    y: np.ndarray
    file: np.ndarray
    others: np.ndarray
    plain: int
    n_classes: int

    def only(self, rows: np.ndarray) -> "Table":
        return Table(self.x[rows], self.y[rows], self.file[rows], self.others, self.plain, self.n_classes)

    @property
    def has_codes(self) -> bool:
        return self.x.shape[1] > self.plain


def _forest(table: Table, seed: int) -> Classifier:
    return Forest.of(forest.grow(table.x, table.y, seed), table.n_classes)


def _plain_forest(table: Table, seed: int) -> Classifier:
    return Forest.of(forest.grow(table.x[:, : table.plain], table.y, seed), table.n_classes)


def _linear(table: Table, seed: int) -> Classifier:
    return _layer(table.n_classes, table.x, table.y)


def _plain_linear(table: Table, seed: int) -> Classifier:
    return _layer(table.n_classes, table.x[:, : table.plain], table.y)


def _layer(n_classes: int, x: np.ndarray, y: np.ndarray) -> Classifier:
    layer = frozen.probe(n_classes, x, y)
    return Linear({"weight": layer.weight.detach().numpy(), "bias": layer.bias.detach().numpy()})


def _self_trained(table: Table, seed: int) -> Classifier:
    return Forest.of(self_trained.grow(table.x, table.y, table.others, seed), table.n_classes)


Learn = Callable[[Table, int], Classifier]
CANDIDATES: dict[str, Learn] = {
    "forest": _forest,
    "plain_forest": _plain_forest,
    "linear": _linear,
    "plain_linear": _plain_linear,
    "self_trained": _self_trained,
}
"""By name, the first one where labels are too few to compare: a forest, or logistic regression, on plain features
and codes, or on plain features alone; a forest that also learns from its own sure answers on unlabelled parts."""


def candidates(table: Table) -> dict[str, Learn]:
    """Those that differ for what there is."""
    without = {"plain_forest", "plain_linear"} if not table.has_codes else set()
    if not len(table.others):
        without.add("self_trained")
    return {name: learn for name, learn in CANDIDATES.items() if name not in without}


@dataclass(frozen=True)
class Choice:
    """What cross-validation says.

    Args:
        name: the candidate with most rows right.
        accuracy: its share of right rows less what choosing it on the same rows flatters; None = it can't be told.
        spread: standard deviation over the folds.
        commonest: accuracy of always saying the commonest class.
        scores: share of right rows of every candidate.
        checked: (R,) True = the row's class is shown by another file as well, so that it could be held out.
        said: (R,) class that the chosen candidate gave when the row was held out.
    """

    name: str
    accuracy: float | None
    spread: float
    commonest: float
    scores: dict[str, float]
    checked: np.ndarray
    said: np.ndarray


def choose(table: Table, seed: int, on_fold: Callable[[int, int], None] = lambda done, all: None) -> Choice:
    """Compares the candidates. Rows whose class a single file shows can't be held out, and do not count.

    The share of right rows of the best of several candidates is too high an estimate for it; what it is too high by is
    estimated from the folds (Tibshirani and Tibshirani 2009, "A bias correction for the minimum error rate in
    cross-validation", Annals of Applied Statistics 3).
    """
    learners = candidates(table)
    shown_by = np.array([len(np.unique(table.file[table.y == c])) for c in range(table.n_classes)])
    checked = shown_by[table.y] > 1
    n_files = len(np.unique(table.file))
    said = {name: np.full(len(table.y), -1) for name in learners}
    folds = [(learned, held[checked[held]]) for learned, held in _folds(table, n_files)] if checked.any() else []
    folds = [(learned, held) for learned, held in folds if len(held)]
    for done, (learned, held) in enumerate(folds):
        part = table.only(learned)
        for name, learn in learners.items():
            classifier = learn(part, seed)
            said[name][held] = classifier.shares(table.x[held, : classifier.n_features]).argmax(1)
        on_fold(done + 1, len(folds))
    common = float(np.bincount(table.y).max() / len(table.y))
    if not folds:
        first = next(iter(learners))
        return Choice(first, None, 0.0, common, {}, checked & False, said[first])
    right = {
        name: np.array([(answers[held] == table.y[held]).mean() for _, held in folds]) for name, answers in said.items()
    }
    weight = np.array([len(held) for _, held in folds])
    scores = {name: float(np.average(of_fold, weights=weight)) for name, of_fold in right.items()}
    best = max(scores, key=lambda name: scores[name])
    flattery = float(np.average(np.max(list(right.values()), 0) - right[best], weights=weight))
    commonest = float(np.bincount(table.y[checked]).max() / checked.sum())
    spread = float(right[best].std(ddof=1)) if len(folds) > 1 else 0.0
    return Choice(best, scores[best] - flattery, spread, commonest, scores, checked, said[best])


def _folds(table: Table, n_files: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if n_files > 1:
        yield from GroupKFold(min(FOLDS, n_files)).split(table.x, table.y, table.file)
