"""Stored solids -> batches, in an order that depends on seed and step alone, so that training resumes exactly."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from brep_mae.datasets.batch import Batch, Faces, Frames, collate
from brep_mae.datasets.content import kinds
from brep_mae.datasets.frames import open_frames
from brep_mae.datasets.from_graph import from_graph
from brep_mae.datasets.lazy.order import drawn
from brep_mae.datasets.lazy.uids import ABSENT, Texts
from brep_mae.datasets.shards import open_shards
from brep_mae.schema import FaceGraph

KEEP = 2 << 30
"""Bytes of tensors that stay in memory, about 100 kB for most solids and 100 MB for the largest; what goes beyond is
read from disk every time."""


class Samples(ABC):
    """What a training draws its batches from, by `uids`; the subclass says what a batch of some of them holds."""

    uids: Sequence[str]
    kinds = 1
    """Kinds of samples that no batch holds together."""

    @abstractmethod
    def batch(self, uids: Sequence[str]) -> Batch: ...

    def labelled(self, uids: Sequence[str]) -> np.ndarray:
        """(len(uids),) bool, True where a batch would hold a label of that sample, or of a face of it."""
        return np.zeros(len(uids), bool)

    def only(self, uids: Sequence[str]) -> Self:
        """Those of them."""
        few = copy.copy(self)
        few.uids = _unchanging(uids)
        return few

    def first(self, n: int) -> Self:
        """The first `n` of them."""
        return self.only(self.uids[:n])

    def thinned(self, n: int) -> Self:
        """At most `n` of them, the same ones every time, spread evenly over their order."""
        return self.only([self.uids[i * len(self) // n] for i in range(n)] if n < len(self) else self.uids)

    def capped(self, batches: int, size: int) -> Self:
        """So many of them that `in_order(size)` makes at most `batches` batches, the same ones every time."""
        return self.thinned(batches * size)

    def __len__(self) -> int:
        return len(self.uids)

    def in_order(self, size: int) -> Iterator[Batch]:
        """Every sample once, for evaluation."""
        for start in range(0, len(self.uids), size):
            yield self.batch(self.uids[start : start + size])

    def at_step(self, seed: int, step: int, size: int) -> Batch:
        """The training batch of a step: epochs are independent shuffles, and a batch never crosses two epochs."""
        return self.batch([self.uids[i] for i in drawn(seed, step, size, len(self.uids))])


def _unchanging(uids: Sequence[str]) -> Sequence[str]:
    return uids if isinstance(uids, Texts) else tuple(uids)


class Solids(Samples):
    """The stored solids of one split.

    Args:
        shards: folder written by the parse stage.
        frames: folder written by the render stage, or None where images are not needed.
        uids: which solids; the order is kept.
        read: names in datasets/content.py; a batch holds that content alone.
        labels: folder of their labels; None = that in `shards`, where there is one.
    """

    def __init__(
        self,
        shards: Path,
        frames: Path | None,
        uids: Sequence[str],
        read: frozenset[str],
        labels: Path | None = None,
    ) -> None:
        self.read, self._kinds = read, kinds(read)
        self._shards = open_shards(shards, labels)
        self._frames = open_frames(frames) if "frames" in read and frames is not None else None
        rows = self._shards.lookup.rows(uids)
        if len(missing := np.flatnonzero(rows == ABSENT)):
            first = uids[missing[0]]
            raise KeyError(f"{shards}: {len(missing)} solids of the split are not stored, first {first}; parse again")
        self.uids = self._shards.lookup.some(rows)
        self._kept: dict[str, Faces] = {}
        self._left = KEEP

    def reading(self, content: frozenset[str]) -> Self:
        """The same solids with other content."""
        other = copy.copy(self)
        other.read, other._kinds, other._kept, other._left = content, kinds(content), {}, KEEP
        return other

    def labelled(self, uids: Sequence[str]) -> np.ndarray:
        found: np.ndarray = self._shards.labels.solids.rows(uids) != ABSENT
        return found

    def graph(self, uid: str) -> FaceGraph:
        return self._shards.with_uid(uid)

    def faces(self, uid: str) -> Faces:
        if uid not in self._kept:
            faces = from_graph(self.graph(uid), self.read)
            if (size := faces.nbytes) > self._left:
                return faces
            self._left -= size
            self._kept[uid] = faces
        return self._kept[uid]

    def frames(self, uids: Sequence[str]) -> Frames | None:
        """None where frames are not read."""
        if self._frames is None:
            return None
        images, ids = zip(*(self._frames[uid] for uid in uids), strict=True)
        image = torch.from_numpy(np.stack(images)).permute(0, 1, 4, 2, 3).float() / 255
        return Frames(image, torch.from_numpy(np.stack(ids)).long())

    def batch(self, uids: Sequence[str]) -> Batch:
        faces = collate([self.faces(uid) for uid in uids]) if "faces" in self._kinds else None
        return Batch(tuple(uids), faces, self.frames(uids), self.records(uids))

    def records(self, uids: Sequence[str]) -> tuple[FaceGraph, ...] | None:
        """None where records are not read."""
        return tuple(self.graph(uid) for uid in uids) if "record" in self.read else None
