"""Face graphs on disk: Arrow IPC shards, memory-mapped, one row per solid.

Every array of schema.ARRAYS but the labels is one flat list column; its shape follows from the sizes of its axes stored
beside it. Labels lie in a folder of their own and are joined when a record is read. No CAD kernel and no pickle is
needed to read them. An index beside the shards says which solid lies where, so that a folder of a million opens as one
of a hundred, and a shard is mapped when a solid of it is first asked for.
"""

import hashlib
import os
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from brep_mae import schema
from brep_mae.datasets.labelling.labels import labels_of
from brep_mae.datasets.lazy.index import SUFFIX, open_index
from brep_mae.datasets.lazy.shard import PLAIN, SIZES, STORED, VERSION_KEY, Shard, ShardError, stored_type
from brep_mae.datasets.lazy.uids import ABSENT, Uids
from brep_mae.schema import FaceGraph

OPEN = 4096
"""Shards that stay mapped, those that were read last; each takes 2 kB and no file handle."""


def write_shard(path: Path, graphs: Sequence[FaceGraph]) -> None:
    """Writes one shard in one step: after a crash there is either the whole file or none. Same records, same bytes,
    whatever their labels, which are not stored here."""
    columns = {name: pa.array([getattr(graph, name) for graph in graphs], kind) for name, kind in PLAIN.items()}
    for size in SIZES:
        columns[f"size_{size}"] = pa.array([_size(graph, size) for graph in graphs], pa.int32())
    for name, (dtype, _) in STORED.items():
        flat = [np.ravel(getattr(graph, name)) for graph in graphs]
        offsets = np.array([0, *accumulate(len(part) for part in flat)], np.int64)
        values = np.concatenate(flat) if flat else np.zeros(0, dtype)
        stored = values.astype(stored_type(dtype), copy=False)
        columns[name] = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(stored))
    batch = pa.record_batch(columns)
    kind = batch.schema.with_metadata({VERSION_KEY: str(schema.VERSION).encode()})
    temporary = path.with_suffix(".writing")
    with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, kind) as writer:
        writer.write_batch(pa.record_batch(list(columns.values()), schema=kind))
    os.replace(temporary, path)


def _size(graph: FaceGraph, axis: str) -> int:
    for name, (_, axes) in STORED.items():
        if axis in axes:
            return int(getattr(graph, name).shape[axes.index(axis)])
    raise KeyError(axis)


class Shards(Sequence[FaceGraph]):
    """All solids of a folder in stored order; arrays are read-only views into the mapped files."""

    def __init__(self, folder: Path, labels: Path | None) -> None:
        self.folder = Path(folder)
        self._labels_at = labels
        self.labels = labels_of(self.folder, labels)
        self.lookup = open_index(self.folder)
        self._ends = list(accumulate(rows for _, rows, _ in self.lookup.shards))
        self._shard = lru_cache(OPEN)(self._mapped)

    @property
    def uids(self) -> Uids:
        return self.lookup.uids

    @property
    def files(self) -> Uids:
        """Name of the file of every solid."""
        return self.lookup.files

    def __len__(self) -> int:
        return len(self.lookup)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        i %= len(self)
        number = bisect_right(self._ends, i)
        shard = self._shard(number)
        labels = self._label_rows[i]
        known = None if labels == ABSENT else self.labels.solids.classes(labels)
        return shard.read(i - self._ends[number] + len(shard), known)

    @cached_property
    def _label_rows(self) -> memoryview:
        """Row of the labels of each solid, ABSENT = it has none, so that none is searched for by uid. 4 MB for a
        million, found in one pass."""
        return self.labels.solids.rows(self.uids).data

    def _mapped(self, number: int) -> Shard:
        name, rows, _ = self.lookup.shards[number]
        shard = Shard(self.folder / name)
        if len(shard) != rows:
            raise ShardError(f"{shard.path}: holds {len(shard)} solids, not {rows}; run the parse stage again")
        return shard

    def with_uid(self, uid: str) -> FaceGraph:
        """The solid of that name. KeyError where there is none."""
        graph: FaceGraph = self[self.lookup.row(uid)]
        return graph

    def __reduce__(self) -> tuple[Any, ...]:
        return open_shards, (self.folder, self._labels_at)  # a data loader's process maps the files itself


def open_shards(folder: Path | str, labels: Path | None = None) -> Shards:
    """Opens the folder; its shards are mapped one by one as they are read.

    Args:
        labels: folder of the labels that its records get; None = those in the folder itself, where there are any.

    Raises:
        ShardError: the folder cannot be read, or a shard of it, then or when a solid of that shard is asked for.
        LabelsError: the labels cannot be read.
    """
    return Shards(Path(folder), labels)


def read_shard(path: Path) -> list[FaceGraph]:
    """All solids of one shard, without labels. Raises ShardError where it cannot be read."""
    shard = Shard(path)
    return [shard.read(row, None) for row in range(len(shard))]


def digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of the shards, the identity of a parsed data set."""
    total = hashlib.sha256()
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        total.update(path.name.encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
