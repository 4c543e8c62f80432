"""The whole backbone trained on with its head, for a fixed number of steps: nothing is selected on labels."""

import copy
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from brep_mae.datasets.face_transforms import jitter_scalars
from brep_mae.evaluation.problem import Predictor, Problem, Rows, features_of
from brep_mae.fewshot.heads import frozen
from brep_mae.fewshot.heads.frozen import answer, probe
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.schema import UNLABELLED
from brep_mae.seeds import generator

CHECKS = 5

Start = Callable[[int, np.ndarray, np.ndarray], nn.Linear]
"""What the head starts from: number of classes, features (R, D), classes (R,) -> a layer from D to that number."""


def fine_tune(
    problem: Problem, head: nn.Linear, uids: list[str], seed: int, top_only: bool = False
) -> tuple[FeatureExtractor, nn.Linear]:
    """Trained copies of the backbone and a head, after `params.steps` steps on the labelled solids; where some are set
    aside, the one of CHECKS states on the way that tells most of their rows right.

    Args:
        head: what the head starts from.
        uids: the labelled solids.
        top_only: True = of the backbone, only what `FeatureExtractor.top` names is trained.
    """
    torch.manual_seed(seed)
    params, task, data = problem.params, problem.task, problem.data
    backbone, head = copy.deepcopy(problem.backbone).train(), copy.deepcopy(head)
    if top_only:
        backbone.requires_grad_(False)
        for module in backbone.top():
            module.requires_grad_(True)
    trained: Iterable[nn.Parameter] = [p for p in backbone.parameters() if p.requires_grad]
    groups = [{"params": trained, "lr": params.lr}, {"params": head.parameters(), "lr": params.head_lr}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [params.lr, params.head_lr], total_steps=params.steps, pct_start=0.2
    )
    rng, noise = np.random.default_rng([seed, 1]), generator(seed, 1)
    whole = data.batch(uids) if len(uids) <= params.batch else None
    best, kept = -1.0, (backbone, head)
    for step in range(1, params.steps + 1):
        batch = whole or data.batch([uids[i] for i in rng.choice(len(uids), params.batch, replace=False)])
        labels = task.labels(batch)
        if bool((labels == UNLABELLED).all()):  # the mean over no row is not a number
            continue
        logits = head(task.rows(backbone(jitter_scalars(batch, params.noise, noise))))
        loss = F.cross_entropy(logits, labels, ignore_index=UNLABELLED, label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if problem.validation is not None and step % max(1, params.steps // CHECKS) == 0:
            right = float((predict(backbone, head, problem.validation) == problem.validation.y).mean())
            backbone.train()
            if right >= best:
                best, kept = right, (copy.deepcopy(backbone), copy.deepcopy(head))
    return kept


def predict(backbone: FeatureExtractor, head: nn.Linear, rows: Rows) -> np.ndarray:
    """Classes (R,) of the rows by another backbone than the one their features are from."""
    return answer(head, Rows(rows.task, rows.batches, features_of(backbone, rows.batches)).x)


def fit(problem: Problem, labelled: Rows, seed: int, top_only: bool = False, start: Start = probe) -> Predictor:
    """The probe is a better start than random weights, which would first pull the features apart (Kumar et al. 2022,
    arXiv:2202.10054)."""
    if len(np.unique(labelled.y)) < 2:  # there is nothing to tell apart, and the probe says so
        return frozen.fit(problem, labelled, seed)
    torch.manual_seed(seed)
    head = start(problem.task.n_classes, labelled.x, labelled.y)
    uids = [uid for batch in labelled.batches for uid in batch.uid]
    tuned, head = fine_tune(problem, head, uids, seed, top_only)
    return lambda rows: predict(tuned, head, rows)
