"""Sequences of tasks for continual learning, cut from the face classes of a data set."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Solids
from brep_mae.models.backbone import Backbone
from brep_mae.transfer.continual_fit import Task

IGNORED = -1


class FaceFeatures(nn.Module):
    """A backbone that answers with its face features alone: Batch -> (F, D)."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, batch: Batch) -> Tensor:
        return self.backbone(batch).face


def class_groups(counts: np.ndarray, left_out: Sequence[int], tasks: int) -> list[list[int]]:
    """The classes that occur, without `left_out`, cut into `tasks` groups of nearly equal size, in their own order."""
    classes = [c for c in range(len(counts)) if counts[c] > 0 and c not in left_out]
    if len(classes) < 2 * tasks:
        raise ValueError(f"{len(classes)} face classes do not make {tasks} tasks of two: lower continual.tasks")
    return [group.tolist() for group in np.array_split(classes, tasks)]


def face_tasks(
    train: Solids, val: Solids, test: Solids, groups: Sequence[Sequence[int]], names: Sequence[str], size: int
) -> list[Task]:
    """One task per group of classes.

    Faces of other classes stay in the graph, and are ignored in loss and score. So is a class that training never
    shows.

    Args:
        names: of all face classes.
        size: solids per batch.
    """
    batches = {side: list(data.in_order(size)) for side, data in (("train", train), ("val", val), ("test", test))}
    shown = torch.cat([_labels(b) for b in batches["train"]]).unique().tolist()
    tasks = []
    for group in groups:
        kept = [c for c in group if c in shown]
        lookup = torch.full((len(names) + 1,), IGNORED)  # the last place is that of UNLABELLED = -1
        lookup[kept] = torch.arange(len(kept))
        sides = {side: [(b, lookup[_labels(b)]) for b in found] for side, found in batches.items()}
        sides = {side: [(b, y) for b, y in pairs if (y != IGNORED).any()] for side, pairs in sides.items()}
        name = "+".join(names[c] for c in kept)
        tasks.append(Task(name, len(kept), sides["train"], sides["val"], sides["test"]))
    return tasks


def _labels(batch: Batch) -> Tensor:
    assert batch.faces is not None
    return batch.faces.label
