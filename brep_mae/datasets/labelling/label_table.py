"""The text of a table of labels, as spreadsheets write it: separated by commas, semicolons or tabs; UTF-8 or UTF-16."""

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from brep_mae.datasets.source import SourceError
from brep_mae.datasets.splits import SIDES

COLUMNS = ("file", "solid", "face", "class")
OF_FILES = ("file", "class")
"""The columns of a table that names a class for each file, whatever number of solids it holds."""
SPLIT = "split"
"""A column more, which may be left out: the side of the split that the solid is on."""
NOTES = ("name", "surface", "area_mm2", "faces", "share")
"""Columns for people, which say nothing about labels and may be left out."""
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SAVE = "remedy: save it again as UTF-8, which spreadsheets call 'CSV UTF-8'"


@dataclass(frozen=True)
class Line:
    """One line, as it was written but for blanks around its fields; `solid` None = every one of the file; `label` "" =
    not labelled yet. `problem` says what is wrong with its form."""

    number: int
    file: str
    solid: str | None
    face: str
    label: str
    side: str = ""
    problem: str = ""


def read_table(path: Path) -> list[Line]:
    """All lines after the header but for blank ones. Raises SourceError where the file is no such table."""
    text = _text(path)
    header = text.lstrip().split("\n", 1)[0].strip()
    separator = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[Line] = []
    columns: list[str] | None = None
    try:
        for fields in rows:
            values = [value.strip() for value in fields]
            if not any(values):
                continue
            if columns is None:
                columns = [value.lower() for value in values]
                if not _known(columns):
                    break
                continue
            problem = f"it has {len(values)} fields, not {len(columns)}" if len(values) != len(columns) else ""
            lines.append(_line(rows.line_num, dict(zip(columns, values, strict=False)), problem))
    except csv.Error as error:
        raise SourceError(f"{path}, line {rows.line_num}: not a table: {error}; remedy: mend the line") from None
    if columns is None or not _known(columns):
        known = f"{','.join(COLUMNS)} or {','.join(OF_FILES)}"
        raise SourceError(f"{path}: its first line is not {known} but {header[:80]!r}; remedy: write it so")
    return lines


def _known(columns: list[str]) -> bool:
    columns = [column for column in columns if column not in NOTES]
    return sorted(columns) in [sorted((*known, *more)) for known in (COLUMNS, OF_FILES) for more in ((), (SPLIT,))]


def _line(number: int, values: dict[str, str], problem: str) -> Line:
    file, face, label, side = (values.get(column, "") for column in ("file", "face", "class", SPLIT))
    solid = values.get("solid")
    return Line(number, file, solid, face, label, side, problem or _problem(solid or "", face, side))


def _problem(solid: str, face: str, side: str) -> str:
    if not all(text.isascii() and text.isdigit() for text in (solid or "0", face or "0")):
        return f"solid {solid!r} and face {face!r} must be whole numbers from 0, or empty"
    return "" if side in ("", *SIDES) else f"split {side!r} is none of {', '.join(SIDES)}"


def _text(path: Path) -> str:
    """Raises SourceError where the file is not text, or where its bytes do not say which letters they are."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}; remedy: make it readable") from None
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SourceError(f"{path}, line {line}: not {encoding[:6].upper()} ({error.reason}); {_SAVE}") from None
    if "\0" in text:
        raise SourceError(f"{path}: not UTF-8, it holds zero bytes; {_SAVE}")
    return text
