"""Which solid lies where in a folder of shards: one mapped Arrow file, so that opening a folder reads no shard."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from brep_mae import schema
from brep_mae.datasets.lazy.mapped import mapped_batch, require_columns, stamp
from brep_mae.datasets.lazy.order import WHOLE
from brep_mae.datasets.lazy.shard import REMEDY, ShardError, open_batch
from brep_mae.datasets.lazy.uids import ABSENT, ByUid, Uids, sorted_rows
from brep_mae.output.files import whole_file

SUFFIX, INDEX = ".arrow", "index.feather"
_KEY = b"brep_mae.index"
_SCHEMA = pa.schema({"uid": pa.large_string(), "file": pa.large_string(), "by_uid": pa.uint32()})


@dataclass(frozen=True)
class Index(ByUid):
    """The solids of a folder, in stored order.

    Args:
        files: of every solid.
        shards: (name, solids, bytes) of each.
    """

    files: Uids
    shards: Sequence[tuple[str, int, int]]

    def own(self, split: Mapping[str, Uids]) -> dict[str, Uids]:
        """The same uids by their rows here, so that theirs need not stay in memory: a side of up to WHOLE in its order,
        a larger one in stored order, by which a training reads few shards at a time. KeyError where one is not here.

        Args:
            split: sides that are rows of one column.
        """
        column = next(iter(split.values())).column
        every = len(column) == len(self) and column.equals(self.uids.column.take(pa.array(self.by_uid)))
        pa.default_memory_pool().release_unused()  # of the copy that was compared
        rows = self.by_uid if every else self.rows(Uids(column, np.arange(len(column))))
        if len(missing := np.flatnonzero(rows == ABSENT)):
            first = Uids(column, missing)[0]
            raise KeyError(f"{len(missing)} solids of the split are not stored, first {first}; parse again")
        sides = {side: rows[uids.rows] for side, uids in split.items()}
        return {side: self.some(own if len(own) <= WHOLE else np.sort(own)) for side, own in sides.items()}


def write_index(folder: Path) -> None:
    """Writes the index of a folder's shards beside them. Same shards, same bytes. Raises ShardError."""
    batch = _made(_shards(folder))
    with whole_file(folder / INDEX) as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def open_index(folder: Path) -> Index:
    """The index in a folder of shards; where none was written, as for a folder put together by hand, one is made in
    memory. Raises ShardError where it is not that of the shards that are there."""
    paths, at = _shards(folder), folder / INDEX
    if not at.is_file():
        return _index(_made(paths))
    index = _mapped(at, stamp(at))
    there = [(path.name, path.stat().st_size) for path in paths]
    if there != [(name, size) for name, _, size in index.shards]:
        changed = min({*there} ^ {(name, size) for name, _, size in index.shards})[0]
        raise ShardError(f"{folder / changed}: is not the shard that {INDEX} speaks of; {REMEDY}")
    return index


@lru_cache(8)
def _mapped(at: Path, _: object) -> Index:
    """One for all that read a folder, so that uids that were chosen in it are known to be its own."""
    try:
        batch = mapped_batch(at)
        require_columns(batch, _SCHEMA)
        return _index(batch)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise ShardError(f"{at}: no index of shards ({error}); delete it, or {REMEDY}") from None


def _shards(folder: Path) -> list[Path]:
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    if not paths:
        raise ShardError(f"{folder}: holds no {SUFFIX} files; run the parse stage first")
    return paths


def _made(paths: Sequence[Path]) -> pa.RecordBatch:
    texts, shards = [], []
    for path in paths:
        batch, _ = open_batch(path)
        texts.append(batch.select(["uid", "file"]))
        shards.append((path.name, batch.num_rows, os.stat(path).st_size))
    columns = [pa.concat_arrays([batch.column(i).cast(pa.large_string()) for batch in texts]) for i in (0, 1)]
    about = json.dumps({"schema": schema.VERSION, "shards": shards})
    batch = pa.record_batch([*columns, sorted_rows(columns[0])], _SCHEMA.with_metadata({_KEY: about}))
    batch.validate(full=True)
    return batch


def _index(batch: pa.RecordBatch) -> Index:
    about = json.loads(batch.schema.metadata[_KEY])
    if about["schema"] != schema.VERSION:
        raise ValueError(f"schema version {about['schema']}, this program reads {schema.VERSION}")
    every = range(batch.num_rows)
    uid, file, by_uid = batch.columns
    return Index(Uids(uid, every), by_uid.to_numpy(), Uids(file, every), [tuple(shard) for shard in about["shards"]])
