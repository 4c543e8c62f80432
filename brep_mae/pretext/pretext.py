"""The contract of a pretext method, and the one forward that most of them are composed from."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.models.backbone import Backbone
from brep_mae.models.encoder import Encoder
from brep_mae.settings import Section, SettingsError, check
from brep_mae.targets.target import Target


class MethodParams(Section):
    """What every method's block in `params.yaml` holds; each file adds its own keys."""

    steps: int
    batch: int
    lr: float


@dataclass(frozen=True)
class Facts:
    """What a network must know of the stored data: samples per side of a UV-grid, pixels per side of a frame."""

    grid: int
    frame: int


class Pretext(nn.Module):
    """A method: forward(batch, rng) -> {"loss": scalar, "TARGET.TERM": detached scalar, ...}.

    `reads` says which content batches must hold: "faces", "frames".
    """

    reads: frozenset[str]
    params: MethodParams

    def forward(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        raise NotImplementedError

    def backbone(self) -> Backbone:
        """The part that is kept after pretraining."""
        raise NotImplementedError

    def reconstruct(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """Truth, what the encoder saw and the prediction, as arrays for a figure."""
        raise NotImplementedError


class MaskedPretext(Pretext):
    """tokens -> mask -> encoder on what is seen -> decoder -> targets on what is hidden -> weighted sum.

    Args:
        reads: content the tokens need.
        params: the method's block.
        tokens, mask, encoder, decoder: see those packages.
        targets: by name; each gives named terms.
        weights: "TARGET.TERM" -> weight in the loss; a term that is not named weighs 1.

    The loss of a term is its mean over all predicted tokens of the batch (MAE's token mean).
    """

    def __init__(
        self,
        reads: frozenset[str],
        params: MethodParams,
        tokens: nn.Module,
        mask: nn.Module,
        encoder: Encoder,
        decoder: nn.Module,
        targets: Mapping[str, Target],
        weights: Mapping[str, float],
    ) -> None:
        super().__init__()
        self.reads, self.params, self.weights = reads, params, dict(weights)
        self.tokens, self.mask, self.encoder, self.decoder = tokens, mask, encoder, decoder
        self.targets: Mapping[str, Any] = nn.ModuleDict(dict(targets))  # type: ignore[arg-type,assignment]

    def forward(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        tokens = self.tokens(batch)
        mask = self.mask(tokens, rng)
        codes = self.decoder(self.encoder(tokens, mask), tokens)[:, 1:]
        parts: dict[str, Tensor] = {}
        for name, target in self.targets.items():
            content = tokens.valid & (tokens.kind == target.kind)
            chosen = content & (mask.hidden if target.on == "hidden" else ~mask.hidden)
            rows = chosen[content].nonzero().squeeze(1)
            for term, value in target(codes[chosen], batch, rows, rng).items():
                counts = torch.ones_like(value.error) if value.counts is None else value.counts.to(value.error)
                parts[f"{name}.{term}"] = (value.error * counts).sum() / counts.sum().clamp(min=1)
        loss = sum((self.weights.get(k, 1.0) * v for k, v in parts.items()), torch.zeros(()))
        return {"loss": loss} | {k: v.detach() for k, v in parts.items()}

    def backbone(self) -> Backbone:
        return Backbone(self.tokens, self.encoder, self.reads)

    @torch.no_grad()
    def reconstruct(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """hidden (rows of content) True = predicted; `TARGET` the prediction of each hidden row, in row order."""
        tokens = self.tokens(batch)
        mask = self.mask(tokens, rng)
        codes = self.decoder(self.encoder(tokens, mask), tokens)[:, 1:]
        hidden = mask.hidden[tokens.valid]
        rows = hidden.nonzero().squeeze(1)
        predicted = {n: t.predict(codes[mask.hidden], batch, rows) for n, t in self.targets.items()}
        return {"hidden": hidden, **predicted}


def known_methods() -> list[str]:
    """Names of the method files."""
    shared = {"__init__", "pretext"}
    return sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in shared)


def build(name: str, values: Mapping[str, Any], facts: Facts) -> Pretext:
    """The method `name` from its raw block; SettingsError names an unknown method or a wrong key."""
    if name not in known_methods():
        raise SettingsError(f"params.yaml: unknown method {name}; known: {', '.join(known_methods())}")
    module = importlib.import_module(f"brep_mae.pretext.{name}")
    return module.build(check(module.Params, dict(values), f"params.yaml: methods.{name}"), facts)
