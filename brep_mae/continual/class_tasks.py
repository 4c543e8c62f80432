"""Tasks for continual learning, cut from the classes of a data set: of its faces, its solids, or its images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from brep_mae.continual.continual_fit import Batches, Task, classes_in
from brep_mae.continual.supermask import Kind
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.lazy.uids import ABSENT
from brep_mae.datasets.loader import Samples, Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.splits import SIDES, labelled_split, read_split
from brep_mae.evaluation.multilabel import shown_by_solids
from brep_mae.evaluation.problem import tasks
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.schema import UNLABELLED

IGNORED = -1
OTHERS = "other"
"""Class of all faces that have none of a task's own classes."""

SHOWS = "shows "
"""Before the classes in the name of a task that asks which of them a solid shows."""


@dataclass(frozen=True)
class TaskBatch:
    """A batch, and of what in it a task asks the class."""

    batch: Batch
    kind: Kind

    def to(self, device: torch.device) -> "TaskBatch":
        return replace(self, batch=self.batch.to(device))


class TaskFeatures(nn.Module):
    """A backbone that answers for what the task asks: TaskBatch -> features of its faces (F, D) or solids (B, D)."""

    def __init__(self, backbone: FeatureExtractor) -> None:
        super().__init__()
        self.backbone = backbone
        rows = {task.name: task.rows for task in tasks(1, 1)}
        self._rows = rows | {"multilabel": rows["classification"]}

    @property
    def dim(self) -> int:
        return self.backbone.dim

    def forward(self, batch: TaskBatch) -> Tensor:
        # One classifier answers for faces and for solids, so a solid is as wide as a face: the mean of its tokens.
        return self._rows[batch.kind](self.backbone(batch.batch))[:, : self.dim]


def class_groups(counts: np.ndarray, left_out: Sequence[int], tasks: int) -> list[list[int]]:
    """The classes that occur, without `left_out`, cut into `tasks` groups of nearly equal size, in their own order."""
    classes = [c for c in range(len(counts)) if counts[c] > 0 and c not in left_out]
    if len(classes) < 2 * tasks:
        raise ValueError(f"{len(classes)} classes do not make {tasks} tasks of two: lower continual.tasks")
    return [group.tolist() for group in np.array_split(classes, tasks)]


def face_tasks(
    sides: Mapping[str, Samples],
    groups: Sequence[Sequence[int]],
    names: Sequence[str],
    size: int,
    others: bool = False,
) -> list[Task]:
    """One task per group of face classes, called after them.

    Faces of other classes stay in the graph, and are ignored in loss and score.

    Args:
        sides: "train", "validation" and "test" -> solids.
        names: of all face classes.
        size: solids per batch.
        others: True = faces of all other classes are together one class more, and count.

    Raises ValueError for a class that no training solid shows.
    """
    labels = next(task.labels for task in tasks(1, 0))
    found = {side: [(b, labels(b)) for b in sides[side].in_order(size)] for side in SIDES}
    return [_task(found, group, names, "segmentation", others) for group in groups]


def multilabel_tasks(
    sides: Mapping[str, Samples], groups: Sequence[Sequence[int]], names: Sequence[str], size: int
) -> list[Task]:
    """One task per group of face classes: which of them does a solid show? It is called "shows" and these.

    A class that no labelled face has is not known to be absent where a face has no label. Arguments as of `face_tasks`.
    """
    found = {side: [(b, shown_by_solids(b, len(names))) for b in sides[side].in_order(size)] for side in SIDES}
    return [_task(found, group, names, "multilabel") for group in groups]


def sample_tasks(
    sides: Mapping[str, Samples],
    classes: Mapping[str, int],
    groups: Sequence[Sequence[int]],
    names: Sequence[str],
    size: int,
) -> list[Task]:
    """One task per group of classes of whole solids, or images; those of other classes are left out.

    Args:
        classes: uid -> class. The others as for `face_tasks`.
    """
    made = []
    for group in groups:
        found = {}
        for side in SIDES:
            few = sides[side].first(len(sides[side]))
            few.uids = tuple(uid for uid in few.uids if classes[uid] in group)
            found[side] = [(b, torch.tensor([classes[uid] for uid in b.uid])) for b in few.in_order(size)]
        made.append(_task(found, group, names, "classification"))
    return made


def stored_task(parsed: Path, kind: Kind, wanted: Sequence[str], size: int, name: str, reads: frozenset[str]) -> Task:
    """One task from a folder of shards with labels; solids without a label of the task are left out, for a multilabel
    one those without any label. The labels name the side of each solid, or where they name none, `labelled_split` does.

    Args:
        wanted: classes of the task; () = all that training solids show.
        size: solids per batch.
        reads: content that the encoder needs.

    Raises ValueError where no solid has a label of the kind, or none has one of the classes.
    """
    shards = open_shards(parsed)
    names = shards.labels.part_classes if kind == "classification" else shards.labels.face_classes
    if unknown := [each for each in wanted if each not in names]:
        known = ", ".join(names) or f"none: the solids have no labels for {kind}"
        raise ValueError(f"{parsed}: no class {', '.join(unknown)}; it has {known}")
    stored, classes = shards.labels.solids, np.arange(len(names))
    rows = stored.lookup.rows(shards.uids)
    rows = rows[rows != ABSENT]
    shows = (stored.part[:, None] == classes if kind == "classification" else stored.shown(len(names)))[rows]
    group = [names.index(w) for w in wanted] or np.flatnonzero(shows.any(0)).tolist()
    if kind != "multilabel":
        shows[:, np.isin(classes, group, invert=True)] = False
    asked = np.flatnonzero(shows.any(1))
    shown = dict(zip(stored.lookup.some(rows[asked]), map(np.flatnonzero, shows[asked]), strict=True))
    if not shown:
        raise ValueError(f"{parsed}: no solid is labelled for {kind}; name classes in labels.csv and parse again")
    named = {uid: stored[uid].side for uid in shown}
    if any(named.values()):
        split = {side: [uid for uid in shown if (named[uid] or SIDES[0]) == side] for side in SIDES}
    else:
        files = {uid: shards.files[shards.lookup.row(uid)] for uid in shown}
        split = labelled_split(read_split(parsed / "split.parquet"), files, shown)
    sides = {side: Solids(parsed, None, split[side], reads | {"faces"}) for side in SIDES}
    if kind == "segmentation":
        [task] = face_tasks(sides, [group], names, size)
    elif kind == "multilabel":
        [task] = multilabel_tasks(sides, [group], names, size)
    else:
        [task] = sample_tasks(sides, {uid: int(found[0]) for uid, found in shown.items()}, [group], names, size)
    return replace(task, name=name)


def solids_in(side: Batches) -> int:
    """Number of solids of which a task's side knows an answer: a score on it rests on so many."""
    count = 0
    for batch, labels in side:
        known = labels >= 0 if labels.ndim == 1 else (labels >= 0).any(1)
        count += len(batch.batch.faces.solid[known].unique()) if batch.kind == "segmentation" else int(known.sum())
    return count


def _task(
    found: Mapping[str, list[tuple[Batch, Tensor]]],
    group: Sequence[int],
    names: Sequence[str],
    kind: Kind,
    others: bool = False,
) -> Task:
    seen = {c for _, labels in found["train"] for c in classes_in(labels)}
    if unseen := [names[c] for c in group if c not in seen]:
        raise ValueError(f"no training solid shows {', '.join(unseen)}; label some, or leave the class out")
    lookup = torch.full((len(names) + 1,), len(group) if others else IGNORED)
    lookup[UNLABELLED] = IGNORED  # the last place
    lookup[list(group)] = torch.arange(len(group))

    def own(labels: Tensor) -> Tensor:
        return labels[:, list(group)] if kind == "multilabel" else lookup[labels]

    pairs = {side: [(TaskBatch(batch, kind), own(labels)) for batch, labels in found[side]] for side in SIDES}
    train, val, test = ([(b, y) for b, y in pairs[side] if (y != IGNORED).any()] for side in SIDES)
    classes = tuple(names[c] for c in group)
    name = f"{SHOWS if kind == 'multilabel' else ''}{'+'.join(classes)}"
    return Task(name, (*classes, OTHERS) if others else classes, train, val, test, kind)
