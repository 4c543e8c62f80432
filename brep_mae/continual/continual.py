"""Tasks in sequence on one supermasked network: train each, then prove that no earlier answer has moved by a bit.

Yadav & Bansal 2023, arXiv:2210.10209, algorithm 1. Differs from the released code: a real validation split picks the
state, that state is restored before logits are recorded, and both learning rates are used as named.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from brep_mae.checkpoints.weights import fingerprint
from brep_mae.continual.continual_fit import Budget, OnStep, Task, TaskReport, evaluate, fit, steps_to_95
from brep_mae.continual.continual_result import ContinualResult
from brep_mae.continual.knowledge_transfer import to_device, transfer_scores
from brep_mae.continual.supermask import Mode, SupermaskModel
from brep_mae.continual.supermask_store import save_task


class ForgettingError(RuntimeError):
    """An earlier task's logits moved although the mode promises that they cannot."""


@contextmanager
def exact_kernels() -> Iterator[None]:
    """Deterministic kernels where torch has them (a GPU's atomic sums would differ from run to run)."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark


@torch.no_grad()
def exact_logits(model: torch.nn.Module, logits: Callable[[Any, int], Tensor], batch: Any, task: int) -> Tensor:
    """Logits in eval mode with deterministic kernels, on the CPU: the thing that is compared bit for bit."""
    was_training = model.training
    model.eval()
    with exact_kernels():
        out = logits(batch, task).cpu()
    model.train(was_training)
    return out


def logits_of(model: SupermaskModel) -> Callable[[Any, int], Tensor]:
    """(batch, task) -> the model's logits, wherever the batch lies."""
    device = model.shared_classifier.weight.device
    return lambda batch, task: model(to_device(batch, device), task)


def train_task(
    model: SupermaskModel,
    task: Task,
    budget: Budget,
    mode: Mode,
    rng: torch.Generator,
    margin: float = 0.0,
    on_step: OnStep | None = None,
) -> TaskReport:
    """Adds one task: scores first, then (not in supsup) the weights that it may write; the best state is kept.

    Both phases step fresh Adam without weight decay. supsup spends the steps of both phases on its scores. A full
    network leaves no weight to write: then the mask alone answers, and the report's `own` is 0. Without a validation
    split the last state is kept. If anything fails, the model is as it was before the call.

    Args:
        margin: see `transfer_scores`; in standard errors, 0 = off.
        on_step: called as (name, step, steps, metrics) about 10 times per phase, name = "<task>/mask" or
            "<task>/weights".
    """
    task.check(needs=("train",))
    began = time.perf_counter()
    logits = logits_of(model)
    with model.protected():
        scores, transferred = transfer_scores(model, task.train, task.n_classes, budget.transfer, rng, margin)
        number = model.begin_task(task.name, task.classes, task.kind, scores)
        state = model.tasks[number]
        scored = [value.requires_grad_(True) for value in state.scores.values()]
        norm = list(state.norm.values())
        tuned = [state.norm[name].requires_grad_(True) for name, role in model.roles().items() if role == "task"]
        shared = {"params": tuned, "lr": budget.weight_lr}
        steps = budget.mask_steps + (budget.weight_steps if mode == "supsup" else 0)
        groups = [{"params": scored, "lr": budget.mask_lr}, shared]
        phase = fit(model, logits, [(number, task)], groups, scored + norm, steps, rng, f"{task.name}/mask", on_step)
        curve, best = phase.curve, phase.best
        for value in scored:
            value.requires_grad_(False)
        model.fix_masks(number, mode)
        own = sum(int(mask.sum()) for mask in state.own.values())
        if own:
            curve, best = _train_weights(model, number, task, budget, shared, rng, on_step, curve)
        for value in tuned:
            value.requires_grad_(False)
    seconds = time.perf_counter() - began
    return TaskReport(task.name, curve, best, steps_to_95(curve, best), seconds, own, transferred)


def _train_weights(
    model: SupermaskModel,
    number: int,
    task: Task,
    budget: Budget,
    shared: dict[str, Any],
    rng: torch.Generator,
    on_step: OnStep | None,
    curve: list[tuple[int, float]],
) -> tuple[list[tuple[int, float]], float | None]:
    """Phase 2: the weights that the task owns, all others checked to be unchanged bit for bit."""
    state, weights = model.tasks[number], model.weights()
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    trained = [weight.requires_grad_(True) for weight in weights.values()]

    def only_own() -> None:
        for name, weight in weights.items():
            if weight.grad is not None:
                weight.grad.masked_fill_(~state.own[name], 0.0)

    phase = fit(
        model,
        logits_of(model),
        [(number, task)],
        [{"params": trained, "lr": budget.weight_lr}, shared],
        trained + list(state.norm.values()),
        budget.weight_steps,
        rng,
        f"{task.name}/weights",
        on_step,
        only_own,
    )
    for name, weight in weights.items():
        if not torch.equal(weight.detach()[~state.own[name]], before[name][~state.own[name]]):
            raise RuntimeError(f"task {task.name}: training changed entries of {name} that the task does not own")
    return curve + [(budget.mask_steps + step, accuracy) for step, accuracy in phase.curve[1:]], phase.best


def run_sequence(
    model: SupermaskModel | Callable[[], SupermaskModel],
    tasks: Sequence[Task],
    settings: Budget,
    mode: Mode,
    rng: torch.Generator,
    margin: float = 0.0,
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> ContinualResult:
    """Trains the tasks one after another and checks all earlier ones after each.

    Args:
        model: without tasks, or a function that builds one. To add a task to one that has some: `train_task`.
        rng: order of batches and split of the transfer test; a CPU generator.
        folder: where to save each task as it ends (not in ssnet, whose tasks overwrite each other).

    Raises:
        ForgettingError: supsup or exssnet, and an earlier task's logits or norm tensors changed.
        ValueError: bad data, or a model that already has tasks.
    """
    model = model if isinstance(model, SupermaskModel) else model()
    if model.tasks:
        raise ValueError(f"the model already has {len(model.tasks)} tasks; use train_task to add one")
    if mode == "ssnet" and folder is not None:
        raise ValueError("ssnet tasks overwrite each other and cannot be saved; give no folder")
    for task in tasks:
        task.check()
    result = ContinualResult.empty(mode, [task.name for task in tasks])
    result.sizes = {name: weight.numel() for name, weight in model.weights().items()}
    result.capacity = {name: [] for name in result.sizes}
    logits = logits_of(model)
    snapshots: list[tuple[Tensor, str]] = []
    for number, task in enumerate(tasks):
        result.reports.append(train_task(model, task, settings, mode, rng, margin, on_step))
        if folder is not None:
            save_task(model, folder, number)
        for name, own in model.tasks[number].own.items():
            result.capacity[name].append(int(own.sum()))
        result.overlap[number, :number] = [_overlap(model, number, earlier) for earlier in range(number)]
        now = [_snapshot(model, logits, tasks[t], t) for t in range(number + 1)]
        same = [torch.equal(now[t][0], old[0]) and now[t][1] == old[1] for t, old in enumerate(snapshots)]
        result.bit_identical.append(same)
        if mode != "ssnet" and not all(same):
            moved = [tasks[t].name for t, equal in enumerate(same) if not equal]
            raise ForgettingError(f"training {task.name} moved the logits of {', '.join(moved)}")
        snapshots.append(now[number])
        for t in range(number + 1):
            result.accuracy[number, t] = evaluate(model, logits, tasks[t].test, t)[0]
    return result


def _snapshot(model: SupermaskModel, logits: Callable[[Any, int], Tensor], task: Task, t: int) -> tuple[Tensor, str]:
    return exact_logits(model, logits, task.test[0][0], t), fingerprint(model.tasks[t].norm)


def _overlap(model: SupermaskModel, task: int, earlier: int) -> float:
    own, other = model.tasks[task].masks, model.tasks[earlier].masks
    both = sum(int((mask & other[name]).sum()) for name, mask in own.items())
    return both / sum(int(mask.sum()) for mask in own.values())


def train_alone(
    factory: Callable[[], SupermaskModel], tasks: Sequence[Task], settings: Budget, mode: Mode, rng: torch.Generator
) -> list[float]:
    """Test accuracy of each task on a fresh model of its own: the reference for forward transfer."""
    results = [run_sequence(factory, [task], settings, mode, rng) for task in tasks]
    return [float(np.diagonal(result.accuracy)[0]) for result in results]
