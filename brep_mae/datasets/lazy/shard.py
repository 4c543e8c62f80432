"""One shard: the columns that it has, and a record read out of the mapped file."""

from dataclasses import fields
from functools import cached_property
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from brep_mae import schema
from brep_mae.schema import ARRAYS, FaceGraph

VERSION_KEY = b"brep_mae.schema"
LABELS = ("face_label", "part_label")
STORED = {name: kind for name, kind in ARRAYS.items() if name not in LABELS}
SIZES = tuple(sorted({axis for _, axes in STORED.values() for axis in axes if isinstance(axis, str)}))
TEXTS = ("uid", "file", "name", "product", "assembly")
PLAIN = {
    "uid": pa.string(),
    "file": pa.string(),
    "solid": pa.int32(),
    "name": pa.string(),
    "unit_mm": pa.float64(),
    "face_name": pa.list_(pa.string()),
    "product": pa.string(),
    "assembly": pa.string(),
}
assert {f.name for f in fields(FaceGraph)} == {*PLAIN, *STORED, *LABELS}
REMEDY = "run the parse stage again"


class ShardError(ValueError):
    """A folder or shard cannot be read; the message names it, the reason and the remedy."""


def stored_type(dtype: str) -> np.dtype[Any]:
    return np.dtype("uint8" if dtype == "bool" else dtype)  # Arrow packs booleans into bits, which numpy cannot map


_INT, _LONG, _DOUBLE, _BYTE = (np.dtype(kind) for kind in (np.int32, np.int64, np.float64, np.uint8))
_KINDS = {_INT, _LONG, _DOUBLE, _BYTE, *(stored_type(dtype) for dtype, _ in STORED.values())}
_ARRAYS = {name: (i, stored_type(kind), np.dtype(kind), axes) for i, (name, (kind, axes)) in enumerate(STORED.items())}
"""Number of each array, its type in the file and in a record, and its axes."""
_TYPES = {
    **PLAIN,
    **{f"size_{axis}": pa.int32() for axis in SIZES},
    **{name: pa.large_list(pa.from_numpy_dtype(stored_type(dtype))) for name, (dtype, _) in STORED.items()},
}


def open_batch(path: Path) -> tuple[pa.RecordBatch, pa.Buffer]:
    """The columns of a shard as they lie in the mapped file, and the file itself. It needs no file handle any more.

    Raises ShardError where it is not complete, of another version or not what is written here.
    """
    try:
        with pa.memory_map(str(path)) as source:
            whole = source.read_buffer()
        reader = pa.ipc.open_file(pa.BufferReader(whole))
        version = (reader.schema.metadata or {}).get(VERSION_KEY, b"none").decode()
        if version != str(schema.VERSION):
            raise ShardError(f"{path}: schema version {version}, this program reads {schema.VERSION}; {REMEDY}")
        if reader.num_record_batches != 1:
            raise ShardError(f"{path}: {reader.num_record_batches} record batches, one is written; {REMEDY}")
        batch = reader.get_batch(0)
        _check_columns(batch)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, ShardError):
            raise
        raise ShardError(f"{path}: not a complete shard ({error}); {REMEDY}") from None
    return batch, whole


def _check_columns(batch: pa.RecordBatch) -> None:
    """Raises ValueError where a column is not of the type that is written: its bytes would be read as other numbers."""
    found = dict(zip(batch.schema.names, batch.schema.types, strict=True))
    for name in sorted(_TYPES.keys() | found.keys()):
        if found.get(name) != _TYPES.get(name):
            raise ValueError(f"column {name} is {found.get(name, 'missing')}, not {_TYPES.get(name, 'known')}")
    batch.validate()
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if empty := column.null_count or (name in STORED and column.values.null_count):
            raise ValueError(f"column {name} has {empty} empty places")


class Shard:
    """One mapped file. Of it stays in memory where its columns begin, about 3 kB; records are views into the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        batch, whole = open_batch(path)
        self._rows, everything = batch.num_rows, np.frombuffer(whole, np.uint8)
        self._file = {
            kind: everything[: len(everything) // kind.itemsize * kind.itemsize].view(kind) for kind in _KINDS
        }

        def place(name: str, buffer: int, kind: Any) -> tuple[int, int]:
            """Where a buffer of a column begins, and its length, in numbers of that type."""
            found, size = batch.column(name).buffers()[buffer], np.dtype(kind).itemsize
            if found is None or not found.size:
                return 0, 0
            at = found.address - whole.address
            if not 0 <= at <= whole.size - found.size or at % size:
                raise ShardError(f"{path}: column {name} does not lie in the file as it is; {REMEDY}")
            return at // size, found.size // size

        self._sizes = {axis: place(f"size_{axis}", 1, np.int32)[0] for axis in SIZES}
        self._numbers = {
            "solid": (_INT, place("solid", 1, np.int32)[0]),
            "unit_mm": (_DOUBLE, place("unit_mm", 1, _DOUBLE)[0]),
        }
        self._lists = place("face_name", 1, _INT)[0]
        texts = [(name, *((1, 2) if name in TEXTS else (3, 4))) for name in (*TEXTS, "face_name")]
        self._texts = {name: (place(name, ends, _INT)[0], *place(name, data, _BYTE)) for name, ends, data in texts}
        arrays = [(place(name, 1, _LONG)[0], *place(name, 3, kind)) for name, (_, kind, _, _) in _ARRAYS.items()]
        self._arrays = np.array(arrays)  # not a tuple for each, since many shards are open

    def __len__(self) -> int:
        return self._rows

    def read(self, row: int, labels: tuple[np.ndarray, int] | None) -> FaceGraph:
        """The record in a row. Raises ShardError where it is damaged, then or when a damaged array is asked for.

        Args:
            labels: classes of its faces, (F,) int16, and its own; None = it has none.
        """
        graph = object.__new__(StoredGraph)
        vars(graph).update(_shard=self, _row=row)
        if labels is not None:
            known, part = labels
            if len(known) != (faces := self._size("F", row)):
                raise ShardError(
                    f"{self.path}: {self.plain('uid', row)} has {faces} faces, its labels name {len(known)}; "
                    "run the label stage again"
                )
            vars(graph).update(face_label=known, part_label=part)
        return graph

    def plain(self, name: str, row: int) -> Any:
        """A value that is no array."""
        if name in self._numbers:
            kind, at = self._numbers[name]
            return self._file[kind][at + row].item()
        first, last, ints = row, row + 1, self._file[_INT]
        if name == "face_name":
            first, last = ints[self._lists + row : self._lists + row + 2].tolist()
        ends_at, at, size = self._texts[name]
        ends = ints[ends_at + first : ends_at + last + 1].tolist()
        if not ends or not 0 <= ends[0] <= ends[-1] <= size:
            raise ShardError(f"{self.path}: {name} in row {row} is damaged; {REMEDY}")
        raw = self._file[_BYTE][at + ends[0] : at + ends[-1]].tobytes()
        try:
            texts = [raw[a - ends[0] : b - ends[0]].decode() for a, b in pairwise(ends)]
        except UnicodeDecodeError as error:
            raise ShardError(f"{self.path}: {name} in row {row} is damaged ({error}); {REMEDY}") from None
        return texts if name == "face_name" else texts[0]

    def array(self, name: str, row: int) -> np.ndarray:
        number, stored, dtype, axes = _ARRAYS[name]
        offsets_at, at, count = self._arrays[number].tolist()
        first, last = self._file[_LONG][offsets_at + row : offsets_at + row + 2].tolist()
        shape = [self._size(axis, row) if isinstance(axis, str) else axis for axis in axes]
        if min(shape, default=0) < 0 or not 0 <= first <= last <= count or last - first != prod(shape):
            raise ShardError(
                f"{self.path}: {self.plain('uid', row)} holds {last - first} numbers as {name} of {tuple(shape)}: the "
                f"file is damaged; {REMEDY}"
            )
        return self._file[stored][at + first : at + last].view(dtype).reshape(shape)

    def _size(self, axis: str, row: int) -> int:
        return int(self._file[_INT][self._sizes[axis] + row])


class StoredGraph(FaceGraph):
    """A record that is looked up in its shard bit by bit, as it is asked for."""

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there yet."""
        if name == "face_label":
            return vars(self).setdefault(name, np.full(self.n_faces, schema.UNLABELLED, np.int16))
        if name not in STORED and name not in PLAIN:
            raise AttributeError(name)
        look_up = self._shard.array if name in STORED else self._shard.plain
        return vars(self).setdefault(name, look_up(name, self._row))

    product = cached_property(
        lambda self: self._shard.plain("product", self._row)
    )  # its default hides it from the above
    assembly = cached_property(lambda self: self._shard.plain("assembly", self._row))

    def __reduce__(self) -> tuple[Any, ...]:
        return FaceGraph, tuple(getattr(self, each.name) for each in fields(FaceGraph))
