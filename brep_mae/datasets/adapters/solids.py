"""A folder of any CAD files, or a tar archive of one; their classes from the files `labels.csv` in it, if any.

labels.csv has the columns file, solid, face, class, and split if wanted. `file` is relative to the folder that
labels.csv lies in; `solid` and `face` are numbers, as `brep-mae inspect --json` gives them. An empty `solid` is the
first one; an empty `face` names the class of the whole solid. What it does not name stays unlabelled, as does a line
whose `class` is empty. `split` is the side on which a task has the solid: train, validation or test; empty is train
where other solids have one.
With the columns file, class alone a line is about every solid of its file; what another table says of one solid goes
before it.
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from brep_mae.cad_files import Found
from brep_mae.datasets.archive import folder_of
from brep_mae.datasets.labelling.file_names import FileNames
from brep_mae.datasets.labelling.label_table import read_table
from brep_mae.datasets.source import LabelError, Row, Source, cad_files
from brep_mae.schema import UNLABELLED, FaceGraph

LABELS = "labels.csv"


@dataclass(frozen=True)
class _Label:
    """What one line says: the class of a face, or of the solid where `face` is None; and the solid's side, if any."""

    row: Row
    face: int | None
    name: str
    side: str

    @property
    def says(self) -> list[tuple[tuple[object, ...], str]]:
        """What it is about, and its word on that, which no other line may contradict."""
        solid = self.row.file, self.row.solid
        return [((*solid, self.face), self.name)] + ([(solid, self.side)] if self.side else [])


def open(path: str, limit: int, work: Path) -> Source:
    root = folder_of(path, work, "solids")
    return source(root, cad_files(root, limit, is_table))


def given(paths: list[Path], table: Path | None = None) -> Source:
    """The files and folders that were given, with the tables in the folders and beside and above what was given, as far
    as all of it has one folder in common. Raises SourceError where a folder holds no CAD file.

    Args:
        table: the one table of labels that counts, wherever it lies; its names are relative to the folder that all of
            it has in common, or to the table's own.
    """
    root = Path(os.path.commonpath({path if path.is_dir() else path.parent for path in paths}))
    found = Found()
    for path in paths:
        found.add(cad_files(path, 0, is_table) if path.is_dir() else Found(files=[path]))
    holding = {folder for path in paths for folder in path.parents if folder.is_relative_to(root)}
    found.add(Found(beside=[path for folder in holding for path in folder.iterdir() if is_table(path.name)]))
    if table is not None:
        found.beside = [table]
    return source(root, found)


def is_table(name: str) -> bool:
    """True for the name of a table of labels, whatever its case."""
    return name.lower() == LABELS


def source(root: Path, found: Found) -> Source:
    """What was found in a folder: CAD files, and beside them tables of labels. Raises SourceError for a table that
    can't be read as one."""
    labels = _labels(root, FileNames(root, [path.relative_to(root).as_posix() for path in found.files]), found.beside)
    named: dict[tuple[str, int | None], dict[int | None, str]] = defaultdict(dict)
    for one in labels:
        if not one.row.problem:
            named[one.row.file, one.row.solid][one.face] = one.name
    classes = [(face is None, name) for solid in named.values() for face, name in solid.items()]
    face_classes, part_classes = (sorted({name for part, name in classes if part is of}) for of in (False, True))

    def label(graph: FaceGraph) -> FaceGraph:
        solid = named.get((graph.file, None), {}) | named.get((graph.file, graph.solid), {})
        faces = {face: name for face, name in solid.items() if face is not None}
        if faces and max(faces) > max(graph.face_parent):
            raise LabelError(
                f"{graph.file}: solid {graph.solid} has no face {max(faces)}, only 0 to {max(graph.face_parent)}, so "
                "its labels are meant for another one"
            )
        found = [face_classes.index(faces[i]) if i in faces else UNLABELLED for i in graph.face_parent.tolist()]
        part = part_classes.index(solid[None]) if None in solid else UNLABELLED
        return replace(graph, face_label=np.array(found, np.int16), part_label=part)

    return Source(
        name="solids",
        licence="unknown",
        root=root,
        files=found.files,
        face_classes=tuple(face_classes),
        part_classes=tuple(part_classes),
        label=label,
        rows=[one.row for one in labels],
        label_files=tuple(found.beside),
        left_out=found.left_out,
        sides={(one.row.file, one.row.solid): one.side for one in labels if one.side and not one.row.problem},
    )


def _labels(root: Path, names: FileNames, tables: list[Path]) -> list[_Label]:
    """Every line of the tables. Where lines disagree, neither is used, for nobody knows which of them is right."""
    found: list[_Label] = []
    for table in tables:
        given_in = os.path.relpath(table, root)
        folders = [table.parent] if table.parent.is_relative_to(root) else [root, table.parent]
        for line in read_table(table):
            if not line.label and not line.problem:  # to be filled in yet
                continue
            meant = [names.find(line.file, folder) for folder in folders]
            file, unknown = next((one for one in meant if not one[1]), meant[0])
            problem = line.problem or unknown
            solid = None if line.solid is None else 0 if line.problem else int(line.solid or 0)
            face = int(line.face) if line.face and not line.problem else None
            found.append(_Label(Row(given_in, line.number, file, solid, problem), face, line.label, line.side))
    said: dict[tuple[object, ...], dict[str, Row]] = defaultdict(dict)
    for one in found:
        for about, word in one.says if not one.row.problem else ():
            said[about].setdefault(word, one.row)
    return [replace(one, row=_disputed(one, said)) if not one.row.problem else one for one in found]


def _disputed(one: _Label, said: Mapping[tuple[object, ...], dict[str, Row]]) -> Row:
    """The line's row, with a problem where another line says something else."""
    for about, word in one.says:
        for other, row in said[about].items():
            if other != word:
                where = f"line {row.line}" if row.given_in == one.row.given_in else f"{row.given_in}, line {row.line}"
                return replace(one.row, problem=f"it says {word}, but {where} says {other}; keep one of them")
    return one.row
