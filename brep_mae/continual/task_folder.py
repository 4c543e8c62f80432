"""A folder of tasks that grows over years and processes: an encoder's description, its base, one file per task.

Beside the files of `supermask_store` lies the encoder's config.json, from which its network is built again; the
checkpoint it came from is not needed any more.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from brep_mae.checkpoints.backbones import CONFIG, WEIGHTS, load_backbone, new_backbone
from brep_mae.continual.class_tasks import TaskBatch, TaskFeatures
from brep_mae.continual.continual import exact_logits, logits_of, train_task
from brep_mae.continual.continual_fit import OnStep, Task, TaskReport, evaluate
from brep_mae.continual.supermask import SupermaskModel
from brep_mae.continual.supermask_roles import Base
from brep_mae.continual.supermask_store import (
    BASE_FILE,
    TaskFileError,
    list_tasks,
    load_tasks,
    restore_base,
    save_task,
    saved_settings,
)
from brep_mae.datasets.batch import Batch
from brep_mae.output.files import write_whole, written
from brep_mae.output.lock import ROOM
from brep_mae.seeds import generator
from brep_mae.settings import TaskParams


@dataclass(frozen=True)
class Added:
    """What adding a task did.

    Args:
        test: accuracy on the task's test rows; None = it has none.
        unmoved: how many earlier tasks answer a batch of the new one's data as before, bit for bit: all of them.
        full: True = no weight is left for a later task to own.
        path, size: the task's file, and its bytes.
    """

    report: TaskReport
    test: float | None
    unmoved: int
    full: bool
    path: Path
    size: int


def new_tasks(encoder: Path, max_classes: int, density: float, base: Base, seed: int = 0) -> SupermaskModel:
    """A model without tasks on the encoder of a checkpoint folder."""
    torch.manual_seed(seed)
    backbone = load_backbone(encoder) if base == "pretrained" else new_backbone(encoder)
    return SupermaskModel(TaskFeatures(backbone), max_classes, backbone.dim, density, base, seed)


def reads(model: SupermaskModel) -> frozenset[str]:
    """Content that the model's encoder needs, by the names in datasets/content.py."""
    backbone: Any = model.model.backbone
    return frozenset(backbone.reads)


def open_tasks(folder: Path) -> SupermaskModel:
    """The model with all tasks of the folder, in evaluation mode.

    Raises:
        TaskFileError: a file is damaged, missing or foreign.
        CheckpointError: the encoder's description is.
    """
    if not folder.is_dir():
        raise TaskFileError(f"{folder}: no such folder; add a first task with an encoder, or check the path")
    settings = saved_settings(folder)
    backbone = new_backbone(folder)
    model = SupermaskModel(TaskFeatures(backbone), **settings)
    restore_base(model, folder)
    load_tasks(model, folder)
    return model


def room(folder: Path, encoder: Path | None) -> int:
    """Bytes that one more task takes at most: its masks and all of the weights, and in a new folder the base."""
    base = folder / BASE_FILE if encoder is None else encoder / WEIGHTS
    return ROOM + 3 * (base.stat().st_size if base.is_file() else 0)


def add_task(
    model: SupermaskModel, task: Task, params: TaskParams, folder: Path, encoder: Path, on_step: OnStep | None = None
) -> Added:
    """Trains one more task and saves it; what was saved before is not touched.

    Args:
        model: from `new_tasks`, where the folder is new, or from `open_tasks`.
        encoder: whose config.json describes the model's network.

    Raises:
        ValueError: the data does not make a task, or the model has one of its name.
        RuntimeError: an earlier answer moved; nothing is saved.
    """
    number = len(model.tasks)
    task.check(needs=("train",))
    logits, probe = logits_of(model), (task.test or task.train)[0][0]
    asked = [TaskBatch(probe.batch, earlier.kind) for earlier in model.tasks]
    before = [exact_logits(model, logits, batch, t) for t, batch in enumerate(asked)]
    report = train_task(model, task, params, "exssnet", generator(model.seed + number), params.margin, on_step)
    after = [exact_logits(model, logits, batch, t) for t, batch in enumerate(asked)]
    moved = [model.tasks[t].name for t in range(number) if not torch.equal(before[t], after[t])]
    if moved:
        raise RuntimeError(f"training {task.name} moved the answers of {', '.join(moved)}; it is not saved")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / CONFIG).exists():
        with written(folder):
            write_whole(folder / CONFIG, (encoder / CONFIG).read_bytes())
    path = save_task(model, folder, number)
    test = evaluate(model, logits, task.test, number)[0] if task.test else None
    full = all(bool(used.all()) for used in model.used().values())
    return Added(report, test, number, full, path, path.stat().st_size)


def task_number(folder: Path, name: str) -> int:
    """The place of a saved task. Raises ValueError with the names that there are."""
    headers = list_tasks(folder)
    found = [header.number for header in headers if header.name == name]
    if not found:
        known = ", ".join(header.name for header in headers)
        raise ValueError(f"{folder}: no task {name}; it has {known}")
    return found[0]


@torch.no_grad()
def predict(model: SupermaskModel, batch: Batch, number: int) -> list[dict[str, float]]:
    """For each row the class that task `number` answers, with the share the model gives it; of a multilabel task all
    classes with a share above a half."""
    model.eval()
    state = model.tasks[number]
    logits = logits_of(model)(TaskBatch(batch, state.kind), number).cpu()
    if state.kind == "multilabel":
        rows = [zip(state.classes, row, strict=True) for row in logits.sigmoid().tolist()]
        return [{name: share for name, share in row if share > 0.5} for row in rows]
    shares, places = logits.softmax(1).max(1)
    return [{state.classes[i]: share} for share, i in zip(shares.tolist(), places.tolist(), strict=True)]
