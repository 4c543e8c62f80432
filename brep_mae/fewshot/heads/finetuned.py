"""The whole backbone trained on with its head, for a number of steps that the labelled solids alone decide.

Without solids that are set aside nothing is selected on labels. Rates, steps and what is left to a second probe were
chosen on solids outside the test side, of draws that no table reports.
"""

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae import ranks
from brep_mae.composition.optim import lr_at, weight_groups
from brep_mae.datasets.face_transforms import jitter_scalars
from brep_mae.evaluation.problem import Predictor, Problem, Rows, features_of
from brep_mae.fewshot.heads import frozen
from brep_mae.fewshot.heads.frozen import answer, probe
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.schema import UNLABELLED
from brep_mae.seeds import generator
from brep_mae.settings import FewshotParams, OptimParams

CHECKS = 5
CLIP_NORM, WARMUP, SMOOTHING = 1.0, 0.2, 0.1

Start = Callable[[int, np.ndarray, np.ndarray], nn.Linear]
"""What the head starts from: number of classes, features (R, D), classes (R,) -> a layer from D to that number."""


def steps_of(params: FewshotParams, solids: int) -> int:
    """`params.steps`, or more where so many labelled solids take more to be seen `params.epochs` times."""
    return max(params.steps, math.ceil(params.epochs * solids / params.batch))


def smoothed(labels: Tensor, shown: Tensor) -> Tensor:
    """What is asked for in place of a class: a little of every class that is shown as well. A probe puts those that no
    label shows far below the others; a share of them too would spend the training on pulling them up.

    Shapes: labels (R,) long, shown (C,) True = some label shows this class -> (R, C), rows sum to 1
    """
    return (1 - SMOOTHING) * F.one_hot(labels, len(shown)) + SMOOTHING * shown / shown.sum()


def fine_tune(
    problem: Problem, head: nn.Linear, labelled: Rows, seed: int, top_only: bool = False
) -> tuple[FeatureExtractor, nn.Linear]:
    """Trained copies of the backbone and a head, after `steps_of` steps on the labelled solids; where some are set
    aside, the one of the start and CHECKS states on the way that tells most of their rows right.

    Args:
        head: what the head starts from.
        top_only: True = of the backbone, only what `FeatureExtractor.top` names is trained.
    """
    torch.manual_seed(seed)
    params, task, data = problem.params, problem.task, problem.data
    device = ranks.device()
    backbone, head = copy.deepcopy(problem.backbone).to(device).train(), copy.deepcopy(head).to(device)
    if top_only:
        backbone.requires_grad_(False)
        for module in backbone.top():
            module.requires_grad_(True)
    uids = [uid for batch in labelled.batches for uid in batch.uid]
    shown = torch.from_numpy(np.bincount(labelled.y, minlength=task.n_classes) > 0).to(device)
    steps = steps_of(params, len(uids))
    groups = weight_groups(backbone, params.lr, OptimParams(layer_decay=params.layer_decay))
    optimizer = torch.optim.AdamW([*groups, *weight_groups(head, params.head_lr, OptimParams())], fused=True)
    rng, noise = np.random.default_rng([seed, 1]), generator(seed, 1)
    whole = data.batch(uids).to(device) if len(uids) <= params.batch else None
    kept, most = (backbone, head), -1
    for step in range(steps + 1):
        if problem.validation is not None and step % max(1, steps // CHECKS) == 0:
            right = int((predict(backbone, head, problem.validation) == problem.validation.y).sum())
            backbone.train()
            if right >= most:
                kept, most = copy.deepcopy((backbone, head)), right
        if step == steps:
            break
        batch = whole or data.batch([uids[i] for i in rng.choice(len(uids), params.batch, replace=False)]).to(device)
        labels = task.labels(batch)
        known = labels != UNLABELLED
        if not bool(known.any()):  # the mean over no row is not a number
            continue
        logits = head(task.rows(backbone(jitter_scalars(batch, params.noise, noise))))
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits[known], smoothed(labels[known], shown)).backward()
        nn.utils.clip_grad_norm_(backbone.parameters(), CLIP_NORM)
        for group in optimizer.param_groups:
            group["lr"] = lr_at(step, steps, group["peak"], WARMUP)
        optimizer.step()
    return kept


@torch.no_grad()
def mean(trained: nn.Linear, again: nn.Linear, share: float) -> nn.Linear:
    """One layer whose logits are those of both, `share` of them those of `again`. Features that were trained can be
    better than the layer that was trained with them (Kang et al. 2020, arXiv:1910.09217, section 4)."""
    layer = copy.deepcopy(trained)
    for mixed, other in zip(layer.parameters(), again.parameters(), strict=True):
        mixed.lerp_(other.to(mixed.device), share)
    return layer


def seen_by(encoder: FeatureExtractor, rows: Rows) -> Rows:
    """The same rows with the features of another encoder."""
    return Rows(rows.task, rows.batches, features_of(encoder, rows.batches))


def predict(backbone: FeatureExtractor, head: nn.Linear, rows: Rows) -> np.ndarray:
    """Classes (R,) of the rows by another backbone than the one their features are from."""
    return answer(head, seen_by(backbone, rows).x)


def fit(problem: Problem, labelled: Rows, seed: int, top_only: bool = False, start: Start = probe) -> Predictor:
    """The probe is a better start than random weights, which would first pull the features apart (Kumar et al. 2022,
    arXiv:2202.10054)."""
    if len(np.unique(labelled.y)) < 2:  # there is nothing to tell apart, and the probe says so
        return frozen.fit(problem, labelled, seed)
    torch.manual_seed(seed)
    head = start(problem.task.n_classes, labelled.x, labelled.y)
    tuned, head = fine_tune(problem, head, labelled, seed, top_only)
    if share := problem.params.reprobed:
        head = mean(head, probe(problem.task.n_classes, seen_by(tuned, labelled).x, labelled.y), share)
    return lambda rows: predict(tuned, head, rows)
