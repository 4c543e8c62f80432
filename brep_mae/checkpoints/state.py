"""The state of a training that can be resumed, read with `weights_only=True`: nothing in it can run code."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.output.files import whole_file


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Writes tensors and plain values so that a crash leaves the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        torch.save(state, file)


def load_state(path: Path, device: torch.device) -> dict[str, Any] | None:
    """The state saved last, or None where there is none. Raises CheckpointError for a file that is not whole."""
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:  # torch itself does not look at the checksums that it writes
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"{damaged} in it is damaged")
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path}: not a training state ({error}); delete it to train from the start") from None
