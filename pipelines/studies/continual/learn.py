"""One sequence of tasks, learned one way: what the stage `continual` and the continual study have in common."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from brep_mae import ranks
from brep_mae.continual.class_tasks import TaskFeatures
from brep_mae.continual.continual import run_sequence
from brep_mae.continual.continual_baselines import Baseline, run_baseline, run_majority
from brep_mae.continual.continual_fit import Task
from brep_mae.continual.supermask import Mode, SupermaskModel
from brep_mae.continual.supermask_roles import Base
from brep_mae.seeds import generator
from brep_mae.settings import TaskParams

Learner = Literal["exssnet", "supsup", "ssnet", "sequential", "frozen", "joint", "majority"]
SUPERMASKS: tuple[Mode, ...] = get_args(Mode)
BASELINES: dict[Learner, Baseline] = {"sequential": "finetune", "frozen": "frozen", "joint": "joint"}


def learn(
    way: Learner,
    features: TaskFeatures,
    tasks: Sequence[Task],
    params: TaskParams,
    base: Base,
    density: float,
    seed: int,
) -> dict[str, Any]:
    """The row of one way and seed.

    Accuracies as in `ContinualResult`; per task `steps_to_95`, `seconds_each`, `own` (share of all weights that it
    may write) and `chosen` (tasks whose scores it started from); `used`, per weight tensor and `written`, of all
    weights, the share that some task may write; `overlap`, the mean share of a mask that one earlier task's mask has
    too.
    """
    rng = generator(seed)
    torch.manual_seed(seed)
    written: dict[str, Tensor] = {}
    if way in SUPERMASKS:
        width = max(task.n_classes for task in tasks)
        model = SupermaskModel(features, width, features.dim, density, base, seed).to(ranks.device())
        result = run_sequence(model, tasks, params, way, rng, params.margin)
        written = {name: torch.stack([state.own[name] for state in model.tasks]).any(0) for name in model.weights()}
    elif way == "majority":
        result = run_majority(tasks)
    else:
        result = run_baseline(lambda: features.to(ranks.device()), features.dim, tasks, params, BASELINES[way], rng)
    checks = [same for row in result.bit_identical for same in row]
    total, own = sum(result.sizes.values()), np.array(list(result.capacity.values())).reshape(-1, len(tasks)).sum(0)
    found = result.to_dict()
    forgetting = found["forgetting"]
    return {key: found[key] for key in ("accuracy", "average_accuracy")} | {
        "seed": seed,
        "tasks": result.names,
        "forgetting": float(np.mean(forgetting)) if forgetting else 0.0,
        "bit_identical": all(checks) if checks else None,
        "seconds": sum(report.seconds for report in result.reports),
        "seconds_each": [report.seconds for report in result.reports],
        "steps_to_95": [report.steps_to_95 for report in result.reports],
        "own": [float(each) / total for each in own] if total else [],
        "used": {name: float(entries.float().mean()) for name, entries in written.items()},
        "written": sum(int(entries.sum()) for entries in written.values()) / total if total else None,
        "overlap": None if np.isnan(result.overlap).all() else float(np.nanmean(result.overlap)),
        "chosen": [report.transferred.chosen if report.transferred else [] for report in result.reports],
    }
