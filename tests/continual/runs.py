"""Small models that learned a few tasks, and what they answered as each task ended."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from brep_mae.checkpoints.weights import fingerprint
from brep_mae.continual.continual import train_task
from brep_mae.continual.continual_fit import Task
from brep_mae.continual.supermask import SupermaskModel
from tests.continual.supermask_nets import KINDS, Settings, make_model, make_task

CASES = [
    (kind, base) for kind in KINDS for base in ("random", "pretrained") if (kind, base) != ("resnet18", "pretrained")
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def answers(model: SupermaskModel, task: Task, number: int) -> Tensor:
    model.eval()
    with torch.no_grad():
        return model(task.test[0][0], number)


@dataclass
class Run:
    """A trained model, what its logits were when each task ended, and hashes of W and S at each step of training."""

    model: SupermaskModel
    tasks: list[Task]
    then: list[Tensor] = field(default_factory=list)
    norm: list[str] = field(default_factory=list)
    hashes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def trained(kind: str, base: str, mode: str) -> Run:
    tasks = [make_task(kind, seed, n) for seed, n in ((0, 2), (1, 3), (2, 2))]
    run = Run(make_model(kind, base), tasks)

    def record(name: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        scores = {f"{t}/{n}": s for t, state in enumerate(run.model.tasks) for n, s in state.scores.items()}
        run.hashes.setdefault(name, []).append((fingerprint(run.model.weights()), fingerprint(scores)))

    rng = generator()
    for number, task in enumerate(tasks):
        train_task(run.model, task, Settings(), mode, rng, on_step=record)
        run.then.append(answers(run.model, task, number))
        run.norm.append(fingerprint(run.model.tasks[number].norm))
    return run
