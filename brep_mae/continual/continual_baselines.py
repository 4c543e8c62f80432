"""Competitors of supermasks with the same steps per task: fine-tuning (forgets), frozen backbone, joint training; and
the commonest label, which takes no step."""

import copy
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from brep_mae.continual.continual import exact_logits
from brep_mae.continual.continual_fit import (
    Budget,
    OnStep,
    Task,
    TaskReport,
    evaluate,
    fit,
    right_answers,
    steps_to_95,
)
from brep_mae.continual.continual_result import ContinualResult
from brep_mae.continual.knowledge_transfer import to_device

Baseline = Literal["finetune", "frozen", "joint"]


class HeadedModel(nn.Module):
    """A backbone with one linear head per task.

    Args:
        backbone: batch -> features (rows, feature_dim); copied.
        frozen: True = the backbone never trains and stays in eval mode.
    """

    def __init__(self, backbone: nn.Module, feature_dim: int, n_classes: Sequence[int], frozen: bool) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(backbone).requires_grad_(not frozen)
        self.frozen = frozen
        self.device = next(self.backbone.parameters()).device
        self.heads = nn.ModuleList(nn.Linear(feature_dim, n, device=self.device) for n in n_classes)

    def train(self, mode: bool = True) -> "HeadedModel":
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, batch: Any, task: int) -> Tensor:
        return self.heads[task](self.backbone(to_device(batch, self.device)))


def run_baseline(
    factory: Callable[[], nn.Module],
    feature_dim: int,
    tasks: Sequence[Task],
    settings: Budget,
    kind: Baseline,
    rng: torch.Generator,
    on_step: OnStep | None = None,
) -> ContinualResult:
    """A baseline with mask_steps + weight_steps Adam steps per task at `weight_lr`, best validation state kept.

    Args:
        factory: builds the backbone, batch -> features (rows, feature_dim).
        kind: "finetune" trains backbone and the task's head in sequence, and forgets; "frozen" heads only; "joint"
            all tasks at once with their summed steps, the upper bound: only the last row of its accuracy is filled.

    Heads are drawn from torch's global generator.
    """
    for task in tasks:
        task.check()
    model = HeadedModel(factory(), feature_dim, [task.n_classes for task in tasks], frozen=kind == "frozen")
    steps = settings.mask_steps + settings.weight_steps
    result = ContinualResult.empty(kind, [task.name for task in tasks])
    numbered = list(enumerate(tasks))
    rounds = [numbered] if kind == "joint" else [[pair] for pair in numbered]
    snapshots: list[Tensor] = []
    for examples in rounds:
        began = time.perf_counter()
        name = examples[0][1].name if kind != "joint" else "joint"
        heads = [p for number, _ in examples for p in model.heads[number].parameters()]
        body = [p for p in model.backbone.parameters() if p.requires_grad]
        state = [*heads, *model.backbone.parameters(), *model.backbone.buffers()]
        groups = [{"params": heads + body, "lr": settings.weight_lr}]
        outcome = fit(model, model, examples, groups, state, steps * len(examples), rng, f"{name}/{kind}", on_step)
        seconds = time.perf_counter() - began
        reach = steps_to_95(outcome.curve, outcome.best)
        result.reports.append(TaskReport(name, outcome.curve, outcome.best, reach, seconds))
        row = examples[-1][0]
        now = [exact_logits(model, model, tasks[t].test[0][0], t) for t in range(row + 1)]
        result.bit_identical.append([torch.equal(a, b) for a, b in zip(now, snapshots, strict=False)])
        snapshots.append(now[row])
        for t in range(row + 1):
            result.accuracy[row, t] = evaluate(model, model, tasks[t].test, t)[0]
    return result


def run_majority(tasks: Sequence[Task]) -> ContinualResult:
    """The commonest training label of each task for all rows; where rows may show several classes, of each class."""
    result = ContinualResult.empty("majority", [task.name for task in tasks])
    for t, task in enumerate(tasks):
        train, test = (torch.cat([labels for _, labels in batches]) for batches in (task.train, task.test))
        votes = train[train >= 0].bincount(minlength=task.n_classes) if train.ndim == 1 else _votes(train)
        result.accuracy[t:, t] = right_answers(votes.expand(len(test), -1), test) / int((test >= 0).sum())
    return result


def _votes(labels: Tensor) -> Tensor:
    """For each class the rows that show it less those that do not. (rows, classes) -> (classes,)"""
    return (labels == 1).sum(0) - (labels == 0).sum(0)
