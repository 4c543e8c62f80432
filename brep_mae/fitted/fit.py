"""A few labelled parts, and others beside them -> a model, and what is to be expected of it.

Cross-validation on the labelled parts chooses how to learn (candidates.py). Parts that the labels put on the side
`test` are never learned from, and tell in the end how well the model does on parts that it has not seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from brep_mae.answers import Unit
from brep_mae.checkpoints.backbones import require_grid
from brep_mae.datasets.derived.files import Files, file_of
from brep_mae.datasets.labelling.labels import Labels
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.fitted.candidates import CANDIDATES, FEW, Choice, Table, candidates, choose
from brep_mae.fitted.model import FittedModel, extractor
from brep_mae.fitted.network import Network
from brep_mae.fitted.rows import Rows, every_row, labelled_rows
from brep_mae.fitted.start import start_from
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.extractors.joined import Joined
from brep_mae.schema import UNLABELLED

NEXT = 5
"""Parts that are named as those to label next."""
LEARNED_FROM = 10_000
"""Most unlabelled rows that are learned from: more cost time and add little."""


class FitError(ValueError):
    """Nothing can be learned from these labels; the message says why, and the remedy."""


@dataclass(frozen=True)
class ClassReport:
    """One class: `files` and `rows` (faces, solids, files) that show it; `right` is the share of its rows that were
    told right when they were held out, or its F1 where a row may show several classes; None where too few files show
    it."""

    name: str
    files: int
    rows: int
    right: float | None


@dataclass(frozen=True)
class FitReport:
    """What was learned from, and what to expect.

    Args:
        unit: what has a class.
        several: True = a solid or file may show several; all scores are F1 over pairs of a row and a class then.
        files, rows: that are labelled and were learned from.
        unlabelled: files without a label that were at hand.
        head: the candidate that was chosen, and `scores`, what each of them had right when rows were held out.
        expected: share of rows that the model should get right on parts like these, with `spread`, its standard
            deviation over folds; None where labels are too few to tell. `commonest` = always saying the commonest.
        test: share of right rows of parts on the side `test`; None = there are none.
        next: files to label next, the one that the model is least sure of first.
    """

    unit: Unit
    several: bool
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
    known = labels.solids
    if (known.faces != UNLABELLED).any():
        return "face"
    uids = open_shards(shards).uids
    part = np.append(known.part, UNLABELLED)[known.rows(uids)]  # ABSENT picks the last
    file = pc.list_element(pc.split_pattern(uids.column, "#"), 0).dictionary_encode().indices.to_numpy()
    solids = np.bincount(file)
    lowest, highest = np.full((2, len(solids)), [[np.iinfo(part.dtype).max], [UNLABELLED]], part.dtype)
    np.minimum.at(lowest, file, part)
    np.maximum.at(highest, file, part)
    labelled = highest != UNLABELLED
    one_class = (lowest == highest)[labelled].all()
    return "file" if one_class and (solids[labelled] > 1).any() else "solid"


def fit(
    shards: Path,
    unit: Unit | None,
    encoder: Path | None,
    seed: int = 0,
    on_fold: Callable[[int, int], None] = lambda done, all: None,
    fine_tune: bool = False,
) -> tuple[FittedModel, list[Path]]:
    """Learns from the labelled parts of a folder of shards.

    Args:
        unit: what has a class; None = as the labels have it.
        encoder: checkpoint whose codes stand beside plain features; or a fitted model, which is compared as it is and
            together with what is learned where the labels name no class but its own, and else lends its first encoder;
            None = plain features alone.
        fine_tune: True = a network is compared as well, the encoder (of several the first) trained on the labelled
            parts.

    Returns:
        the model; the encoders whose codes its classifier reads, with their weights or with what was made of them.

    Raises:
        FitError: there is nothing to learn from these labels.
        CheckpointError, ValueError: the encoder cannot be read, or reads other grids.
    """
    stored = open_shards(shards)
    labels = stored.labels
    unit = unit or unit_of(labels, shards)
    several = unit != "face" and not labels.part_classes
    named = labels.face_classes if unit == "face" or several else labels.part_classes
    if not named:
        raise FitError(f"no {unit} has a class; name the classes in labels.csv (`brep-mae labels template` writes one)")
    if fine_tune and several:
        raise FitError(f"a network learns one class of each {unit}, and these may show several: leave out --fine-tune")
    start = start_from(encoder, unit, several, named)
    if fine_tune and not start.encoders:
        raise FitError("there is no encoder to train: name one with --encoder, or leave out --fine-tune")
    for each in start.encoders:
        require_grid(each, shards)
    classes, reader = start.classes, extractor(*start.encoders)
    data = _samples(shards, unit, stored.uids, readable(reader))
    kept_back = {file_of(uid) for uid in labels.solids.on_side("test")}  # with all that a file holds
    known = list(zip(data.uids, data.labelled(data.uids), strict=True))
    learned = [uid for uid, labelled in known if labelled and file_of(uid) not in kept_back]
    others = [uid for uid, labelled in known if not labelled and file_of(uid) not in kept_back]
    tested = [uid for uid, labelled in known if labelled and file_of(uid) in kept_back]

    def rows_of(uids: list[str], reader: FeatureExtractor = reader) -> Rows:
        return labelled_rows(unit, len(classes) if several else 0, reader, data, uids)

    if not learned:
        raise FitError(
            f"no {unit} to learn from has a class; name the classes of some parts that are not on the side test"
        )
    files = sorted({file_of(uid) for uid in [*learned, *tested]})
    if seen := {*files} & {*start.learned_from}:
        raise FitError(
            f"{encoder}: has learned from {len(seen)} of the {len(files)} labelled files, so that its answers for them "
            f"say nothing of parts that it has not seen; name what it was fitted from, or an encoder"
        )
    rows = rows_of(learned)
    table = _table(unit, reader, data, rows, learned, others, len(classes), seed)
    table = replace(table, known=start.known)
    if fine_tune:
        trained = extractor(start.encoders[0])
        assert isinstance(trained, Joined)
        table = replace(table, network=Network(unit, len(classes), trained, data, learned, rows.sample))
    shown = [name for number, name in enumerate(classes) if table.files_of(number)]
    if len(shown) < 2:
        only = f"the only one is {shown[0]}" if shown else "there is none"
        raise FitError(f"{len(table.y)} labelled {unit}s show fewer than two classes ({only}): label parts of others")
    choice = choose(table, seed, on_fold)
    chosen = candidates(table)[choice.name](table, seed)
    classifier = chosen.classifier
    report = FitReport(
        unit=unit,
        several=several,
        files=len(np.unique(table.file)),
        rows=len(table.y),
        unlabelled=len({file_of(uid) for uid in others}),
        head=choice.name,
        scores=choice.scores,
        expected=choice.expected,
        spread=choice.spread,
        commonest=choice.commonest,
        test=None,
        classes=[_class(name, number, table, choice) for number, name in enumerate(classes)],
        next=_least_sure(unit, reader, data, others, table, dict(zip(stored.uids, stored.files, strict=True))),
    )
    if tested:
        rows = rows_of(tested, chosen.reader or reader)
        said = table.said(classifier.shares(rows.x[:, : classifier.n_features]))
        kept = Table(rows.x, rows.y, rows.sample, table.others, table.plain, len(classes))
        report = replace(report, test=kept.score(said, np.arange(len(said)), np.arange(len(classes))))
    grid = int(stored[0].face_grid.shape[1])
    encoders = list(start.encoders) if classifier.n_features > table.plain else []
    read = chosen.reader or extractor(*encoders)
    seen_by_it = tuple(sorted({*files, *start.learned_from}))
    model = FittedModel(unit, several, classes, read, classifier, grid, report.as_json(), seen_by_it)
    return model, encoders[:1] if chosen.reader else encoders


def _samples(shards: Path, unit: Unit, uids: Sequence[str], reads: frozenset[str]) -> Solids:
    if unit == "file":
        return Files(shards, list(dict.fromkeys(file_of(uid) for uid in uids)), reads)
    return Solids(shards, None, uids, reads)


def _table(
    unit: Unit,
    reader: FeatureExtractor,
    data: Solids,
    rows: Rows,
    uids: list[str],
    others: list[str],
    n_classes: int,
    seed: int,
) -> Table:
    _, file_number = np.unique([file_of(uid) for uid in uids], return_inverse=True)
    beside = every_row(unit, reader, data, others)
    if len(beside) > LEARNED_FROM:
        beside = beside[np.random.default_rng(seed).choice(len(beside), LEARNED_FROM, replace=False)]
    plain = every_row(unit, extractor(), data, uids[:1]).shape[1]
    return Table(rows.x, rows.y, file_number[rows.sample], beside, plain, n_classes)


def _class(name: str, number: int, table: Table, choice: Choice) -> ClassReport:
    mine, files = table.shows(number), table.files_of(number)
    right = None
    if files >= FEW and choice.expected is not None:
        if table.several:
            right = table.score(choice.said, np.flatnonzero(choice.checked), np.array([number]))
        else:
            right = float((choice.said[mine & choice.checked] == number).mean())
    return ClassReport(name, files, int(mine.sum()), right)


def _least_sure(
    unit: Unit,
    reader: FeatureExtractor,
    data: Solids,
    others: list[str],
    table: Table,
    file_names: dict[str, str],
) -> list[str]:
    """Files without a label by how little sure a forest is of their rows (uncertainty sampling; Lewis and Gale 1994, "A
    sequential algorithm for training text classifiers"). One that has learned from its own answers on these files is
    sure of all of them, so another is asked."""
    if not others:
        return []
    classifier = CANDIDATES["forest"](table, 0).classifier
    names = {file_of(uid): name for uid, name in file_names.items()}
    doubt: dict[str, list[float]] = {}
    for uid in others:
        shares = classifier.shares(every_row(unit, reader, data, [uid]))
        sure = np.maximum(shares, 1 - shares).min(1) if table.several else shares.max(1)
        doubt.setdefault(names[file_of(uid)], []).append(float(1 - sure.mean()))
    return sorted(doubt, key=lambda file: -np.mean(doubt[file]))[:NEXT]
