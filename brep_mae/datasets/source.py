"""What a data set is to the parse stage: a list of files, and labels for what was read from them."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from brep_mae import plugins
from brep_mae.cad_files import SUFFIXES, Found, Store, search
from brep_mae.schema import UNLABELLED, FaceGraph


class SourceError(ValueError):
    """A data set cannot be opened; the message names the path, the reason and the remedy."""


class LabelError(ValueError):
    """The labels do not fit the faces of a solid; the message says how."""


@dataclass(frozen=True)
class Row:
    """One line of a table of labels, or one file of labels, and what it is about.

    Args:
        given_in: name of the file it was read from, relative to the data set's root.
        line: its number in that file; None = the whole file.
        file: name of the CAD file, as records have it.
        solid: number in the CAD file; None = every one.
        problem: why it labels nothing whatever was parsed; "" where it can be used.
    """

    given_in: str
    line: int | None
    file: str
    solid: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class Source:
    """One data set before parsing.

    Args:
        licence: of the data, as its publisher states it.
        root: records name their file relative to this folder.
        files: sorted.
        face_classes, part_classes: names of the labels, () where the set has none.
        label: fills face_label and part_label; raises LabelError where they do not fit.
        rows: where the labels come from, each one that was given.
        label_files: files that hold the labels.
        sides: (file, number of a solid, None = every one) -> the side of the split that its labels name.
        left_out: (folder, reason, detail) of each folder that was not looked into.
        split: file -> side on which its publisher has it; empty where there is no published split.
        store: where the files come from; None = they lie in `root`.
    """

    name: str
    licence: str
    root: Path
    files: list[Path]
    face_classes: tuple[str, ...]
    part_classes: tuple[str, ...]
    label: Callable[[FaceGraph], FaceGraph]
    rows: Sequence[Row] = ()
    label_files: tuple[Path, ...] = ()
    sides: Mapping[tuple[str, int | None], str] = field(default_factory=dict)
    left_out: Sequence[tuple[Path, str, str]] = ()
    split: Mapping[str, str] = field(default_factory=dict)
    store: Store | None = None


def open_source(name: str, path: str, limit: int, work: Path) -> Source:
    """Opens the data set whose adapter is `adapters/<name>.py`. SettingsError names those that there are.

    Args:
        path: folder or archive.
        limit: at most so many files, 0 = all; a fair sample that is the same every time.
        work: folder for what has to be unpacked.
    """
    source: Source = plugins.load(plugins.ADAPTERS, name).open(path, limit, work)
    return source


def cad_files(root: Path, limit: int, beside: Callable[[str], bool] = lambda name: False) -> Found:
    """What `search` finds in a folder; of a larger number of CAD files, those whose names hash lowest."""
    found = search(root, beside)
    if not found.files:
        left_out = "".join(f"; {reason}: {detail}" for _, reason, detail in found.left_out[:3])
        raise SourceError(
            f"{root}: holds no CAD file{left_out}; known suffixes are {', '.join(SUFFIXES)}; name another folder"
        )
    if 0 < limit < len(found.files):
        # The split hashes the same names: without a word of its own the sample would lie in one side of the split.
        by_hash = sorted(
            found.files, key=lambda p: hashlib.sha256(b"limit " + os.fsencode(p.relative_to(root))).digest()
        )
        found.files = sorted(by_hash[:limit])
    return found


def with_labels(graph: FaceGraph, by_name: Mapping[int, int], part: int = UNLABELLED) -> FaceGraph:
    """Joins labels to faces by the name that the STEP file gives to each face, which is a number.

    Args:
        by_name: number in the name -> class; must be met by exactly one face of the file each. Where closed faces were
            split, the parts of one face share its name and get its class.
    """
    numbers = _numbers(graph.face_name)
    in_file = sorted(number for _, number in set(zip(graph.face_parent.tolist(), numbers, strict=True)))
    if len(in_file) != len(by_name):
        raise LabelError(f"{graph.file}: {len(in_file)} faces but {len(by_name)} labels")
    if set(in_file) != set(by_name):
        raise LabelError(f"{graph.file}: face names are not the label numbers, each once: {in_file[:8]}...")
    labels = np.array([by_name[number] for number in numbers], np.int16)
    return replace(graph, face_label=labels, part_label=part)


def renamed(source: Source, names: Mapping[str, str]) -> Source:
    """The data set with other names for its face classes, in the order of `names`: its own name -> the other one.

    Raises SourceError for a class that is not among them.
    """
    if unknown := [name for name in source.face_classes if name not in names]:
        raise SourceError(
            f"{source.root}: has the class {unknown[0]}, which has no other name; name it in face_classes"
        )
    number = np.array([*(list(names).index(name) for name in source.face_classes), UNLABELLED], np.int16)

    def label(graph: FaceGraph) -> FaceGraph:
        labelled = source.label(graph)
        return replace(labelled, face_label=number[labelled.face_label])  # UNLABELLED picks the last

    return replace(source, face_classes=tuple(names.values()), label=label)


def _numbers(names: Iterable[str]) -> list[int]:
    names = list(names)
    if bad := [name for name in names if not name.isascii() or not name.isdigit()]:
        raise LabelError(f"{len(bad)} of {len(names)} faces have no number for a name, first {bad[0]!r}")
    return [int(name) for name in names]
