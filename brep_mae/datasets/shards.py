"""Face graphs on disk: Arrow IPC shards, memory-mapped, one row per solid.

Every array of schema.ARRAYS but the labels is one flat list column; its shape follows from the sizes of its axes stored
beside it. Labels lie in a folder of their own and are joined when a record is read. No CAD kernel and no pickle is
needed to read them.
"""

import hashlib
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import fields
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from brep_mae import schema
from brep_mae.datasets.labelling.labels import Labels, SolidLabels, labels_of
from brep_mae.schema import ARRAYS, UNLABELLED, FaceGraph

SUFFIX = ".arrow"
_VERSION_KEY = b"brep_mae.schema"
_LABELS = ("face_label", "part_label")
_STORED = {name: kind for name, kind in ARRAYS.items() if name not in _LABELS}
_SIZES = tuple(sorted({axis for _, axes in _STORED.values() for axis in axes if isinstance(axis, str)}))
_PLAIN = {
    "uid": pa.string(),
    "file": pa.string(),
    "solid": pa.int32(),
    "name": pa.string(),
    "unit_mm": pa.float64(),
    "face_name": pa.list_(pa.string()),
    "product": pa.string(),
    "assembly": pa.string(),
}
assert {f.name for f in fields(FaceGraph)} == {*_PLAIN, *_STORED, *_LABELS}


class ShardError(ValueError):
    """A folder or shard cannot be read; the message names it, the reason and the remedy."""


def _stored(dtype: str) -> np.dtype[Any]:
    return np.dtype("uint8" if dtype == "bool" else dtype)  # Arrow packs booleans into bits, which numpy cannot map


def write_shard(path: Path, graphs: Sequence[FaceGraph]) -> None:
    """Writes one shard in one step: after a crash there is either the whole file or none. Same records, same bytes,
    whatever their labels, which are not stored here."""
    columns = {name: pa.array([getattr(graph, name) for graph in graphs], kind) for name, kind in _PLAIN.items()}
    for size in _SIZES:
        columns[f"size_{size}"] = pa.array([_size(graph, size) for graph in graphs], pa.int32())
    for name, (dtype, _) in _STORED.items():
        flat = [np.ravel(getattr(graph, name)) for graph in graphs]
        offsets = np.array([0, *accumulate(len(part) for part in flat)], np.int64)
        values = np.concatenate(flat) if flat else np.zeros(0, dtype)
        columns[name] = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values.astype(_stored(dtype))))
    batch = pa.record_batch(columns)
    kind = batch.schema.with_metadata({_VERSION_KEY: str(schema.VERSION).encode()})
    temporary = path.with_suffix(".writing")
    with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, kind) as writer:
        writer.write_batch(pa.record_batch(list(columns.values()), schema=kind))
    os.replace(temporary, path)


def _size(graph: FaceGraph, axis: str) -> int:
    for name, (_, axes) in _STORED.items():
        if axis in axes:
            return int(getattr(graph, name).shape[axes.index(axis)])
    raise KeyError(axis)


def _column_types() -> dict[str, pa.DataType]:
    sizes = {f"size_{axis}": pa.int32() for axis in _SIZES}
    arrays = {name: pa.large_list(pa.from_numpy_dtype(_stored(dtype))) for name, (dtype, _) in _STORED.items()}
    return {**_PLAIN, **sizes, **arrays}


def _check_columns(batch: pa.RecordBatch) -> None:
    """Raises ValueError where a column is not of the type that is written: its bytes would be read as other numbers."""
    types = _column_types()
    found = {column.name: column.type for column in batch.schema}
    for name in sorted(types.keys() | found.keys()):
        if found.get(name) != types.get(name):
            raise ValueError(f"column {name} is {found.get(name, 'missing')}, not {types.get(name, 'known')}")
    batch.validate()
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count:
            raise ValueError(f"column {name} has {column.null_count} empty places")
        if name in _PLAIN:
            column.validate(full=True)  # texts are read by their offsets, which must lie inside of the file


class _Shard:
    """One memory-mapped file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        remedy = "run the parse stage again"
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            version = (reader.schema.metadata or {}).get(_VERSION_KEY, b"none").decode()
            if version != str(schema.VERSION):
                raise ShardError(f"{path}: schema version {version}, this program reads {schema.VERSION}; {remedy}")
            if reader.num_record_batches != 1:
                raise ShardError(f"{path}: {reader.num_record_batches} record batches, one is written; {remedy}")
            batch = reader.get_batch(0)
            _check_columns(batch)
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, ShardError):
                raise
            raise ShardError(f"{path}: not a complete shard ({error}); {remedy}") from None
        self.plain = {name: batch.column(name) for name in _PLAIN}
        self.sizes = {axis: batch.column(f"size_{axis}").to_numpy() for axis in _SIZES}
        self.arrays = {
            name: (batch.column(name).offsets.to_numpy(), batch.column(name).values.to_numpy().view(dtype))
            for name, (dtype, _) in _STORED.items()
        }

    def __len__(self) -> int:
        return len(self.plain["uid"])

    def read(self, row: int, labels: Labels) -> FaceGraph:
        values: dict[str, Any] = {name: column[row].as_py() for name, column in self.plain.items()}
        sizes = {axis: int(column[row]) for axis, column in self.sizes.items()}
        for name, (_, axes) in _STORED.items():
            offsets, flat = self.arrays[name]
            shape = tuple(sizes[axis] if isinstance(axis, str) else axis for axis in axes)
            start, end = int(offsets[row]), int(offsets[row + 1])
            if min(shape, default=0) < 0 or not 0 <= start <= end <= len(flat) or end - start != prod(shape):
                raise ShardError(
                    f"{self.path}: {values['uid']} holds {end - start} numbers as {name} of {shape}: the file is "
                    "damaged; run the parse stage again"
                )
            values[name] = flat[start:end].reshape(shape)
        known = labels.solids.get(values["uid"]) or SolidLabels(np.full(sizes["F"], UNLABELLED, np.int16))
        if len(known.faces) != sizes["F"]:
            raise ShardError(
                f"{self.path}: {values['uid']} has {sizes['F']} faces, its labels name {len(known.faces)}; "
                "run the label stage again"
            )
        return FaceGraph(**values, face_label=known.faces, part_label=known.part)


class Shards(Sequence[FaceGraph]):
    """All solids of a folder in stored order; arrays are read-only views into the mapped files."""

    def __init__(self, folder: Path, labels: Path | None) -> None:
        self.folder = Path(folder)
        self._labels_at = labels
        self.labels = labels_of(self.folder, labels)
        paths = sorted(self.folder.glob(f"*{SUFFIX}"))
        if not paths:
            raise ShardError(f"{folder}: holds no {SUFFIX} files; run the parse stage first")
        self._shards = [_Shard(path) for path in paths]
        self._ends = list(accumulate(len(shard) for shard in self._shards))
        self.uids: list[str] = [uid for shard in self._shards for uid in shard.plain["uid"].to_pylist()]
        self.files: list[str] = [file for shard in self._shards for file in shard.plain["file"].to_pylist()]

    def __len__(self) -> int:
        return len(self.uids)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        i %= len(self)
        shard = bisect_right(self._ends, i)
        return self._shards[shard].read(i - (self._ends[shard - 1] if shard else 0), self.labels)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_shards, (self.folder, self._labels_at)  # a data loader's process maps the files itself


def open_shards(folder: Path | str, labels: Path | None = None) -> Shards:
    """Maps every shard of the folder.

    Args:
        labels: folder of the labels that its records get; None = those in the folder itself, where there are any.

    Raises:
        ShardError: the folder or a shard of it cannot be read.
        LabelsError: the labels cannot be read.
    """
    return Shards(Path(folder), labels)


def read_shard(path: Path) -> list[FaceGraph]:
    """All solids of one shard, without labels. Raises ShardError where it cannot be read."""
    shard = _Shard(path)
    return [shard.read(row, Labels()) for row in range(len(shard))]


def digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of the shards, the identity of a parsed data set."""
    total = hashlib.sha256()
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        total.update(path.name.encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
