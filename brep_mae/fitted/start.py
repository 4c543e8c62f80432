"""What is there before labels are learned from: plain features, an encoder, or a model that was fitted before."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brep_mae.answers import Unit
from brep_mae.checkpoints.backbones import described
from brep_mae.checkpoints.listed import FITTED, encoder_in
from brep_mae.fitted.classifier import Classifier
from brep_mae.fitted.model import FittedModel, encoders_in, load_model
from brep_mae.settings import ParseParams


@dataclass(frozen=True)
class Start:
    """What labels of some classes are learned with.

    Args:
        encoders: checkpoints whose codes stand beside plain features, in that order.
        classes: the names of the labels, and after them those that `known` can tell besides.
        known: answers already, by plain features and the codes of the encoders; None = nothing does.
        learned_from: files whose labels had a part in it, as uids name them.
    """

    encoders: tuple[Path, ...]
    classes: tuple[str, ...]
    known: Classifier | None = None
    learned_from: tuple[str, ...] = ()


def start_from(folder: Path | None, unit: Unit, several: bool, classes: Sequence[str]) -> Start:
    """An encoder is one to read codes of, and so is the first one of a fitted model. Such a model answers as well where
    the labels are of the kind that it knows and name no class but its own. Raises CheckpointError.

    Args:
        folder: of an encoder or of a fitted model; None = plain features alone.
        unit, several: what has a class, and whether it may show several.
    """
    names = tuple(classes)
    if folder is None:
        return Start((), names)
    model = _fitted(folder)
    if model is None or (model.unit, model.several) != (unit, several) or not set(names) <= set(model.classes):
        return Start((encoder_in(folder),), names, learned_from=model.learned_from if model else ())
    names += tuple(name for name in model.classes if name not in names)
    known = model.classifier.reordered([model.classes.index(name) for name in names])
    return Start(tuple(encoders_in(folder)), names, known, model.learned_from)


def grid_of(folder: Path | None) -> int:
    """Samples per side of the UV-grids that are read. Raises CheckpointError."""
    if folder is None:
        return ParseParams().grid
    model = _fitted(folder)
    return model.grid if model else described(folder)[2].grid


def _fitted(folder: Path) -> FittedModel | None:
    return load_model(folder) if (folder / FITTED).is_file() else None
