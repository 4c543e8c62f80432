"""Labels of stored solids: a small table beside their shards, which every reader joins to them.

A shard holds no labels, so a corrected label costs no new parse, and what is pretrained without labels does not depend
on any. The table is one Arrow file with a row for every labelled solid, which is mapped, so that labels of a million
solids open as those of a hundred; `labels.json` says what the numbers mean and how many lines or files of labels came
to what. `unused.parquet` lists those that label nothing, each with its reason; who reads labels does not open it.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brep_mae.datasets.lazy.mapped import mapped_batch, require_columns, stamp
from brep_mae.datasets.lazy.uids import ByUid, Uids, by_uid, rows_in
from brep_mae.schema import UNLABELLED

FOLDER = "labels"
"""Where the labels of a folder of shards lie in it, unless they have a place of their own."""
TABLE, ABOUT, UNUSED = "labels.feather", "labels.json", "unused.parquet"
TOGETHER = 1 << 16
"""Solids whose faces are looked through at once: more would take memory for each."""
UNUSED_COLUMNS = pa.schema({"file": pa.string(), "line": pa.int64(), "reason": pa.string()})
_SCHEMA = pa.schema({"uid": pa.string(), "part": pa.int32(), "faces": pa.list_(pa.int16()), "side": pa.string()})


class LabelsError(ValueError):
    """A folder of labels cannot be read; the message names it, the reason and the remedy."""


@dataclass(frozen=True)
class SolidLabels:
    """Labels of one solid: the class of every face, (F,) int16, and its own; UNLABELLED where there is none. `side` of
    the split, where whoever labelled it named one, else ""."""

    faces: np.ndarray
    part: int = UNLABELLED
    side: str = ""

    @property
    def any(self) -> bool:
        return self.part != UNLABELLED or bool((self.faces != UNLABELLED).any())


class StoredLabels(Mapping[str, SolidLabels]):
    """The labels of each solid by its uid, read out of the mapped table when they are asked for.

    Args:
        table: a row for every labelled solid.

    Shapes: N rows with F faces in all -> `part` (N,) and `faces` (F,) their classes, UNLABELLED where there is none.
    """

    def __init__(self, table: pa.RecordBatch) -> None:
        uid, part, faces, side = table.columns
        self.uids, self._sides = (Uids(column, range(len(column))) for column in (uid, side))
        self.part, self.faces, self._ends = part.to_numpy(), faces.values.to_numpy(), faces.offsets.to_numpy()

    @cached_property
    def lookup(self) -> ByUid:
        return by_uid(self.uids.column)

    def __len__(self) -> int:
        return len(self.uids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.uids)

    def __getitem__(self, uid: str) -> SolidLabels:
        """KeyError where the solid has none."""
        row = self.lookup.row(uid)
        return SolidLabels(*self.classes(row), self._sides[row])

    def rows(self, uids: Sequence[str]) -> np.ndarray:
        """Rows of many solids, ABSENT = it has none. (len(uids),) int32"""
        return rows_in(self.uids.column, uids)

    def classes(self, row: int) -> tuple[np.ndarray, int]:
        """Those of the faces, (F,) int16, and of the solid itself in a row, UNLABELLED where there is none."""
        return self.faces[self._ends[row] : self._ends[row + 1]], int(self.part[row])

    def on_side(self, side: str) -> Uids:
        """The solids that whoever labelled them put there."""
        return Uids(self.uids.column, np.flatnonzero(pc.equal(self._sides.column, side).to_numpy(zero_copy_only=False)))

    def shown(self, classes: int) -> np.ndarray:
        """Which face classes the solid of each row shows. (N, classes) bool"""
        found = np.zeros((len(self), classes + 1), bool)  # UNLABELLED picks the last
        for first in range(0, len(self), TOGETHER):
            ends = self._ends[first : first + TOGETHER + 1]
            rows = np.repeat(np.arange(first, first + len(ends) - 1), np.diff(ends))
            found[rows, self.faces[ends[0] : ends[-1]]] = True
        return found[:, :classes]


def _none() -> StoredLabels:
    return StoredLabels(pa.RecordBatch.from_pylist([], schema=_SCHEMA))


@dataclass(frozen=True)
class Labels:
    """Labels of a parsed data set.

    Args:
        face_classes, part_classes: names of the classes; () where the set has none.
        solids: those that have any.
        digest: SHA-256 of all of it.
    """

    face_classes: tuple[str, ...] = ()
    part_classes: tuple[str, ...] = ()
    solids: StoredLabels = field(default_factory=_none)
    digest: str = ""


@dataclass(frozen=True)
class LabelReport:
    """What became of the labels that came with a data set.

    Args:
        rows: lines of a table of labels, or files of labels, that were given.
        used: those that label a stored solid.
        faces, solids: that got a label; a solid counts where it or any of its faces has one.
        parts: solids that got a class of their own.
        unused: one {file, line, reason} for each other row, and for each file that should have labels and has none;
            `line` is None where the whole file is meant.
    """

    rows: int
    used: int
    faces: int
    solids: int
    parts: int
    unused: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.used} of {self.rows} rows, {self.faces} faces, {self.solids} solids labelled"

    def counts(self) -> dict[str, int]:
        """What is kept where many read it: of what was not used, how many there are."""
        return vars(self) | {"unused": len(self.unused)}

    def lines(self, most: int = 10) -> list[str]:
        """What was not used, for a person."""
        found = [
            f"{u['file']}{'' if u['line'] is None else ', line ' + str(u['line'])}: {u['reason']}" for u in self.unused
        ]
        return found if len(found) <= most else [*found[:most], f"and {len(found) - most} more"]


def write_labels(
    folder: Path,
    face_classes: tuple[str, ...],
    part_classes: tuple[str, ...],
    solids: Mapping[str, SolidLabels],
    report: Mapping[str, Any],
) -> None:
    """Writes the labels of the solids by uid; those without any label are left out. Same labels, same bytes."""
    there = {uid: labels for uid, labels in solids.items() if labels.any}
    rows = [(uid, one.part, one.faces, one.side) for uid, one in there.items()]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in _SCHEMA]
    batch = pa.record_batch([pa.array(c, kind) for c, kind in zip(columns, _SCHEMA.types, strict=True)], schema=_SCHEMA)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{TABLE}"
    with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
        writer.write_batch(batch)
    total = hashlib.sha256(json.dumps([face_classes, part_classes]).encode() + temporary.read_bytes())
    os.replace(temporary, folder / TABLE)
    about = {"face_classes": face_classes, "part_classes": part_classes, "digest": total.hexdigest(), **report}
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n")


def labels_of(shards: Path, folder: Path | None = None) -> Labels:
    """The labels in `folder`, or where that is None those in the folder of the shards; none where there are none.

    Raises LabelsError for a folder of labels that cannot be read.
    """
    beside = shards / FOLDER
    return open_labels(folder or beside) if folder or beside.is_dir() else Labels()


def open_labels(folder: Path) -> Labels:
    """Opens a folder that `write_labels` filled; its table is mapped. Raises LabelsError."""
    at = folder / ABOUT
    try:
        about = json.loads(at.read_text())
        face_classes, part_classes, digest = tuple(about["face_classes"]), tuple(about["part_classes"]), about["digest"]
        at = folder / TABLE
        return Labels(face_classes, part_classes, _mapped(at, stamp(at)), digest)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"not complete ({error})"
        raise LabelsError(f"{at}: holds no labels: {reason}; run the label stage, or `brep-mae parse`, again") from None


@lru_cache(8)
def _mapped(at: Path, _: object) -> StoredLabels:
    """One for all that read a table, so that its uids are sorted once."""
    batch = mapped_batch(at)
    require_columns(batch, _SCHEMA)
    return StoredLabels(batch)
