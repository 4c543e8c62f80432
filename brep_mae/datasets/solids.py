"""Any folder of CAD files; their classes from labels.csv, where one lies in it.

labels.csv has the columns file, solid, face, class. `file` is relative to the folder; `solid` and `face` are numbers,
as `brep-mae inspect --json` gives them. An empty `solid` is the first one; an empty `face` names the class of the whole
solid. What it does not name stays unlabelled.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from brep_mae.datasets.source import LabelError, Source, SourceError, cad_files
from brep_mae.schema import UNLABELLED, FaceGraph

LABELS = "labels.csv"
COLUMNS = ("file", "solid", "face", "class")


@dataclass
class _Named:
    """What the file says of one solid: class by number of a face, and its own."""

    faces: dict[int, str] = field(default_factory=dict)
    part: str = ""


def open(path: str, limit: int, work: Path) -> Source:
    root = Path(path)
    if not root.is_dir():
        raise SourceError(f"{path}: not a folder; point dataset.path at the folder that holds the CAD files")
    return source(root, cad_files(root, limit))


def source(root: Path, files: list[Path]) -> Source:
    """These files of a folder, labelled by its labels.csv. Raises SourceError for one that can't be read."""
    path = root / LABELS
    if not path.is_file():
        return Source("solids", "unknown", root, files, (), (), label=lambda graph: graph)
    named = _read(path)
    face_classes = sorted({label for solid in named.values() for label in solid.faces.values()})
    part_classes = sorted({solid.part for solid in named.values()} - {""})

    def label(graph: FaceGraph) -> FaceGraph:
        solid = named.get((graph.file, graph.solid), _Named())
        if solid.faces and max(solid.faces) > max(graph.face_parent):
            raise LabelError(
                f"{graph.file}: solid {graph.solid} has no face {max(solid.faces)}, only 0 to {max(graph.face_parent)}"
            )
        found = [face_classes.index(solid.faces[i]) if i in solid.faces else UNLABELLED for i in graph.face_parent]
        part = part_classes.index(solid.part) if solid.part else UNLABELLED
        return replace(graph, face_label=np.array(found, np.int16), part_label=part)

    return Source("solids", "unknown", root, files, tuple(face_classes), tuple(part_classes), label, (path,))


def _read(path: Path) -> dict[tuple[str, int], _Named]:
    named: dict[tuple[str, int], _Named] = defaultdict(_Named)
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise SourceError(f"{path}: its first line is not {','.join(COLUMNS)}; write it so")
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            name, number, face, label = (str(row[column] or "").strip() for column in COLUMNS)
            if not (path.parent / name).is_file():
                raise SourceError(f"{where}: no file {name!r} in this folder; mend the name or drop the line")
            if not label or not all(text.isdecimal() for text in (number or "0", face or "0")):
                raise SourceError(f"{where}: solid {number!r}, face {face!r}, class {label!r}: two numbers and a name?")
            solid = named[name, int(number or 0)]
            known = solid.faces.get(int(face)) if face else solid.part
            if known and known != label:
                raise SourceError(f"{where}: it says {label}, an earlier line {known}; keep one of them")
            if face:
                solid.faces[int(face)] = label
            else:
                solid.part = label
    return dict(named)
