"""Which way to learn from few labels: the candidates, and cross-validation on the labelled parts that chooses.

A part is held out with all that its file holds: its faces resemble one another more than they do those of the next.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

from brep_mae.fewshot.heads import forest, frozen, self_trained
from brep_mae.fitted.classifier import Classifier, Forest, Linear, Together
from brep_mae.fitted.network import Network
from brep_mae.models.extractor import FeatureExtractor

FOLDS = 5
"""Most parts into which the labelled files are cut."""
FEW = 2
"""A class that fewer files show can't be held out from all labelled ones and still be learned."""


@dataclass(frozen=True)
class Table:
    """Labelled rows (faces, solids or files), and rows without a label that may be learned from.

    Args:
        plain: number of plain features.
        network: trains the encoder on the rows; None = it stays as it is.
        known: answers for the rows without having learned from them; None = nothing does.

    Shapes: x (R, D) plain features, then the codes of an encoder if there is one; y (R,) classes, or (R, C) True =
        shows the class, where a row may show several; file (R,) whose they are; others (U, D)
    """

    x: np.ndarray
    y: np.ndarray
    file: np.ndarray
    others: np.ndarray
    plain: int
    n_classes: int
    network: Network | None = None
    known: Classifier | None = None

    def only(self, rows: np.ndarray) -> "Table":
        network = self.network and self.network.only(rows)
        return replace(self, x=self.x[rows], y=self.y[rows], file=self.file[rows], network=network)

    @property
    def has_codes(self) -> bool:
        return self.x.shape[1] > self.plain

    @property
    def several(self) -> bool:
        """True = a row may show several classes."""
        return self.y.ndim == 2

    def shows(self, number: int) -> np.ndarray:
        """(R,) True = the row has, or shows, the class of that number."""
        shown: np.ndarray = self.y[:, number] if self.several else self.y == number
        return shown

    def files_of(self, number: int) -> int:
        """How many files show the class."""
        return len(np.unique(self.file[self.shows(number)]))

    def said(self, shares: np.ndarray) -> np.ndarray:
        """Answers in the form of y: the likeliest class, or all that are likelier than not."""
        answers: np.ndarray = shares > 0.5 if self.several else shares.argmax(1)
        return answers

    def score(self, said: np.ndarray, rows: np.ndarray, classes: np.ndarray) -> float:
        """Share of rows that are right; of several classes the F1 over all pairs of a row and one of `classes`."""
        if self.several:
            pairs = self.y[rows][:, classes].ravel(), said[rows][:, classes].ravel()
            return float(f1_score(*pairs, zero_division=0.0))
        return float((said[rows] == self.y[rows]).mean())


@dataclass(frozen=True)
class Learned:
    """What a candidate learned: a classifier, and the reader whose features it classifies; None = those of the table,
    or the first of them."""

    classifier: Classifier
    reader: FeatureExtractor | None = None

    def shares(self, table: Table, rows: np.ndarray) -> np.ndarray:
        """(N, C) of rows (N,) of a table, of which it may have learned from others."""
        if self.reader is None:
            return self.classifier.shares(table.x[rows, : self.classifier.n_features])
        assert table.network is not None
        return self.classifier.shares(table.network.features(self.reader)[rows])


def _as_it_is(table: Table, seed: int) -> Learned:
    assert table.known is not None
    return Learned(table.known)


def _forest_and_model(table: Table, seed: int) -> Learned:
    assert table.known is not None
    return Learned(Together(_plain_forest(table, seed).classifier, table.known, 1.0))


def _forest(table: Table, seed: int) -> Learned:
    return _grown(table, table.x, seed)


def _plain_forest(table: Table, seed: int) -> Learned:
    return _grown(table, table.x[:, : table.plain], seed)


def _grown(table: Table, x: np.ndarray, seed: int) -> Learned:
    if table.several:
        means = ExtraTreesRegressor(forest.TREES, max_features=forest.FEATURES, random_state=seed)
        return Learned(Forest.of_several(means.fit(x, table.y.astype(np.float32))))
    return Learned(Forest.of(forest.grow(x, table.y, seed), table.n_classes))


def _linear(table: Table, seed: int) -> Learned:
    return _layer(table.n_classes, table.x, table.y)


def _plain_linear(table: Table, seed: int) -> Learned:
    return _layer(table.n_classes, table.x[:, : table.plain], table.y)


def _layer(n_classes: int, x: np.ndarray, y: np.ndarray) -> Learned:
    return Learned(Linear.of(frozen.probe(n_classes, x, y)))


def _self_trained(table: Table, seed: int) -> Learned:
    return Learned(Forest.of(self_trained.grow(table.x, table.y, table.others, seed), table.n_classes))


def _forest_and_network(table: Table, seed: int) -> Learned:
    assert table.network is not None
    return Learned(*table.network.learn(seed))


Learn = Callable[[Table, int], Learned]
CANDIDATES: dict[str, Learn] = {
    "as_it_is": _as_it_is,
    "forest_and_model": _forest_and_model,
    "forest": _forest,
    "plain_forest": _plain_forest,
    "linear": _linear,
    "plain_linear": _plain_linear,
    "self_trained": _self_trained,
    "forest_and_network": _forest_and_network,
}
"""By name, the first one where labels are too few to compare: the model that was fitted before, as it is, or together
with a forest on plain features; a forest, or logistic regression, on plain features and codes, or on plain features
alone; a forest that also learns from its own sure answers on unlabelled parts; a forest on plain features together with
the encoder, which is trained as well."""


def candidates(table: Table) -> dict[str, Learn]:
    """Those that differ for what there is."""
    without = {"plain_forest", "plain_linear"} if not table.has_codes else set()
    if table.several:
        without |= {"linear", "plain_linear", "self_trained"}
    if not len(table.others):
        without.add("self_trained")
    if table.network is None:
        without.add("forest_and_network")
    if table.known is None:
        without |= {"as_it_is", "forest_and_model"}
    return {name: learn for name, learn in CANDIDATES.items() if name not in without}


@dataclass(frozen=True)
class Choice:
    """What cross-validation says; scores are those of `Table.score`.

    Args:
        name: the candidate with the best score.
        expected: its score less what choosing it on the same rows flatters; None = it can't be told.
        spread: standard deviation over the folds.
        commonest: score of always saying the commonest class, or all classes that most rows show.
        scores: of every candidate.
        checked: (R,) True = the row's class is shown by another file as well, so that it could be held out.
        said: answers of the chosen candidate, in the form of y, for rows that were held out.
    """

    name: str
    expected: float | None
    spread: float
    commonest: float
    scores: dict[str, float]
    checked: np.ndarray
    said: np.ndarray


def choose(table: Table, seed: int, on_fold: Callable[[int, int], None] = lambda done, all: None) -> Choice:
    """Compares the candidates. A class that a single file shows can't be held out, and does not count.

    The score of the best of several candidates is too high an estimate for it; what it is too high by is estimated
    from the folds (Tibshirani and Tibshirani 2009, "A bias correction for the minimum error rate in cross-validation",
    Annals of Applied Statistics 3).
    """
    learners = candidates(table)
    classes = np.array([number for number in range(table.n_classes) if table.files_of(number) >= FEW], int)
    checked = np.isin(table.y, classes) if not table.several else np.full(len(table.y), len(classes) > 0)
    n_files = len(np.unique(table.file))
    said = {name: np.zeros_like(table.y) for name in learners}
    folds = [(learned, held[checked[held]]) for learned, held in _folds(table, n_files)] if checked.any() else []
    folds = [(learned, held) for learned, held in folds if len(held)]
    for done, (learned, held) in enumerate(folds):
        part = table.only(learned)
        for name, learn in learners.items():
            said[name][held] = table.said(learn(part, seed).shares(table, held))
        on_fold(done + 1, len(folds))
    if not folds:
        first = next(iter(learners))
        return Choice(first, None, 0.0, 0.0, {}, checked & False, said[first])
    right = {
        name: np.array([table.score(answers, held, classes) for _, held in folds]) for name, answers in said.items()
    }
    weight = np.array([len(held) for _, held in folds])
    scores = {name: float(np.average(of_fold, weights=weight)) for name, of_fold in right.items()}
    best = max(scores, key=lambda name: scores[name])
    flattery = float(np.average(np.max(list(right.values()), 0) - right[best], weights=weight))
    spread = float(right[best].std(ddof=1)) if len(folds) > 1 else 0.0
    commonest = table.score(_commonest(table, checked), np.flatnonzero(checked), classes)
    return Choice(best, scores[best] - flattery, spread, commonest, scores, checked, said[best])


def _commonest(table: Table, checked: np.ndarray) -> np.ndarray:
    """The same answer for every row, in the form of y."""
    if not table.several:
        return np.full(len(table.y), np.bincount(table.y[checked]).argmax())
    share = table.y.mean(0)
    return np.broadcast_to(share > 0.5 if (share > 0.5).any() else share == share.max(), table.y.shape)


def _folds(table: Table, n_files: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if n_files > 1:
        yield from GroupKFold(min(FOLDS, n_files)).split(table.x, table.y, table.file)
