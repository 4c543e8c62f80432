"""Turntable frames on disk: Arrow files, memory-mapped, any solid's frames in one look-up. No CAD kernel needed.

A folder holds parts of up to PART_SOLIDS solids. A record is a uid and two zstd blocks, compressed one solid at a
time: frames are mostly white, and Arrow's own compression would unpack a whole batch to read one solid.
"""

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa

from brep_mae.datasets.lazy.mapped import mapped_batch, require_columns, stamp
from brep_mae.datasets.lazy.uids import Uids, by_uid

VERSION = 1
"""Raised whenever a stored record changes its meaning."""

PART_SOLIDS = 512

_CODEC = pa.Codec("zstd", compression_level=3)
_COLUMNS = [pa.field("uid", pa.string()), pa.field("image", pa.large_binary()), pa.field("face", pa.large_binary())]


def _part(path: Path) -> tuple[pa.RecordBatch, tuple[int, int]]:
    """A part and its (views, size); raises ValueError for a damaged file, or one of another kind or version."""
    try:
        batch = mapped_batch(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path}: not an Arrow file of frames ({error}); delete it and render again") from None
    metadata = batch.schema.metadata or {}
    found = metadata.get(b"frames_version", b"none").decode()
    if found != str(VERSION):
        raise ValueError(f"{path}: frames of version {found}, expected {VERSION}; render the solids again")
    try:
        require_columns(batch, pa.schema(_COLUMNS))
    except ValueError as error:
        raise ValueError(f"{path}: no frames ({error}); delete it and render again") from None
    return batch, (int(metadata[b"views"]), int(metadata[b"size"]))


class FrameStore:
    """The frames in `folder`, by uid. `views` T per solid, each `size` x `size` pixels; `uids` in stored order.

    Cheap to open and to hand to another process: only the uids are read before a solid is asked for.
    Raises FileNotFoundError where nothing is stored, ValueError where a part has another version or size.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        parts = sorted(folder.glob("part-*.arrow"))
        if not parts:
            raise FileNotFoundError(f"{folder}: holds no frames; render the solids first")
        self._parts: list[pa.RecordBatch] = []
        for path in parts:
            batch, found = _part(path)
            if not self._parts:
                self.views, self.size = found
            if found != (self.views, self.size):
                raise ValueError(
                    f"{path}: {found[0]} views of {found[1]} pixels, but {parts[0].name} has {self.views} of "
                    f"{self.size}; render into an empty folder"
                )
            self._parts.append(batch)
        self._ends = np.cumsum([len(batch) for batch in self._parts])
        self.lookup = by_uid(pa.concat_arrays([batch["uid"] for batch in self._parts]))

    @property
    def uids(self) -> Uids:
        return self.lookup.uids

    def __len__(self) -> int:
        return len(self.uids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.uids)

    def __contains__(self, uid: str) -> bool:
        return uid in self.lookup

    def __getitem__(self, uid: str) -> tuple[np.ndarray, np.ndarray]:
        """Image (T, H, W, 3) uint8 and face number (T, H, W) int16, -1 = background; fresh arrays."""
        shape = (self.views, self.size, self.size)
        pixels = self.views * self.size**2
        image, face = self.blocks(uid)
        return (
            np.frombuffer(_CODEC.decompress(image, 3 * pixels), np.uint8).reshape(*shape, 3),
            np.frombuffer(_CODEC.decompress(face, 2 * pixels), "<i2").reshape(shape),
        )

    def blocks(self, uid: str) -> tuple[pa.Buffer, pa.Buffer]:
        """The compressed image and face, as they lie on the disk."""
        row = self.lookup.row(uid)
        number = int(self._ends.searchsorted(row, "right"))
        part = self._parts[number]
        row += len(part) - int(self._ends[number])
        return part["image"][row].as_buffer(), part["face"][row].as_buffer()

    def __reduce__(self) -> tuple[Callable[[Path], "FrameStore"], tuple[Path]]:
        return open_frames, (self.folder,)


def open_frames(folder: Path) -> FrameStore:
    """The frames that a `FrameWriter` left in `folder`; one store for all that read the same parts. Raises what
    `FrameStore` does."""
    return _opened(folder, tuple(stamp(path) for path in sorted(folder.glob("part-*.arrow"))))


@lru_cache(8)
def _opened(folder: Path, _: object) -> FrameStore:
    return FrameStore(folder)


class FrameWriter:
    """Appends frames to `folder`; a context manager. Every part appears whole or not at all.

    A folder that holds parts of the same views and size is continued, and `uids` tells which solids it has; one with
    another version or size is a ValueError. Equal records in equal order from an empty folder give equal bytes.
    """

    def __init__(self, folder: Path, views: int, size: int):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.views, self.size = folder, views, size
        self._rows: list[tuple[str, bytes, bytes]] = []
        self._part = 0
        self.uids: set[str] = set()
        if existing := sorted(folder.glob("part-*.arrow")):
            store = open_frames(folder)
            if (store.views, store.size) != (views, size):
                raise ValueError(
                    f"{folder}: holds {store.views} views of {store.size} pixels, not {views} of {size}; "
                    "delete it or render elsewhere"
                )
            self._part = int(existing[-1].stem.removeprefix("part-")) + 1
            self.uids = set(store.uids)

    def add(self, uid: str, image: np.ndarray, face: np.ndarray) -> None:
        """Stores one solid's frames: image (T, H, W, 3) uint8, face (T, H, W) int16."""
        shape = (self.views, self.size, self.size)
        for array, wanted, dtype in ((image, (*shape, 3), "u1"), (face, shape, "i2")):
            if array.shape != wanted or array.dtype != np.dtype(dtype):
                raise ValueError(f"{uid}: frames are {array.dtype} {array.shape}, expected {np.dtype(dtype)} {wanted}")
        blocks = (_CODEC.compress(array.tobytes(), asbytes=True) for array in (image, face.astype("<i2", copy=False)))
        self._append(uid, *blocks)

    def copy(self, store: FrameStore, uid: str) -> None:
        """Takes over a record of another store of the same views and size."""
        if (store.views, store.size) != (self.views, self.size):
            raise ValueError(f"{store.folder}: {store.views} views of {store.size} pixels cannot go to {self.folder}")
        self._append(uid, *(block.to_pybytes() for block in store.blocks(uid)))

    def _append(self, uid: str, image: bytes, face: bytes) -> None:
        if uid in self.uids:
            raise ValueError(f"{uid}: already in {self.folder}")
        self.uids.add(uid)
        self._rows.append((uid, image, face))
        if len(self._rows) == PART_SOLIDS:
            self.flush()

    def flush(self) -> None:
        """Writes what is waiting as a part of its own."""
        if not self._rows:
            return
        metadata = {"frames_version": str(VERSION), "views": str(self.views), "size": str(self.size)}
        columns = [pa.array(column, f.type) for column, f in zip(zip(*self._rows, strict=True), _COLUMNS, strict=True)]
        batch = pa.record_batch(columns, pa.schema(_COLUMNS, metadata))
        path = self.folder / f"part-{self._part:05d}.arrow"
        partial = path.with_suffix(".partial")
        try:
            with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
                writer.write_batch(batch)
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)  # on a full disk even half a part is in the way
            raise
        self._part += 1
        self._rows.clear()

    def __enter__(self) -> "FrameWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.flush()
