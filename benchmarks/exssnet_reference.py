"""ExSSNeT against its released code, which runs beside it and is not part of this repository.

Both learn SplitCIFAR-10 as the continual study does (sequence `split_cifar`: same images, splits and steps) from the
same weights and scores, in the same order of batches. In double precision the losses must agree throughout; in single
precision rounding sends the two apart, for Adam's first step is the sign of every gradient, however small.

    git clone https://github.com/prateeky2806/exessnet ../exessnet
    python -m benchmarks.exssnet_reference --official ../exessnet
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.official_exssnet import Official
from brep_mae.continual.class_tasks import TaskBatch, TaskFeatures
from brep_mae.continual.continual import run_sequence
from brep_mae.continual.continual_fit import Task, evaluate
from brep_mae.continual.supermask import SupermaskModel
from brep_mae.models.resnet import ResNet18
from brep_mae.report.tables import interval
from brep_mae.seeds import generator
from brep_mae.settings import TaskParams
from pipelines.studies.continual.plan import plan
from pipelines.studies.continual.sequence import tasks_in_turn

SEQUENCE, ARM = "split_cifar", "exssnet_10"
AGREE = 1e-6


def of_type(task: Task, dtype: torch.dtype) -> Task:
    """The task with images of another precision."""

    def turned(asked: TaskBatch) -> TaskBatch:
        assert asked.batch.frames is not None
        frames = replace(asked.batch.frames, image=asked.batch.frames.image.to(dtype))
        return replace(asked, batch=replace(asked.batch, frames=frames))

    train, val, test = ([(turned(b), y) for b, y in side] for side in (task.train, task.val, task.test))
    return replace(task, train=train, val=val, test=test)


def both(path: Path, tasks: list[Task], budget: TaskParams, density: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training losses (2, tasks * tenths) and test accuracies (2, tasks), of the released code and ours."""
    torch.manual_seed(seed)
    start = SupermaskModel(TaskFeatures(ResNet18()), tasks[0].n_classes, ResNet18().dim, density, "random", seed)
    theirs, rng = Official(path, start, len(tasks), budget.batch), generator(seed)
    losses: list[list[float]] = [[], []]
    for number, task in enumerate(tasks):
        losses[0] += theirs.learn(number, task, budget, rng)
    accuracy = [[evaluate(theirs.model, theirs.logits, task.test, n)[0] for n, task in enumerate(tasks)]]

    def keep(name: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        losses[1] += [metrics["loss"]] if step else []

    result = run_sequence(start, tasks, budget, "exssnet", generator(seed), on_step=keep)
    accuracy.append([float(a) for a in result.accuracy[-1]])
    return np.array(losses), np.array(accuracy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, required=True, help="folder of prateeky2806/exessnet")
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--single", action="store_true", help="single precision, as the study trains")
    args = parser.parse_args()
    torch.set_default_dtype(dtype := torch.float32 if args.single else torch.float64)
    todo = plan()
    budget, rows = todo.params(SEQUENCE, ARM), []
    for seed in range(args.seeds):
        tasks = [of_type(task, dtype) for task in tasks_in_turn(todo.sequences[SEQUENCE], budget.batch, seed)]
        losses, accuracy = both(args.official, tasks, budget, args.density, seed)
        theirs, mine = accuracy.mean(1)
        gap = float(abs(losses[0] - losses[1]).max())
        rows.append({"seed": seed, "released": theirs, "ours": mine, "largest_difference_of_losses": gap})
        print(json.dumps(rows[-1]), flush=True)
    gain = interval([row["ours"] - row["released"] for row in rows])
    print(json.dumps({"density": args.density, "ours_minus_released": gain}))
    if not args.single and max(row["largest_difference_of_losses"] for row in rows) > AGREE:
        raise SystemExit(f"the losses of the two implementations differ by more than {AGREE}")


if __name__ == "__main__":
    main()
