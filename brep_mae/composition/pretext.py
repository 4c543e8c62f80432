"""The contract of a pretext method."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from brep_mae import plugins
from brep_mae.checks import Section, check
from brep_mae.composition.optim import adamw
from brep_mae.composition.picture import Picture
from brep_mae.composition.step import Step
from brep_mae.datasets.batch import Batch
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.settings import OptimParams


class MethodParams(Section):
    """What every method's block in `params.yaml` holds; each file adds its own keys. Of `optim`, such as a paper's
    recipe, the keys count that the block names; all others are as `pretrain` has them."""

    steps: PositiveInt
    batch: PositiveInt
    lr: float = Field(gt=0)
    optim: OptimParams = OptimParams()


@dataclass(frozen=True)
class DataSpec:
    """What a network must know of the stored data: samples per side of a UV-grid, pixels per side of a frame, classes
    of faces and of solids."""

    grid: int
    frame: int
    face_classes: int = 0
    part_classes: int = 0


class Pretext(nn.Module):
    """A method: forward(batch, rng) -> {"loss": scalar, "TARGET.TERM": detached scalar, ...}.

    What a method keeps between steps (a teacher's
    weights, a round's number, a queue) is a parameter or a buffer, so that the state of a training holds it.
    """

    params: MethodParams

    @property
    def reads(self) -> frozenset[str]:
        """Content that batches must hold, by the names in datasets/content.py."""
        raise NotImplementedError

    @property
    def reads_labels(self) -> bool:
        """True where the labels of the training solids make a difference."""
        return False

    @property
    def parallel(self) -> bool:
        """True = several processes may share a batch (see `ranks`): what `forward` answers of a part is what that part
        adds to what it answers of the whole batch."""
        return False

    def forward(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        raise NotImplementedError

    def backbone(self) -> FeatureExtractor:
        """The part that is kept after pretraining."""
        raise NotImplementedError

    def pictures(self, batch: Batch, rng: torch.Generator) -> dict[str, Picture]:
        """What is predicted of a batch, by the target's name; empty where nothing is that has a picture."""
        return {}

    def calibrate(self, batches: Iterable[Batch], rng: torch.Generator) -> None:
        """Called before the first step with batches of the training data: what the method takes from them is a buffer,
        such as the units of its terms."""

    def explained(self, terms: Mapping[str, float]) -> dict[str, float]:
        """R^2 of the terms that have one: 1 = predicted without an error, 0 = no better than the best predictor that
        sees nothing of the sample. `terms` are held-out ones."""
        return {}

    def optimizers(self, optim: OptimParams) -> dict[str, torch.optim.Optimizer]:
        """By name, what moves the weights: one AdamW for all of them, unless a method has several problems to solve."""
        return {"weights": adamw(self, self.params.lr, optim)}

    def train_step(self, step: Step) -> dict[str, float]:
        """Moves the weights once; answers with the loss and its terms. A method that brings its own loop does here what
        it does in a step: batches, losses and updates in an order of its own.

        By default the gradients of all parts of the batch are added, and one optimiser moves all weights.
        """
        terms: dict[str, float] = {}
        for batch in step.batches():
            with step.autocast():
                parts = self(batch, step.rng)
            step.backward(parts["loss"], batch)
            for key, value in parts.items():
                terms[key] = terms.get(key, 0.0) + float(value.detach()) / step.parts
        step.update("weights")
        return terms

    def begin_step(self, step: int, rng: torch.Generator) -> bool:
        """Called before every training step. True = the weights start anew, and the optimizers forget their moments."""
        return False

    def after_step(self, step: int) -> None:
        """Called once the weights have moved."""

    def schedule(self, step: int) -> tuple[int, int]:
        """(step, steps) within the learning rate's current schedule; a method whose schedule restarts says so here."""
        return step, self.params.steps


def build(name: str, values: Mapping[str, Any], spec: DataSpec, origin: str = "params.yaml") -> Pretext:
    """The method `name` from its raw block in the file `origin`; SettingsError names an unknown method or a wrong key.
    Raises ValueError where its sizes do not fit one another or `spec`."""
    module = plugins.load(plugins.METHODS, name, origin)
    pretext: Pretext = module.build(check(module.Params, dict(values), f"{origin}: methods.{name}"), spec)
    return pretext
