"""Which classes does a solid show? The multi-label task: the OR over the classes of its faces."""

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from brep_mae.datasets.batch import Batch
from brep_mae.models.extractor import Features
from brep_mae.schema import UNLABELLED

UNKNOWN = -1
"""Neither shown nor known to be absent; counts in no loss and no score."""


def shown_by_solids(batch: Batch, classes: int) -> Tensor:
    """(B, classes) 1 = a face of the solid has the class, 0 = none has, UNKNOWN = none, but not all faces are
    labelled."""
    assert batch.faces is not None
    label, solid = batch.faces.label, batch.faces.solid
    known = label != UNLABELLED
    counts = torch.zeros(len(batch.uid), classes + 1, dtype=torch.long)
    counts.index_put_((solid, label.where(known, torch.tensor(classes))), torch.ones_like(label), accumulate=True)
    shows, partly = counts[:, :classes] > 0, counts[:, classes:] > 0
    return shows.long().where(shows | ~partly, torch.tensor(UNKNOWN))


def in_question(shown: Tensor) -> Tensor:
    """Classes that are asked for: all but those that every labelled solid shows, such as stock. With nothing but such
    examples there is nothing to learn, and a score on them flatters. Shapes: (R, C) -> indices (Q,)"""
    return (shown != 1).any(0).nonzero()[:, 0]


def pooled(features: Features, batch: Batch) -> Tensor:
    """Mean and maximum of the features of a solid's faces; one face is enough to show a class, and a mean over many
    drowns it. Shapes: faces (F, D) -> (B, 2 D)"""
    assert batch.faces is not None
    solid, solids = batch.faces.solid, len(batch.uid)
    return torch.cat([scatter(features.face, solid, 0, solids, each) for each in ("mean", "max")], 1)


def f1_of_classes(shown: Tensor, predicted: Tensor) -> Tensor:
    """F1 of every class over its known rows; NaN where none shows it. As scikit-learn has it, which takes a hundred
    times as long, and a policy asks after every step. Shapes: (R, C), (R, C) True = said to be shown -> (C,)"""
    positive, negative = shown == 1, shown == 0
    hits = (positive & predicted).sum(0)
    alarms = (negative & predicted).sum(0)
    f1: Tensor = 2 * hits / (positive.sum(0) + hits + alarms)
    return f1.masked_fill(~positive.any(0), torch.nan)


def macro_f1(shown: Tensor, predicted: Tensor) -> float:
    """Mean F1 over the classes that some row shows; 0 where there is none."""
    return float(f1_of_classes(shown, predicted).nanmean().nan_to_num())
