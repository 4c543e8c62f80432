"""Which models there are: those that come with this package, and those in a folder."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from brep_mae import schema
from brep_mae.checkpoints.backbones import CONFIG, WEIGHTS, described
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.output.note import sha256

SHIPPED = Path(__file__).parent / "shipped"
"""One folder for each model that comes with this package, each with a card beside config.json and the weights."""
CARD = "card.json"
"""What is said of a model: `schema`, `licence` of the data, `scores`, `trained_on`; `sha256` of the weights of an
encoder, or of a fitted model's classifier."""
FITTED, CLASSIFIER, ENCODER = "model.json", "classifier.safetensors", "encoder"
"""Of a model that was fitted to labels what describes it, what it answers by, and the folder of the encoder whose codes
that reads, see `brep_mae.fitted.model`."""


@dataclass(frozen=True)
class Listed:
    """One model.

    Args:
        name: of its folder; for a shipped model that is its name.
        folder: where it lies.
        kind: a pretrained encoder, or a model that was fitted to labels.
        about: method or what has a class; for an encoder with a card what stands there too.
        problem: why it cannot be used, "" where it can.
    """

    name: str
    folder: Path
    kind: Literal["encoder", "fitted"]
    about: dict[str, Any]
    problem: str = ""


def shipped() -> list[Listed]:
    """The models that come with this package, by name."""
    return list(_in(SHIPPED))


def find(name: str) -> Path:
    """The folder of a model: one that comes with this package by its name, else any folder by its path. Raises
    CheckpointError where there is none."""
    if Path(name).name == name and (SHIPPED / name).is_dir():
        return SHIPPED / name
    if not Path(name).is_dir():
        names = ", ".join(one.name for one in shipped())
        raise CheckpointError(f"{name}: no such file or folder, nor a model that comes with the package ({names})")
    return Path(name)


def encoder_in(folder: Path) -> Path:
    """The folder of an encoder: `folder` itself, or where that is a fitted model, of what it reads. Raises
    CheckpointError where that is plain features alone."""
    if not (folder / FITTED).is_file():
        return folder
    if not (folder / ENCODER).is_dir():
        raise CheckpointError(f"{folder}: a model that reads plain features alone, and no encoder; name another")
    return folder / ENCODER


def listed(folder: Path) -> list[Listed]:
    """`folder` itself, if it is a model, else those directly in it, by name."""
    return [found] if (found := _model(folder)) else list(_in(folder))


def _in(folder: Path) -> Iterator[Listed]:
    for each in sorted(folder.iterdir()) if folder.is_dir() else ():
        if each.is_dir() and not each.name.startswith(".") and (found := _model(each)):
            yield found


def _model(folder: Path) -> Listed | None:
    if (folder / FITTED).is_file():
        return _fitted(folder)
    return _encoder(folder) if (folder / CONFIG).is_file() else None


def _encoder(folder: Path) -> Listed:
    about: dict[str, Any] = {}
    try:
        method, _, spec = described(folder)
        about = {"method": method, "grid": spec.grid, "frame": spec.frame}
        if not (folder / WEIGHTS).is_file():
            raise CheckpointError(f"{folder / WEIGHTS}: is missing; restore it from a copy or pretrain again")
        about |= _card(folder, folder / WEIGHTS)
    except CheckpointError as error:
        return Listed(folder.name, folder, "encoder", about, str(error))
    return Listed(folder.name, folder, "encoder", about)


def _card(folder: Path, file: Path) -> dict[str, Any]:
    """What a card says of that file, if there is a card. Raises CheckpointError where it is of another file."""
    if not (folder / CARD).is_file():
        return {}
    card = _read(folder / CARD)
    if card.get("sha256") != sha256(file):
        raise CheckpointError(f"{file}: is not what {CARD} says; install the package again")
    return {"card": card}


def _fitted(folder: Path) -> Listed:
    try:
        model = _read(folder / FITTED)
        about = {"of": model.get("unit"), "classes": model.get("classes")}
        if model.get("schema") != schema.VERSION:
            made = model.get("schema")
            raise CheckpointError(f"{folder}: fitted with data schema {made}, this is {schema.VERSION}; fit it again")
        about |= _card(folder, folder / CLASSIFIER)
    except CheckpointError as error:
        return Listed(folder.name, folder, "fitted", {}, str(error))
    return Listed(folder.name, folder, "fitted", about)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); restore it from a copy") from None
