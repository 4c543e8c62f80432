"""The folder in which a pretrained backbone is handed on: safetensors and JSON, nothing that can run code."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from brep_mae import schema
from brep_mae.checkpoints.weights import CHECKSUM, CheckpointError, read_weights, write_weights
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.output.files import write_whole
from brep_mae.output.note import sha256

CONFIG, WEIGHTS, STEPS = "config.json", "model.safetensors", "steps"


def save_backbone(
    folder: Path, backbone: FeatureExtractor, method: str, values: dict[str, Any], spec: DataSpec, data: str
) -> None:
    """Writes config.json and model.safetensors.

    Args:
        values: the method's raw block of `params.yaml`, from which the network is built again.
        data: digest of the solids it was pretrained on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / WEIGHTS, backbone.state_dict())
    config = {"schema": schema.VERSION, "method": method, "params": values, "spec": asdict(spec), "data": data}
    config[CHECKSUM] = _checksum(config)
    write_whole(folder / CONFIG, json.dumps(config, indent=1, sort_keys=True) + "\n")


def _checksum(config: dict[str, Any]) -> str:
    """SHA-256 of all else that a description says."""
    text = json.dumps({key: value for key, value in config.items() if key != CHECKSUM}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def save_snapshot(folder: Path, step: int, backbone: FeatureExtractor) -> None:
    """Keeps the backbone as it is after `step` steps: `folder`/000100.safetensors, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / f"{step:06d}.safetensors", backbone.state_dict())


def snapshots(folder: Path) -> Iterator[tuple[int, FeatureExtractor]]:
    """(step, backbone in evaluation mode) of a checkpoint's snapshots by rising step, each read when it is asked for.
    Raises CheckpointError."""
    for path in sorted((folder / STEPS).glob("*.safetensors")):
        yield int(path.stem), _with_weights(folder, path)


def new_backbone(folder: Path) -> FeatureExtractor:
    """The network of a checkpoint with fresh weights from torch's global generator: the from-scratch baseline."""
    method, values, spec = described(folder)
    return build(method, values, spec, str(folder / CONFIG)).backbone()


def described(folder: Path) -> tuple[str, dict[str, Any], DataSpec]:
    """Method, its parameters, and the spec of the data a checkpoint was made for. Raises CheckpointError."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        version, spec = config["schema"], DataSpec(**config["spec"])
        method, values = config["method"], config["params"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / CONFIG}: not a checkpoint's description ({error}); pretrain again") from None
    if version != schema.VERSION:
        raise CheckpointError(
            f"{folder}: made with data schema {version}, this is {schema.VERSION}; pretrain again or use its release"
        )
    if config.get(CHECKSUM) != _checksum(config):
        raise CheckpointError(
            f"{folder / CONFIG}: its checksum does not match what it says; restore it from a copy or pretrain again"
        )
    return method, values, spec


def require_grid(encoder: Path, parsed: Path) -> None:
    """Raises ValueError where the solids have other UV-grids than the checkpoint was made for."""
    reads, stored = described(encoder)[2].grid, json.loads((parsed / "dataset.json").read_text())["parse"]["grid"]
    if reads != stored:
        raise ValueError(
            f"{parsed}: grids of {stored} samples a side, {encoder} reads {reads}: parse again with --grid {reads}"
        )


def weights_named(values: Mapping[str, Any]) -> dict[str, str]:
    """`path` of every network that a method's block names, such as a teacher -> SHA-256 of its weights. One that is not
    there has none; whoever opens it says so."""
    files = {path: Path(path) / WEIGHTS if Path(path).is_dir() else Path(path) for path in paths_named(values)}
    return {path: sha256(file) for path, file in files.items() if file.is_file()}


def paths_named(values: Mapping[str, Any]) -> list[str]:
    """`path` of every network that a method's block names, whether it is there or not."""
    found: list[str] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += paths_named(value)
        elif key == "path" and value:
            found.append(value)
    return found


def load_backbone(folder: Path) -> FeatureExtractor:
    """The pretrained backbone, in evaluation mode. Raises CheckpointError."""
    return _with_weights(folder, folder / WEIGHTS)


def load_face_backbone(folder: Path) -> FeatureExtractor:
    """The same, of one that reads faces alone. Raises CheckpointError where it reads renders."""
    backbone = load_backbone(folder)
    if "frames" in backbone.reads:
        raise CheckpointError(f"{folder}: the encoder reads renders; name one that reads faces alone")
    return backbone


def _with_weights(folder: Path, path: Path) -> FeatureExtractor:
    backbone = new_backbone(folder)
    read_weights(path, backbone)
    return backbone.eval()
