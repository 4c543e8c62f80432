"""What few-shot learning starts from: a task, a backbone, labelled solids, and others without their labels."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from brep_mae import ranks
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Samples
from brep_mae.models.extractor import FeatureExtractor, Features
from brep_mae.schema import UNLABELLED
from brep_mae.settings import FewshotParams

SIZE = 64
"""Solids per batch where nothing is trained."""


@dataclass(frozen=True)
class FewshotTask:
    """What is labelled: `rows` picks the features to classify, `labels` their classes (UNLABELLED = ignored)."""

    name: str
    n_classes: int
    rows: Callable[[Features], Tensor]
    labels: Callable[[Batch], Tensor]
    part: Callable[[Batch], Tensor]


def _faces(batch: Batch) -> Tensor:
    assert batch.faces is not None
    return batch.faces.label


def _parts(batch: Batch) -> Tensor:
    assert batch.faces is not None
    return batch.faces.part


def _solid_of_face(batch: Batch) -> Tensor:
    assert batch.faces is not None
    return batch.faces.solid


def tasks(face_classes: int, part_classes: int) -> list[FewshotTask]:
    """Segmentation (a class per face) and classification (a family per solid), as far as the data set labels them."""
    segmentation = FewshotTask("segmentation", face_classes, lambda f: f.face, _faces, _solid_of_face)
    classification = FewshotTask(
        "classification", part_classes, lambda f: f.solid, _parts, lambda b: torch.arange(len(b.uid))
    )
    return [t for t in (segmentation, classification) if t.n_classes]


def labelled_order(uids: Sequence[str], seed: int, classes: Sequence[int] | None = None) -> list[str]:
    """The solids in the order in which seed `seed` labels them.

    Args:
        classes: class of every solid. Where given, the classes take turns, so that the first k of them hold as many
            solids of each as they can.
    """
    order = np.random.default_rng(seed).permutation(len(uids))
    if classes is not None:
        turn, count = np.zeros(len(uids), int), Counter[int]()
        for i in order:
            turn[i] = count[classes[i]]
            count[classes[i]] += 1
        order = order[np.argsort(turn[order], kind="stable")]
    return [uids[i] for i in order]


@torch.no_grad()
def features_of(backbone: FeatureExtractor, batches: Sequence[Batch]) -> Iterator[Features]:
    """What the frozen backbone makes of every batch, when it is asked for; on the CPU, where the batches are."""
    backbone.to(ranks.device()).eval()
    for batch in batches:
        features: Features = backbone(batch.to(ranks.device()))
        yield features.cpu()


class Rows:
    """Features x (R, D), classes y (R,) and a number `part` (R,) of the solid of all rows of many solids that have a
    label. `batches` are the solids themselves. `features` are not made before somebody reads x."""

    def __init__(self, task: FewshotTask, batches: list[Batch], features: Iterable[Features]) -> None:
        label = [task.labels(b) for b in batches]
        part = [task.part(b) + 1_000_000 * i for i, b in enumerate(batches)]
        self._keep = torch.cat(label) != UNLABELLED
        self.task, self.batches, self._features = task, batches, features
        self.y = torch.cat(label)[self._keep].numpy()
        self.part = torch.cat(part)[self._keep].numpy()

    @cached_property
    def x(self) -> np.ndarray:
        return torch.cat([self.task.rows(f) for f in self._features])[self._keep].numpy()


@dataclass(frozen=True)
class Problem:
    """A backbone with few labels, as every head gets it. `backbone` is nobody's to change.

    Args:
        data: reads what the backbone needs, of the labelled solids.
        unlabelled: gives the features (R, D) of all rows of other solids, whose labels nobody reads.
        validation: rows of labelled solids that are set aside, for a head that has something to choose; None = all
            labelled solids train.
        generated: rows of other solids, with labels of the same classes that a generator wrote; None = there are none.
    """

    task: FewshotTask
    backbone: FeatureExtractor
    data: Samples
    unlabelled: Callable[[], np.ndarray]
    params: FewshotParams
    validation: Rows | None = None
    generated: Rows | None = None


def in_batches(data: Samples, uids: Sequence[str]) -> list[Batch]:
    """The solids, some at a time."""
    return [data.batch(uids[i : i + SIZE]) for i in range(0, len(uids), SIZE)]


def every_row(task: FewshotTask, backbone: FeatureExtractor, batches: list[Batch]) -> np.ndarray:
    """Features of all rows, labelled or not. (R, D)"""
    found = chain([backbone.of_nothing()], features_of(backbone, batches))
    return torch.cat([task.rows(features) for features in found]).numpy()


Predictor = Callable[[Rows], np.ndarray]
"""The class of every row. Rows -> (R,) int64"""

Head = Callable[[Problem, Rows, int], Predictor]
"""Learns from labelled rows, with a seed. Every module of `fewshot/heads` has one by the name of `fit`."""
