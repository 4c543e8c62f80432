"""A folder of tasks that grows over years and processes: an encoder's description, its base, one file per task.

Beside the files of `supermask_store` lies the encoder's config.json, from which its network is built again; the
checkpoint it came from is not needed any more.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from brep_mae import ranks
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
    remove_task,
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
    return SupermaskModel(TaskFeatures(backbone), max_classes, backbone.dim, density, base, seed).to(ranks.device())


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
    model = _without_tasks(folder)
    load_tasks(model, folder)
    return model


def _without_tasks(folder: Path) -> SupermaskModel:
    if not folder.is_dir():
        raise TaskFileError(f"{folder}: no such folder; add a first task with an encoder, or check the path")
    settings = saved_settings(folder)
    backbone = new_backbone(folder)
    model = SupermaskModel(TaskFeatures(backbone), **settings)
    restore_base(model, folder)
    return model.to(ranks.device())


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
    report = train_task(model, task, params, "exssnet", generator(model.seed + model.begun), params.margin, on_step)
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
    """The place of a saved task among those that there are. Raises ValueError with the names that there are."""
    names = [header.name for header in list_tasks(folder)]
    if name not in names:
        raise ValueError(f"{folder}: no task {name}; it has {', '.join(names) or 'none'}")
    return names.index(name)


def remove(folder: Path, name: str) -> tuple[int, int]:
    """Removes a task; all others answer as before, bit for bit. Returns how many weights are free for later tasks now,
    and how many stay since others read them.

    Raises:
        ValueError: there is no task of this name, or a file is damaged (TaskFileError, CheckpointError).
    """
    task_number(folder, name)
    return remove_task(_without_tasks(folder), folder, name)


def export(folder: Path, name: str, out: Path) -> None:
    """Writes a folder with this task alone, which answers as it does here, bit for bit, and takes more tasks.

    Args:
        out: an empty folder.

    Raises:
        ValueError: as for `remove`.
    """
    model = open_tasks(folder)
    state = model.tasks[task_number(folder, name)]
    alone = _without_tasks(folder)
    with torch.no_grad():
        for key, weight in alone.weights().items():
            weight[state.masks[key]] = model.weights()[key][state.masks[key]]
    alone.tasks.append(replace(state, number=0, own=state.masks))
    save_task(alone, out, 0)
    write_whole(out / CONFIG, (folder / CONFIG).read_bytes())


@torch.no_grad()
def predict(model: SupermaskModel, batch: Batch, place: int) -> list[dict[str, float]]:
    """For each row the class that the task at `place` answers, with the share the model gives it; of a multilabel task
    all classes with a share above a half."""
    model.eval()
    state = model.tasks[place]
    logits = logits_of(model)(TaskBatch(batch, state.kind), place).cpu()
    if state.kind == "multilabel":
        rows = [zip(state.classes, row, strict=True) for row in logits.sigmoid().tolist()]
        return [{name: share for name, share in row if share > 0.5} for row in rows]
    shares, places = logits.softmax(1).max(1)
    return [{state.classes[i]: share} for share, i in zip(shares.tolist(), places.tolist(), strict=True)]
