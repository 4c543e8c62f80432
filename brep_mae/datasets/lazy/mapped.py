"""Arrow files that are mapped: opening one reads little, and the system takes its pages back when memory is short."""

from pathlib import Path

import pyarrow as pa


def mapped_batch(path: Path) -> pa.RecordBatch:
    """What an Arrow file of one batch holds, as it lies on the disk; it needs no file handle any more.

    Texts and offsets are checked, so that no look-up leaves the file. Raises OSError or ValueError where it is damaged.
    """
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    if reader.num_record_batches != 1:
        raise ValueError(f"{reader.num_record_batches} record batches, one is written")
    batch = reader.get_batch(0)
    batch.validate(full=True)
    return batch


def require_columns(batch: pa.RecordBatch, expected: pa.Schema) -> None:
    """Raises ValueError where the columns are not these, or have empty places."""
    if batch.schema != expected:
        raise ValueError(f"its columns are {', '.join(f'{field.name} ({field.type})' for field in batch.schema)}")
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if empty := column.null_count + (column.values.null_count if pa.types.is_list(column.type) else 0):
            raise ValueError(f"column {name} has {empty} empty places")


def stamp(path: Path) -> tuple[int, int, int]:
    """Another one where the file was written anew, so that what was mapped of the old one is not taken for it."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
