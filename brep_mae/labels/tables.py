"""Tables of labels for the solids of CAD files: empty ones to be filled in, and those whose classes a file says itself.

A table opens in a spreadsheet, which runs what begins like a formula; names from files are written so that none does.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from brep_mae.datasets.labelling.label_table import COLUMNS
from brep_mae.output.files import write_whole, written
from brep_mae.schema import NO_COLOR, SURFACE_TYPES, FaceGraph

Row = tuple[Any, ...]
FORMULA = ("=", "+", "-", "@")

OF_FACES = (*COLUMNS, "surface", "area_mm2", "name")
OF_SOLIDS = (*COLUMNS, "faces", "name")
"""Columns of tables that are to be filled in: after `class` come those for people, which nobody reads."""


class NothingToRead(ValueError):
    """No face says its class; the message says what was looked for."""


def empty_rows(graph: FaceGraph, unit: Literal["face", "solid"]) -> Iterator[Row]:
    """The rows of one solid, in the columns OF_FACES or OF_SOLIDS, each class empty."""
    if unit == "solid":
        yield _file(graph.file), graph.solid, "", "", graph.n_faces, _text(graph.name or graph.product)
        return
    for face, (kind, area) in enumerate(zip(graph.face_type, graph.face_area_mm2, strict=True)):
        surface, name = SURFACE_TYPES[kind], _text(graph.face_name[face])
        yield _file(graph.file), graph.solid, face, "", surface, f"{area:.6g}", name


def empty_file_row(file: str) -> Row:
    """The row of a file, in the columns `label_table.OF_FILES`."""
    return _file(file), ""


def by_name(graph: FaceGraph) -> Iterator[Row]:
    """A row in COLUMNS for each face that the file names: the name is the class."""
    for face, name in enumerate(graph.face_name):
        if label := _text(name):
            yield _file(graph.file), graph.solid, face, label


def by_color(graph: FaceGraph) -> Iterator[Row]:
    """A row in COLUMNS for each face that has a colour of its own, or that of its solid: #rrggbb is the class."""
    for face, color in enumerate(graph.face_color.tolist()):
        if NO_COLOR not in color:
            yield _file(graph.file), graph.solid, face, "#{:02x}{:02x}{:02x}".format(*color)


SAID_BY: dict[str, Callable[[FaceGraph], Iterator[Row]]] = {"names": by_name, "colours": by_color}


def write_said(path: Path, graphs: Iterable[FaceGraph], by: str) -> int:
    """Writes the table of what the faces say of themselves; returns the number of its rows.

    Args:
        by: one of SAID_BY.

    Raises:
        NothingToRead: there is no such row; nothing is written.
    """
    rows = [row for graph in graphs for row in SAID_BY[by](graph)]
    if not rows:
        raise NothingToRead(f"no face has a {by.removesuffix('s')}; write the table with `brep-mae labels template`")
    return write_table(path, COLUMNS, rows)


def write_table(path: Path, columns: tuple[str, ...], rows: Iterable[Row]) -> int:
    """Writes the whole table in one step; returns the number of its rows. Raises OutputError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    with written(path):
        write_whole(path, text.getvalue())
    return count


def _file(name: str) -> str:
    return f"./{name}" if name.startswith(FORMULA) else name


def _text(name: str) -> str:
    """On one line."""
    text = " ".join(name.replace("\0", "").split())
    return f"'{text}" if text.startswith(FORMULA) else text
