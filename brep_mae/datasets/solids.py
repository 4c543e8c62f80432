"""Any folder of CAD files; their classes from the files `labels.csv` in it, where there are any.

labels.csv has the columns file, solid, face, class, and split if wanted. `file` is relative to the folder that
labels.csv lies in; `solid` and `face` are numbers, as `brep-mae inspect --json` gives them. An empty `solid` is the
first one; an empty `face` names the class of the whole solid. What it does not name stays unlabelled. `split` is the
side on which a task has the solid: train, validation or test; empty is train where other solids have one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from brep_mae.datasets.file_names import FileNames
from brep_mae.datasets.label_table import read_table
from brep_mae.datasets.source import LabelError, Row, Source, SourceError, cad_files
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
    root = Path(path)
    if not root.is_dir():
        raise SourceError(f"{path}: not a folder; point dataset.path at the folder that holds the CAD files")
    return source(root, cad_files(root, limit), tables([root], root))


def tables(given: Iterable[Path], root: Path) -> list[Path]:
    """Every labels.csv in the folders given, at any depth, and in those that hold what is given, up to the root."""
    given = list(given)
    below = (path for folder in given if folder.is_dir() for path in folder.rglob("*"))
    holding = {folder for path in given for folder in path.parents if folder.is_relative_to(root)}
    beside = (path for folder in holding for path in folder.iterdir())
    return sorted({path for path in (*below, *beside) if path.name.lower() == LABELS and path.is_file()})


def source(root: Path, files: list[Path], tables: list[Path]) -> Source:
    """These files of a folder, labelled by these tables. Raises SourceError for a table that can't be read as one."""
    labels = _labels(root, FileNames(root, [path.relative_to(root).as_posix() for path in files]), tables)
    named: dict[tuple[str, int | None], dict[int | None, str]] = defaultdict(dict)
    for one in labels:
        if not one.row.problem:
            named[one.row.file, one.row.solid][one.face] = one.name
    classes = [(face is None, name) for solid in named.values() for face, name in solid.items()]
    face_classes, part_classes = (sorted({name for part, name in classes if part is of}) for of in (False, True))

    def label(graph: FaceGraph) -> FaceGraph:
        solid = named.get((graph.file, graph.solid), {})
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
        "solids",
        "unknown",
        root,
        files,
        tuple(face_classes),
        tuple(part_classes),
        label,
        rows=[one.row for one in labels],
        label_files=tuple(tables),
        sides={(one.row.file, one.row.solid): one.side for one in labels if one.side and not one.row.problem},
    )


def _labels(root: Path, names: FileNames, tables: list[Path]) -> list[_Label]:
    """Every line of the tables. Where lines disagree, neither is used, for nobody knows which of them is right."""
    found: list[_Label] = []
    for table in tables:
        given_in = table.relative_to(root).as_posix()
        for line in read_table(table):
            file, unknown = names.find(line.file, table.parent)
            problem = line.problem or unknown
            solid, face = (0, None) if line.problem else (int(line.solid or 0), int(line.face) if line.face else None)
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
