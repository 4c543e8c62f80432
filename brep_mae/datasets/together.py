"""Several stored data sets as one to train on, each with classes of its own."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from torch import Tensor

from brep_mae.datasets.batch import Batch, Faces, collate
from brep_mae.datasets.loader import Samples, Solids
from brep_mae.schema import UNLABELLED


class Together(Samples):
    """The solids of several data sets, drawn from as if they were one.

    Args:
        parts: (solids, face classes, part classes) of each. Classes are counted on from one data set to the next: the
            first of the second follows the last of the first.

    Faces only: frames of different data sets may differ in size.
    """

    def __init__(self, parts: Sequence[tuple[Solids, int, int]]) -> None:
        self.parts = [solids for solids, _, _ in parts]
        ends = [(0, 0), *accumulate(((f, p) for _, f, p in parts), lambda a, b: (a[0] + b[0], a[1] + b[1]))]
        self.face_classes, self.part_classes = ends[-1]
        self._first = ends[:-1]
        self._at = {f"{i}/{uid}": (i, uid) for i, solids in enumerate(self.parts) for uid in solids.uids}
        self.uids = tuple(self._at)

    def faces(self, name: str) -> Faces:
        i, uid = self._at[name]
        faces = self.parts[i].faces(uid)
        face, part = self._first[i]
        return replace(faces, label=_moved(faces.label, face), part=_moved(faces.part, part))

    def batch(self, uids: Sequence[str]) -> Batch:
        return Batch(tuple(uids), collate([self.faces(uid) for uid in uids]))


def _moved(label: Tensor, by: int) -> Tensor:
    return label.where(label == UNLABELLED, label + by)
