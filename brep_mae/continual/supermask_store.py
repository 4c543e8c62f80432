"""Tasks on disk: per task 1 bit per weight, its norm tensors and the weights it owns; the base network once.

A folder holds `base.safetensors`, `task_00000.safetensors`, `task_00001.safetensors`, ... Each carries a SHA-256 of
its tensors and header; each task names the base it was cut from and the task before it, so that neither a foreign
mask nor a missing or exchanged task goes unnoticed.
"""

import hashlib
import json
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
    """What `list_tasks` tells without reading the tensors. `previous` and `base` are checksums."""

    name: str
    number: int
    classes: tuple[str, ...]
    kind: Kind
    base: str
    previous: str


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
    return _read(_task_path(folder, number - 1))[2] if number else "none"


def save_task(model: SupermaskModel, folder: Path, number: int) -> Path:
    """Writes the task's file (and the base, the first time) and returns its path; existing files are never changed.

    Tasks are saved in order. Raises TaskFileError if the folder belongs to another base or already has this task,
    ValueError if a task writes weights that an earlier one uses (mode ssnet): its saved answers would be wrong.
    """
    state = model.tasks[number]
    for i, other in enumerate(model.tasks):
        first, second = (other, state) if i < number else (state, other)
        if i != number and any(bool((first.masks[name] & own).any()) for name, own in second.own.items()):
            raise ValueError(f"task {second.name} writes weights of task {first.name}; such tasks cannot be kept apart")
    folder.mkdir(parents=True, exist_ok=True)
    path, base_path = _task_path(folder, number), folder / BASE_FILE
    if path.exists():
        raise TaskFileError(f"{path} exists and tasks are never overwritten; save to an empty folder")
    if base_path.exists():
        _require_base(base_path, model)
    else:
        _write(base_path, model.base_tensors, _config(model))
    header = TaskHeader(
        state.name, number, state.classes, state.kind, model.base_fingerprint, _previous(folder, number)
    )
    weights = model.weights()
    tensors = {f"norm/{name}": value for name, value in state.norm.items()}
    for name, mask in state.masks.items():
        tensors[f"mask/{name}"] = torch.from_numpy(np.packbits(mask.cpu().numpy().reshape(-1)))
        tensors[f"own/{name}"] = weights[name].detach()[state.own[name]]
    _write(path, tensors, json.dumps(asdict(header)))
    return path


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
    return [_header(_read(path)[1]) for path in _task_paths(folder)]


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
    _require_base(folder / BASE_FILE, model)
    device = model.shared_classifier.weight.device
    values = {name: weight.detach().clone() for name, weight in model.weights().items()}
    used = {name: torch.zeros_like(value, dtype=torch.bool) for name, value in values.items()}
    states, previous = [], "none"
    for number, path in enumerate(_task_paths(folder)):
        tensors, line, checksum = _read(path)
        header = _header(line)
        if header.base != model.base_fingerprint:
            raise TaskFileError(f"{path}: its mask was cut from another base network than {BASE_FILE}")
        if header.previous != previous or header.number != number:
            raise TaskFileError(f"{path}: it does not follow the task before it; a file was exchanged or is missing")
        norm = {n.removeprefix("norm/"): v.to(device) for n, v in tensors.items() if n.startswith("norm/")}
        state = TaskState(header.name, header.classes, header.kind, norm)
        for name, value in values.items():
            mask = _unpack(tensors, name, value, model.density, path)
            owned = tensors[f"own/{name}"].to(device)
            own = mask & ~used[name] if owned.numel() else torch.zeros_like(mask)
            if owned.numel() != int(own.sum()):
                raise TaskFileError(f"{path}: {owned.numel()} weights of {name} for {int(own.sum())} free places")
            value[own] = owned
            used[name] |= mask
            state.masks[name], state.own[name] = mask, own
        states.append(state)
        previous = checksum
    with torch.no_grad():
        for name, weight in model.weights().items():
            weight.copy_(values[name])
    model.tasks.extend(states)
    model.eval()


def _unpack(tensors: dict[str, Tensor], name: str, like: Tensor, density: float, path: Path) -> Tensor:
    packed = tensors.get(f"mask/{name}")
    count = like.numel()
    if packed is None or packed.numel() != (count + 7) // 8:
        raise TaskFileError(f"{path}: no mask of {count} bits for {name}; it was cut from another network")
    mask = torch.from_numpy(np.unpackbits(packed.numpy(), count=count).astype(bool)).reshape(like.shape)
    kept = count - int((1 - density) * count)
    if int(mask.sum()) != kept:
        raise TaskFileError(f"{path}: the mask of {name} keeps {int(mask.sum())} of {count}, not {kept}")
    return mask.to(like.device)
