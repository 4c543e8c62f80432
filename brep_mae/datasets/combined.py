"""Several stored data sets as one to train on, each with classes of its own."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Self

import numpy as np
import torch
from torch import Tensor

from brep_mae.checks import SettingsError
from brep_mae.datasets.batch import Batch, Faces, Frames, collate
from brep_mae.datasets.content import kinds
from brep_mae.datasets.lazy.uids import Joined
from brep_mae.datasets.loader import Samples, Solids
from brep_mae.schema import UNLABELLED, FaceGraph


class ConcatDataset(Samples):
    """The solids of several data sets, drawn from as if they were one.

    Args:
        parts: (solids, face classes, part classes) of each. Classes are counted on from one data set to the next: the
            first of the second follows the last of the first.

    All parts read the same content; ValueError where their frames differ in number or size.
    """

    def __init__(self, parts: Sequence[tuple[Solids, int, int]]) -> None:
        self.parts = [solids for solids, _, _ in parts]
        ends = [(0, 0), *accumulate(((f, p) for _, f, p in parts), lambda a, b: (a[0] + b[0], a[1] + b[1]))]
        self.face_classes, self.part_classes = ends[-1]
        self.read = self.parts[0].read
        self._first = ends[:-1]
        self.uids = Joined([part.uids for part in self.parts])

    def reading(self, content: frozenset[str]) -> Self:
        """The same solids with other content."""
        other = copy.copy(self)
        other.read, other.parts = content, [part.reading(content) for part in self.parts]
        return other

    def labelled(self, names: Sequence[str]) -> np.ndarray:
        found, at = np.zeros(len(names), bool), [Joined.parted(name) for name in names]
        for number, part in enumerate(self.parts):
            places = [place for place, (i, _) in enumerate(at) if i == number]
            found[places] = part.labelled([at[place][1] for place in places])
        return found

    def graph(self, name: str) -> FaceGraph:
        i, uid = Joined.parted(name)
        return self.parts[i].graph(uid)

    def faces(self, name: str) -> Faces:
        i, uid = Joined.parted(name)
        faces = self.parts[i].faces(uid)
        face, part = self._first[i]
        return replace(faces, label=_moved(faces.label, face), part=_moved(faces.part, part))

    def frames(self, name: str) -> Frames:
        i, uid = Joined.parted(name)
        found = self.parts[i].frames([uid])
        assert found is not None
        return found

    def batch(self, uids: Sequence[str]) -> Batch:
        faces = collate([self.faces(uid) for uid in uids]) if "faces" in kinds(self.read) else None
        frames = _stacked([self.frames(uid) for uid in uids]) if "frames" in kinds(self.read) else None
        return Batch(tuple(uids), faces, frames, self.records(uids))

    def records(self, names: Sequence[str]) -> tuple[FaceGraph, ...] | None:
        """None where records are not read."""
        if "record" not in self.read:
            return None
        return tuple(self.graph(name) for name in names)


class AlternatingDataset(Samples):
    """Samples of several kinds, whose batches take turns: solids' frames and natural images, say, which differ in the
    number of frames. Each is gone through in its own order."""

    def __init__(self, parts: Sequence[Samples]) -> None:
        self.parts = list(parts)
        self.uids = Joined([part.uids for part in parts])
        self.kinds = len(self.parts)

    def batch(self, uids: Sequence[str]) -> Batch:
        raise TypeError("samples of several kinds make no batch together")

    def capped(self, batches: int, size: int) -> "AlternatingDataset":
        """Every kind gets an equal share of the batches. Raises SettingsError where there is not one for each."""
        share = batches // len(self.parts)
        if share == 0:
            raise SettingsError(f"{batches} batches are too few for {len(self.parts)} kinds of samples")
        return AlternatingDataset([part.capped(share, size) for part in self.parts])

    def thinned(self, n: int) -> "AlternatingDataset":
        raise TypeError("samples of several kinds are capped by batches")

    def in_order(self, size: int) -> Iterator[Batch]:
        for part in self.parts:
            yield from part.in_order(size)

    def at_step(self, seed: int, step: int, size: int) -> Batch:
        turn, which = divmod(step, len(self.parts))
        return self.parts[which].at_step(seed, turn, size)


def _stacked(frames: Sequence[Frames]) -> Frames:
    if len({each.face.shape for each in frames}) > 1:
        raise ValueError("data sets whose frames differ in number or size can't be read together; render them alike")
    return Frames(torch.cat([each.image for each in frames]), torch.cat([each.face for each in frames]))


def _moved(label: Tensor, by: int) -> Tensor:
    return label.where(label == UNLABELLED, label + by)
