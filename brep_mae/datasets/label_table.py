"""The text of a table of labels, as spreadsheets write it: separated by commas, semicolons or tabs; UTF-8 or UTF-16."""

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from brep_mae.datasets.source import SourceError

COLUMNS = ("file", "solid", "face", "class")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SAVE = "remedy: save it again as UTF-8, which spreadsheets call 'CSV UTF-8'"


@dataclass(frozen=True)
class Line:
    """One line, as it was written but for blanks around its fields. `problem` says what is wrong with its form."""

    number: int
    file: str
    solid: str
    face: str
    label: str
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
                if sorted(columns) != sorted(COLUMNS):
                    break
                continue
            lines.append(_line(rows.line_num, dict(zip(columns, values, strict=False)), len(values)))
    except csv.Error as error:
        raise SourceError(f"{path}, line {rows.line_num}: not a table: {error}; remedy: mend the line") from None
    if columns is None or sorted(columns) != sorted(COLUMNS):
        raise SourceError(f"{path}: its first line is not {','.join(COLUMNS)} but {header[:80]!r}; remedy: write it so")
    return lines


def _line(number: int, values: dict[str, str], fields: int) -> Line:
    file, solid, face, label = (values.get(column, "") for column in COLUMNS)
    problem = ""
    if fields != len(COLUMNS):
        problem = f"it has {fields} fields, not {len(COLUMNS)}"
    elif not all(text.isascii() and text.isdigit() for text in (solid or "0", face or "0")):
        problem = f"solid {solid!r} and face {face!r} must be whole numbers from 0, or empty"
    elif not label:
        problem = "it names no class"
    return Line(number, file, solid, face, label, problem)


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
