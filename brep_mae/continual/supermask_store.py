"""Tasks on disk: per task 1 bit per weight, its norm tensors and the weights it owns; the base network once.

A folder holds `base.safetensors`, `task_00000.safetensors`, `task_00001.safetensors`, ... Each carries a SHA-256 of
its tensors and header; each task names the base it was cut from and the task before it, so that neither a foreign
mask nor a missing or exchanged task goes unnoticed. The file of a removed task stays, without a name and with no more
than the weights that other tasks read: no other file changes when a task goes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from brep_mae.checkpoints.weights import fingerprint
from brep_mae.continual.supermask import Kind, SupermaskModel, TaskState
from brep_mae.output.files import write_whole, written

BASE_FILE = "base.safetensors"


class TaskFileError(ValueError):
    """A file of saved tasks is damaged, missing or foreign; the message names file, reason and remedy."""


@dataclass(frozen=True)
class TaskHeader:
    """What `list_tasks` tells without reading the tensors.

    Args:
        number: how many tasks were saved before it, removed ones included.
        base, previous: checksums of the base it was cut from, and of the task before it.
        removed: "" for a task; else the checksum of the removed one's file, which the next task names.
    """

    name: str
    number: int
    classes: tuple[str, ...]
    kind: Kind
    base: str
    previous: str
    removed: str = ""


def _checksum(tensors: dict[str, Tensor], header: str) -> str:
    return hashlib.sha256((fingerprint(tensors) + header).encode()).hexdigest()


def _write(path: Path, tensors: dict[str, Tensor], header: str) -> None:
    """A crash leaves either no file or a whole one. Raises OutputError where there is no room."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with written(path):
        write_whole(path, save(tensors, metadata={"header": header, "sha256": _checksum(tensors, header)}))


def _read(path: Path) -> tuple[dict[str, Tensor], str, str]:
    """Tensors, header and checksum of a file, once its bytes agree with the checksum."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError:
        raise TaskFileError(f"{path}: no such file; save the task first, or point to the folder that has it") from None
    except (SafetensorError, OSError) as error:
        raise TaskFileError(f"{path}: not a readable task file ({error}); restore it from a copy") from None
    header = metadata.get("header", "")
    if not header or _checksum(tensors, header) != metadata.get("sha256"):
        raise TaskFileError(f"{path}: the checksum does not match its contents; restore the file from a copy")
    return tensors, header, metadata["sha256"]


def _task_path(folder: Path, number: int) -> Path:
    return folder / f"task_{number:05d}.safetensors"


def _previous(folder: Path, number: int) -> str:
    if not number:
        return "none"
    _, line, checksum = _read(_task_path(folder, number - 1))
    return _header(line).removed or checksum


def save_task(model: SupermaskModel, folder: Path, place: int) -> Path:
    """Writes the task's file (and the base, the first time) and returns its path; existing files are never changed.

    Tasks are saved in order. Raises TaskFileError if the folder belongs to another base or already has this task,
    ValueError if a task writes weights that an earlier one uses (mode ssnet): its saved answers would be wrong.
    """
    state = model.tasks[place]
    for i, other in enumerate(model.tasks):
        first, second = (other, state) if i < place else (state, other)
        if i != place and any(bool((first.masks[name] & own).any()) for name, own in second.own.items()):
            raise ValueError(f"task {second.name} writes weights of task {first.name}; such tasks cannot be kept apart")
    folder.mkdir(parents=True, exist_ok=True)
    path, base_path = _task_path(folder, state.number), folder / BASE_FILE
    if path.exists():
        raise TaskFileError(f"{path} exists and tasks are never overwritten; save to an empty folder")
    if base_path.exists():
        _require_base(base_path, model)
    else:
        _write(base_path, model.base_tensors, _config(model))
    previous = _previous(folder, state.number)
    header = TaskHeader(state.name, state.number, state.classes, state.kind, model.base_fingerprint, previous)
    tensors = {f"norm/{name}": value for name, value in state.norm.items()}
    _write(path, tensors | _packed(state.masks, state.own, model.weights()), json.dumps(asdict(header)))
    return path


def _packed(masks: Mapping[str, Tensor], own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors = {}
    for name, mask in masks.items():
        tensors[f"mask/{name}"] = torch.from_numpy(np.packbits(mask.cpu().numpy().reshape(-1)))
        tensors[f"own/{name}"] = weights[name].detach()[own[name]]
    return tensors


def _config(model: SupermaskModel) -> str:
    """What must agree for masks to fit, besides names and shapes of the tensors; `seed` also draws later scores."""
    keys = ("max_classes", "feature_dim", "density", "base", "seed")
    return json.dumps({key: getattr(model, key) for key in keys})


def _fitting_base(path: Path, model: SupermaskModel) -> dict[str, Tensor]:
    """The saved base, if its settings, names, shapes and types are the model's; refused with the first difference."""
    tensors, config, _ = _read(path)
    saved, now = json.loads(config), json.loads(_config(model))
    for key, value in saved.items():
        if now.get(key) != value:
            raise TaskFileError(f"{path}: the tasks were cut with {key} {value}, this model has {now.get(key)}")
    ours = model.base_tensors
    for name in sorted(tensors.keys() ^ ours.keys()):
        raise TaskFileError(f"{path}: {name} is in {'the file' if name in tensors else 'this model'} only")
    for name, value in tensors.items():
        if value.shape != ours[name].shape or value.dtype != ours[name].dtype:
            raise TaskFileError(f"{path}: {name} is {tuple(value.shape)}, this model's is {tuple(ours[name].shape)}")
    return tensors


def _require_base(path: Path, model: SupermaskModel) -> None:
    tensors = _fitting_base(path, model)
    differing = [name for name, value in tensors.items() if not torch.equal(value, model.base_tensors[name])]
    if differing:
        raise TaskFileError(
            f"{path}: {len(differing)} tensors differ from this model's base, first {differing[0]}; "
            "build the model from the same checkpoint and seed, or call restore_base"
        )


def saved_settings(folder: Path) -> dict[str, Any]:
    """The arguments of the `SupermaskModel` that the folder's tasks were cut from. Raises TaskFileError."""
    return dict(json.loads(_read(folder / BASE_FILE)[1]))


def restore_base(model: SupermaskModel, folder: Path) -> None:
    """Gives a model without tasks the saved base, so that a new process needs the architecture and settings only."""
    model.set_base(_fitting_base(folder / BASE_FILE, model))


def list_tasks(folder: Path) -> list[TaskHeader]:
    """Headers of the saved tasks in order, each file checked against its checksum."""
    headers = [_header(_read(path)[1]) for path in _task_paths(folder)]
    return [header for header in headers if not header.removed]


def _header(line: str) -> TaskHeader:
    values = json.loads(line)
    return TaskHeader(**values | {"classes": tuple(values["classes"])})


def _task_paths(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("task_*.safetensors"))
    if not paths:
        raise TaskFileError(f"{folder}: no saved tasks; train one first, or point to the folder that has them")
    return paths


def load_tasks(model: SupermaskModel, folder: Path) -> None:
    """Reads all saved tasks into a model without tasks; all or nothing.

    Raises:
        TaskFileError: a file is damaged or missing, or a mask does not fit the base or the tasks before it.
    """
    if model.tasks:
        raise ValueError(f"the model already has {len(model.tasks)} tasks; load into a fresh one")
    saved, values = _saved(model, folder)
    with torch.no_grad():
        for name, weight in model.weights().items():
            weight.copy_(values[name])
    model.tasks.extend(state for header, state in saved if not header.removed)
    model.begun = len(saved)
    model.eval()


def remove_task(model: SupermaskModel, folder: Path, name: str) -> tuple[int, int]:
    """Removes a task from the folder; `model` has the folder's base, and stays without tasks.

    Of the task's weights those stay that another task's mask selects; all others are free, and the base's again. What
    earlier removals left is looked through in the same way. One file is replaced at a time, each whole: where that is
    cut off, the other tasks answer as before. Returns how many weights were freed, and how many stay. Raises
    TaskFileError.
    """
    saved, values = _saved(model, folder)
    needed = {key: torch.zeros_like(value, dtype=torch.bool) for key, value in values.items()}
    for header, state in saved:
        if not header.removed and header.name != name:
            needed = {key: mask | state.masks[key] for key, mask in needed.items()}
    freed, kept = 0, 0
    for header, state in reversed(saved):  # a file counts on the places that those before it hold
        if header.removed or header.name == name:
            path = _task_path(folder, header.number)
            masks, own = ({key: one[key] & needed[key] for key in needed} for one in (state.masks, state.own))
            removed = header.removed or _read(path)[2]
            rest = TaskHeader("", header.number, (), header.kind, header.base, header.previous, removed)
            _write(path, _packed(masks, own, values), json.dumps(asdict(rest)))
            kept += sum(int(mask.sum()) for mask in own.values())
            freed += sum(int((mask & ~own[key]).sum()) for key, mask in state.own.items())
    return freed, kept


def _saved(model: SupermaskModel, folder: Path) -> tuple[list[tuple[TaskHeader, TaskState]], dict[str, Tensor]]:
    """All tasks of the folder and what is left of removed ones, in order, and the weights that they trained."""
    _require_base(folder / BASE_FILE, model)
    device = model.shared_classifier.weight.device
    values = {name: weight.detach().clone() for name, weight in model.weights().items()}
    used = {name: torch.zeros_like(value, dtype=torch.bool) for name, value in values.items()}
    saved, previous = [], "none"
    for number, path in enumerate(_task_paths(folder)):
        tensors, line, checksum = _read(path)
        header = _header(line)
        if header.base != model.base_fingerprint:
            raise TaskFileError(f"{path}: its mask was cut from another base network than {BASE_FILE}")
        if header.previous != previous or header.number != number:
            raise TaskFileError(f"{path}: it does not follow the task before it; a file was exchanged or is missing")
        norm = {n.removeprefix("norm/"): v.to(device) for n, v in tensors.items() if n.startswith("norm/")}
        state = TaskState(header.name, header.classes, header.kind, number, norm)
        for name, value in values.items():
            mask = _unpack(tensors, name, value, path)
            selected, whole = int(mask.sum()), mask.numel() - int((1 - model.density) * mask.numel())
            if not header.removed and selected != whole:
                raise TaskFileError(f"{path}: the mask of {name} keeps {selected} of {mask.numel()}, not {whole}")
            owned = tensors[f"own/{name}"].to(device)
            own = mask & ~used[name] if owned.numel() else torch.zeros_like(mask)
            if owned.numel() != int(own.sum()):
                raise TaskFileError(f"{path}: {owned.numel()} weights of {name} for {int(own.sum())} free places")
            value[own] = owned
            used[name] |= mask
            state.masks[name], state.own[name] = mask, own
        saved.append((header, state))
        previous = header.removed or checksum
    return saved, values


def _unpack(tensors: dict[str, Tensor], name: str, like: Tensor, path: Path) -> Tensor:
    packed = tensors.get(f"mask/{name}")
    count = like.numel()
    if packed is None or packed.numel() != (count + 7) // 8:
        raise TaskFileError(f"{path}: no mask of {count} bits for {name}; it was cut from another network")
    mask = torch.from_numpy(np.unpackbits(packed.numpy(), count=count).astype(bool)).reshape(like.shape)
    return mask.to(like.device)
