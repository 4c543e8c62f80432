"""Few labelled solids, each with all classes that it shows, as those that train and those that are held out.

The held-out ones choose thresholds and the state that is kept, and reward a policy. A test solid never does: sides that
hold one can't be made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.model_selection import GroupShuffleSplit
from torch import Tensor

from brep_mae.datasets.derived.files import file_of


class LeakError(ValueError):
    """A solid that is only to be scored is among those that choose, or a held-out one among those that train."""


@dataclass(frozen=True)
class Side:
    """Solids and the classes that they show.

    Args:
        inputs: row numbers -> what the classifier reads of these solids.
        shown: (R, C) 1 = the solid shows the class, 0 = it does not, -1 = not known.
    """

    uids: tuple[str, ...]
    inputs: Callable[[Tensor], Any]
    shown: Tensor

    def all(self) -> Any:
        return self.inputs(torch.arange(len(self.uids)))


@dataclass(frozen=True)
class LabelledSides:
    """What a label rule may read: solids that train the classifier, and solids that are held out of its training.

    Args:
        test: solids that are scored, by whose labels nothing may be chosen.

    Raises LeakError where a file has solids on two of the three.
    """

    learned: Side
    held_out: Side
    test: frozenset[str]

    def __post_init__(self) -> None:
        learned, held_out, test = (
            {file_of(uid) for uid in uids} for uids in (self.learned.uids, self.held_out.uids, self.test)
        )
        for what, found in (
            ("a test solid is among the solids that train", learned & test),
            ("a test solid is among the solids that are held out to choose thresholds and rewards", held_out & test),
            ("a held-out solid is among the solids that train", learned & held_out),
        ):
            if found:
                raise LeakError(f"{what}: {min(found)}; take labelled solids from the training side of split.parquet")

    @property
    def learnable(self) -> Tensor:
        """(C,) True = some solid that trains shows the class; of the others no rule can learn anything."""
        return (self.learned.shown == 1).any(0)


def carve(uids: Sequence[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """The labelled solids as those that train and those, `share` of their files, that are held out. ValueError where
    the solids are of one file."""
    files = [file_of(uid) for uid in uids]
    learned, held_out = next(GroupShuffleSplit(1, test_size=share, random_state=seed).split(uids, groups=files))
    return [uids[i] for i in learned], [uids[i] for i in held_out]
