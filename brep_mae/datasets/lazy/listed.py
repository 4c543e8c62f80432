"""Lists with an entry for each file or solid, apart from what is read at every opening, so that this stays small."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from brep_mae.output.files import whole_file

REJECTS = "rejects.parquet"
"""What was left out of a folder, each with its reason."""
LEFT_OUT = pa.schema({"file": pa.string(), "solid": pa.int32(), "reason": pa.string(), "detail": pa.string()})
"""Columns of what was left out of a parse; `solid` is its number in the file, empty = the whole file."""


def write_list(path: Path, entries: Sequence[Mapping[str, Any]], columns: pa.Schema) -> None:
    """Writes an entry in each row, in their order; what is no UTF-8 in a text is written as \\udcff. Same entries, same
    bytes."""
    rows = [{name: _plain(value) for name, value in entry.items()} for entry in entries]
    with whole_file(path) as file:
        pq.write_table(pa.Table.from_pylist(rows, columns), file)


def _plain(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def read_list(path: Path, columns: pa.Schema, again: str) -> list[dict[str, Any]]:
    """What `write_list` wrote. Raises ValueError where it cannot be read.

    Args:
        again: what makes the file anew, as the message says it.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: not found, as in folders that an earlier version made; {again}") from None
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: no such list ({' '.join(str(error).split())}); {again}") from None
    if table.schema != columns:
        found = ", ".join(f"{field.name} ({field.type})" for field in table.schema)
        raise ValueError(f"{path}: its columns are {found}, not {', '.join(columns.names)}; {again}")
    entries: list[dict[str, Any]] = table.to_pylist()
    return entries
