"""A few labelled parts, and others beside them -> a model, and what is to be expected of it.

Cross-validation on the labelled parts chooses how to learn (candidates.py). Parts that the labels put on the side
`test` are never learned from, and tell in the end how well the model does on parts that it has not seen.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brep_mae.checkpoints.backbones import require_grid
from brep_mae.datasets.derived.files import Files, file_of
from brep_mae.datasets.labelling.labels import Labels
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.evaluation.problem import SIZE, FewshotTask, Rows, every_row, features_of, in_batches, tasks
from brep_mae.fitted.candidates import CANDIDATES, Choice, Table, candidates, choose
from brep_mae.fitted.classifier import Classifier
from brep_mae.fitted.model import FittedModel, Unit, extractor
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.schema import UNLABELLED

FEW = 2
"""A class that fewer files show can't be held out from all labelled ones and still be learned."""
NEXT = 5
"""Parts that are named as those to label next."""
LEARNED_FROM = 10_000
"""Most unlabelled rows that are learned from: more cost time and add little."""


class FitError(ValueError):
    """Nothing can be learned from these labels; the message says why, and the remedy."""


@dataclass(frozen=True)
class ClassReport:
    """One class: `files` and `rows` (faces, solids, files) that show it; `right` is the share of its rows that were
    told right when they were held out, None where too few files show it."""

    name: str
    files: int
    rows: int
    right: float | None


@dataclass(frozen=True)
class FitReport:
    """What was learned from, and what to expect.

    Args:
        unit: what has a class.
        files, rows: that are labelled and were learned from.
        unlabelled: files without a label that were at hand.
        head: the candidate that was chosen, and `scores`, what each of them had right when rows were held out.
        expected: share of rows that the model should get right on parts like these, with `spread`, its standard
            deviation over folds; None where labels are too few to tell. `commonest` = always saying the commonest.
        test: share of right rows of parts on the side `test`; None = there are none.
        next: files to label next, the one that the model is least sure of first.
    """

    unit: Unit
    files: int
    rows: int
    unlabelled: int
    head: str
    scores: dict[str, float]
    expected: float | None
    spread: float
    commonest: float
    test: float | None
    classes: list[ClassReport]
    next: list[str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def unit_of(labels: Labels, shards: Path) -> Unit:
    """What the labels give a class to: faces where any of them has one; files where all solids of each labelled file
    are of one class, and some file has several; else solids."""
    if any((one.faces != UNLABELLED).any() for one in labels.solids.values()):
        return "face"
    solids: dict[str, list[int]] = {}
    for uid in open_shards(shards).uids:
        part = labels.solids[uid].part if uid in labels.solids else UNLABELLED
        solids.setdefault(file_of(uid), []).append(part)
    labelled = [parts for parts in solids.values() if set(parts) != {UNLABELLED}]
    one_class = all(len(set(parts)) == 1 for parts in labelled)
    return "file" if one_class and any(len(parts) > 1 for parts in labelled) else "solid"


def fit(
    shards: Path,
    unit: Unit | None,
    encoder: Path | None,
    seed: int = 0,
    on_fold: Callable[[int, int], None] = lambda done, all: None,
) -> tuple[FittedModel, bool]:
    """Learns from the labelled parts of a folder of shards.

    Args:
        unit: what has a class; None = as the labels have it.
        encoder: checkpoint whose codes stand beside plain features; None = plain features alone.

    Returns:
        the model; True = its classifier reads the encoder's codes.

    Raises:
        FitError: there is nothing to learn from these labels.
        CheckpointError, ValueError: the encoder cannot be read, or reads other grids.
    """
    if encoder is not None:
        require_grid(encoder, shards)
    stored = open_shards(shards)
    labels = stored.labels
    unit = unit or unit_of(labels, shards)
    classes = labels.face_classes if unit == "face" else labels.part_classes
    of_faces, of_parts = tasks(len(labels.face_classes), 0), tasks(0, len(labels.part_classes))
    if not (of_faces if unit == "face" else of_parts):
        raise FitError(f"no {unit} has a class; name the classes in labels.csv (`brep-mae labels template` writes one)")
    (task,) = of_faces if unit == "face" else of_parts
    reader = extractor(encoder)
    data = _samples(shards, unit, stored.uids, readable(reader))
    sides = {file_of(uid): one.side for uid, one in labels.solids.items()}
    labelled = [uid for uid in data.uids if data.has_label(uid)]
    learned = [uid for uid in labelled if sides.get(file_of(uid)) != "test"]
    others = [uid for uid in data.uids if not data.has_label(uid)]
    rows = _rows(task, reader, data, learned)
    if len(np.unique(rows.y)) < 2:
        shown = f"the only one is {classes[rows.y[0]]}" if len(rows.y) else "there is none"
        raise FitError(f"{len(rows.y)} labelled {unit}s show fewer than two classes ({shown}): label parts of others")
    table = _table(task, reader, data, rows, others, seed)
    choice = choose(table, seed, on_fold)
    classifier = candidates(table)[choice.name](table, seed)
    tested = [uid for uid in labelled if uid not in set(learned)]
    test = _right(classifier, _rows(task, reader, data, tested)) if tested else None
    report = FitReport(
        unit=unit,
        files=len(np.unique(table.file)),
        rows=len(table.y),
        unlabelled=len({file_of(uid) for uid in others}),
        head=choice.name,
        scores=choice.scores,
        expected=choice.accuracy,
        spread=choice.spread,
        commonest=choice.commonest,
        test=test,
        classes=[_class(name, number, table, choice) for number, name in enumerate(classes)],
        next=_least_sure(task, reader, data, others, table, dict(zip(stored.uids, stored.files, strict=True))),
    )
    grid = int(stored[0].face_grid.shape[1])
    reads_codes = classifier.n_features > table.plain
    model = FittedModel(
        unit, tuple(classes), reader if reads_codes else extractor(None), classifier, grid, report.as_json()
    )
    return model, reads_codes


def _samples(shards: Path, unit: Unit, uids: list[str], reads: frozenset[str]) -> Solids:
    if unit == "file":
        return Files(shards, list(dict.fromkeys(file_of(uid) for uid in uids)), reads)
    return Solids(shards, None, uids, reads)


def _rows(task: FewshotTask, reader: FeatureExtractor, data: Solids, uids: list[str]) -> Rows:
    batches = in_batches(data, uids)
    return Rows(task, batches, features_of(reader, batches))


def _table(
    task: FewshotTask, reader: FeatureExtractor, data: Solids, rows: Rows, others: list[str], seed: int
) -> Table:
    uids = [uid for batch in rows.batches for uid in batch.uid]
    _, file_number = np.unique([file_of(uid) for uid in uids], return_inverse=True)
    place = rows.part % 1_000_000 + SIZE * (rows.part // 1_000_000)  # `Rows` numbers solids within their batch
    beside = every_row(task, reader, in_batches(data, others))
    if len(beside) > LEARNED_FROM:
        beside = beside[np.random.default_rng(seed).choice(len(beside), LEARNED_FROM, replace=False)]
    plain = every_row(task, extractor(None), in_batches(data, uids[:1])).shape[1]
    return Table(rows.x, rows.y, file_number[place], beside, plain, task.n_classes)


def _right(classifier: Classifier, rows: Rows) -> float:
    return float((classifier.shares(rows.x[:, : classifier.n_features]).argmax(1) == rows.y).mean())


def _class(name: str, number: int, table: Table, choice: Choice) -> ClassReport:
    mine = table.y == number
    files = len(np.unique(table.file[mine]))
    held = mine & choice.checked & (choice.said >= 0)
    right = float((choice.said[held] == number).mean()) if held.any() and files >= FEW else None
    return ClassReport(name, files, int(mine.sum()), right)


def _least_sure(
    task: FewshotTask,
    reader: FeatureExtractor,
    data: Solids,
    others: list[str],
    table: Table,
    file_names: dict[str, str],
) -> list[str]:
    """Files without a label by how little sure a forest is of their rows (uncertainty sampling; Lewis and Gale 1994, "A
    sequential algorithm for training text classifiers"). One that has learned from its own answers on these files is
    sure of all of them, so another is asked."""
    classifier = CANDIDATES["forest"](table, 0) if others else None
    names = {file_of(uid): name for uid, name in file_names.items()}
    doubt: dict[str, list[float]] = {}
    for uid in others:
        x = every_row(task, reader, [data.batch([uid])])
        doubt.setdefault(names[file_of(uid)], []).append(float(1 - classifier.shares(x).max(1).mean()))  # type: ignore[union-attr]
    return sorted(doubt, key=lambda file: -np.mean(doubt[file]))[:NEXT]
