"""Files of weights that know their own checksum: safetensors whose header holds a SHA-256 of the tensors."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from brep_mae.output.files import write_whole

CHECKSUM = "sha256"


class CheckpointError(ValueError):
    """A checkpoint can't be used; the message names the file, the reason and the remedy."""


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write_weights(path: Path, state: dict[str, Tensor]) -> None:
    """Writes a whole file or none."""
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    write_whole(path, save(weights, {CHECKSUM: fingerprint(weights)}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """What a file of weights holds. Raises CheckpointError where the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            checksum = (file.metadata() or {}).get(CHECKSUM)
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: weights do not fit ({error}); pretrain again, or make the file anew") from None
    if fingerprint(weights) != checksum:
        raise CheckpointError(
            f"{path}: its checksum does not match its weights; restore it from a copy or pretrain again"
        )
    return weights


def read_weights(path: Path, into: torch.nn.Module) -> None:
    """Fills a network. Raises CheckpointError where the file is damaged or holds another network."""
    weights = read_tensors(path)
    try:
        into.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: weights do not fit ({error}); pretrain again") from None
