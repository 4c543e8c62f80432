"""Few labelled solids: how many faces, or families, does an encoder get right?

Every encoder meets the same labelled solids: those of a seed are the first of one random order, so that fewer shots
are always a subset of more. All labelled solids train, for a fixed number of steps: nothing is selected on labels,
and the test split is read by the final score alone.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Solids
from brep_mae.models.backbone import Backbone, Features
from brep_mae.schema import UNLABELLED
from brep_mae.settings import FewshotParams
from brep_mae.training.checkpoint import load_backbone, new_backbone
from brep_mae.training.embed import readable
from brep_mae.transfer.metrics import scores

Row = dict[str, str | int | float]


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


@dataclass(frozen=True)
class EncoderSource:
    """An encoder of the comparison: the checkpoint's weights, or its network with fresh ones (`pretrained` False).

    `kind` names the network, the same for all encoders that have one from-scratch baseline in common.
    """

    name: str
    kind: str
    folder: Path
    pretrained: bool

    def backbone(self, seed: int) -> Backbone:
        torch.manual_seed(seed)
        return load_backbone(self.folder) if self.pretrained else new_backbone(self.folder)


def labelled_order(uids: list[str], seed: int) -> list[str]:
    """The solids in the order in which seed `seed` labels them."""
    return [uids[i] for i in np.random.default_rng(seed).permutation(len(uids))]


class LabelledRows:
    """Features x (R, D), classes y (R,) and a number `part` (R,) of the solid of all rows of many solids that have a
    label."""

    def __init__(self, task: FewshotTask, batches: list[Batch], features: list[Features]) -> None:
        label = [task.labels(b) for b in batches]
        part = [task.part(b) + 1_000_000 * i for i, b in enumerate(batches)]
        keep = torch.cat(label) != UNLABELLED
        self.x = torch.cat([task.rows(f) for f in features])[keep].numpy()
        self.y = torch.cat(label)[keep].numpy()
        self.part = torch.cat(part)[keep].numpy()


@torch.no_grad()
def features_of(backbone: Backbone, batches: list[Batch]) -> list[Features]:
    """What the frozen backbone makes of every batch."""
    backbone.eval()
    return [backbone(b) for b in batches]


NEVER = -20.0
"""Logit of a class that no labelled row shows."""


def probe(task: FewshotTask, train: LabelledRows) -> nn.Linear:
    """Logistic regression on standardised frozen features, as one linear layer on the features as they are."""
    head = nn.Linear(train.x.shape[1], task.n_classes)
    classes = np.unique(train.y)
    weight, bias = np.zeros((task.n_classes, train.x.shape[1])), np.full(task.n_classes, NEVER)
    bias[classes] = 0.0
    if len(classes) > 1:
        scale = StandardScaler().fit(train.x)
        model = LogisticRegression(max_iter=200, tol=1e-3).fit(scale.transform(train.x), train.y)
        one = len(classes) == 2  # scikit-learn keeps a single row then: that of the second class
        weight[classes[1:] if one else classes] = model.coef_ / scale.scale_
        bias[classes[1:] if one else classes] = model.intercept_ - model.coef_ @ (scale.mean_ / scale.scale_)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))
    return head


def fine_tune(
    task: FewshotTask,
    backbone: Backbone,
    head: nn.Linear,
    data: Solids,
    uids: list[str],
    params: FewshotParams,
    seed: int,
) -> tuple[Backbone, nn.Linear]:
    """Trained copies of the backbone and its head, after `params.steps` steps on the labelled solids.

    The head starts from the probe: a random one would first pull the features apart (Kumar et al. 2022,
    arXiv:2202.10054).
    """
    torch.manual_seed(seed)
    backbone, head = copy.deepcopy(backbone).train(), copy.deepcopy(head)
    groups = [{"params": backbone.parameters(), "lr": params.lr}, {"params": head.parameters(), "lr": params.head_lr}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [params.lr, params.head_lr], total_steps=params.steps, pct_start=0.2
    )
    rng = np.random.default_rng([seed, 1])
    whole = data.batch(uids) if len(uids) <= params.batch else None
    for _ in range(params.steps):
        batch = whole or data.batch([uids[i] for i in rng.choice(len(uids), params.batch, replace=False)])
        labels = task.labels(batch)
        if bool((labels == UNLABELLED).all()):  # the mean over no row is not a number
            continue
        logits = head(task.rows(backbone(batch)))
        loss = F.cross_entropy(logits, labels, ignore_index=UNLABELLED, label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return backbone, head


def compare(
    source: EncoderSource,
    seed: int,
    todo: list[FewshotTask],
    data: Solids,
    train: list[str],
    test: list[str],
    params: FewshotParams,
) -> Iterator[Row]:
    """All rows of one encoder and one seed: tasks x shots x {frozen, finetuned}.

    Args:
        data: reads what the encoder needs, for all of `train` and `test`.
        train: solids that may be labelled.
        test: solids that are scored.
    """
    backbone = source.backbone(seed)
    order = labelled_order(train, seed)[: max(params.shots)]
    test_batches = [data.batch(test[i : i + 64]) for i in range(0, len(test), 64)]
    train_batches = [data.batch([uid]) for uid in order]
    frozen_test, frozen_train = features_of(backbone, test_batches), features_of(backbone, train_batches)
    for task in todo:
        for shots in params.shots:
            if shots > len(order):
                continue
            labelled = LabelledRows(task, train_batches[:shots], frozen_train[:shots])
            if not len(labelled.y):
                continue
            for mode in ("frozen", "finetuned"):
                began = time.perf_counter()
                if mode == "frozen":
                    head = probe(task, labelled)
                    table = LabelledRows(task, test_batches, frozen_test)
                elif len(np.unique(labelled.y)) > 1:  # else there is nothing to tell apart, and the head says so
                    tuned, head = fine_tune(task, backbone, head, data, order[:shots], params, seed)
                    table = LabelledRows(task, test_batches, features_of(tuned, test_batches))
                with torch.no_grad():
                    predicted = head(torch.from_numpy(table.x)).argmax(1).numpy()
                yield {
                    "task": task.name,
                    "encoder": source.name,
                    "kind": source.kind,
                    "mode": mode,
                    "shots": shots,
                    "seed": seed,
                    **scores(table.y, predicted, table.part, labelled.y, task.n_classes),
                    "seconds": time.perf_counter() - began,
                }


def majority(
    seed: int, todo: list[FewshotTask], data: Solids, train: list[str], test: list[str], params: FewshotParams
) -> Iterator[Row]:
    """The trivial baseline: the class that is most frequent among the labelled rows, everywhere."""
    order = labelled_order(train, seed)[: max(params.shots)]
    test_batches = [data.batch(test[i : i + 64]) for i in range(0, len(test), 64)]
    nothing = [_no_features(b) for b in test_batches]
    for task in todo:
        table = LabelledRows(task, test_batches, nothing)
        for shots in (n for n in params.shots if n <= len(order)):
            batch = data.batch(order[:shots])
            labelled = LabelledRows(task, [batch], [_no_features(batch)])
            if not len(labelled.y):
                continue
            guess = np.full(len(table.y), np.bincount(labelled.y).argmax())
            numbers = scores(table.y, guess, table.part, labelled.y, task.n_classes)
            row: Row = {"task": task.name, "encoder": "majority", "kind": "none", "mode": "none"}
            yield row | {"shots": shots, "seed": seed, **numbers, "seconds": 0.0}


def _no_features(batch: Batch) -> Features:
    return Features(torch.zeros(len(_faces(batch)), 0), torch.zeros(len(batch.uid), 0))


def reads(source: EncoderSource) -> frozenset[str]:
    """Content that `source` needs of each batch."""
    return readable(new_backbone(source.folder))
