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
"""What is said of a model: `schema`, `licence` of the data, `sha256` of the weights, `scores`, `trained_on`."""
FITTED = "model.json"
"""Describes a model that was fitted to labels, see `brep_mae.fitted.model`."""


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
        if (folder / CARD).is_file():
            card = _read(folder / CARD)
            about |= {"card": card}
            if card.get("sha256") != sha256(folder / WEIGHTS):
                raise CheckpointError(f"{folder / WEIGHTS}: is not what {CARD} says; install the package again")
    except CheckpointError as error:
        return Listed(folder.name, folder, "encoder", about, str(error))
    return Listed(folder.name, folder, "encoder", about)


def _fitted(folder: Path) -> Listed:
    try:
        model = _read(folder / FITTED)
        about = {"of": model.get("unit"), "classes": model.get("classes")}
        if model.get("schema") != schema.VERSION:
            made = model.get("schema")
            raise CheckpointError(f"{folder}: fitted with data schema {made}, this is {schema.VERSION}; fit it again")
    except CheckpointError as error:
        return Listed(folder.name, folder, "fitted", {}, str(error))
    return Listed(folder.name, folder, "fitted", about)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); restore it from a copy") from None
