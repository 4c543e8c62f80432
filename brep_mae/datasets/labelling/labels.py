"""Labels of stored solids: a small table beside their shards, which every reader joins to them.

A shard holds no labels, so a corrected label costs no new parse, and what is pretrained without labels does not depend
on any. The table is one Arrow file with a row for every labelled solid; `labels.json` says what the numbers mean and
what became of every line or file that the labels came from.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from brep_mae.schema import UNLABELLED

FOLDER = "labels"
"""Where the labels of a folder of shards lie in it, unless they have a place of their own."""
TABLE, ABOUT = "labels.feather", "labels.json"
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


@dataclass(frozen=True)
class Labels:
    """Labels of a parsed data set.

    Args:
        face_classes, part_classes: names of the classes; () where the set has none.
        solids: uid -> its labels; a solid that is not in it has none.
        digest: SHA-256 of all of it.
    """

    face_classes: tuple[str, ...] = ()
    part_classes: tuple[str, ...] = ()
    solids: Mapping[str, SolidLabels] = field(default_factory=dict)
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
    """Reads a folder that `write_labels` filled. Raises LabelsError."""
    remedy = "run the label stage, or `brep-mae parse`, again"
    try:
        about = json.loads((folder / ABOUT).read_text())
        with pa.memory_map(str(folder / TABLE)) as source:
            table = pa.ipc.open_file(source).read_all()
        rows = zip(*(table.column(name).to_pylist() for name in _SCHEMA.names), strict=True)
        solids = {uid: SolidLabels(np.array(faces, np.int16), part, side) for uid, part, faces, side in rows}
        return Labels(tuple(about["face_classes"]), tuple(about["part_classes"]), solids, about["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:  # pa.ArrowInvalid is a ValueError
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"not complete ({error})"
        raise LabelsError(f"{folder}: holds no labels: {reason}; {remedy}") from None
