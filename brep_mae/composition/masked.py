"""The one forward that most methods are composed from."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor, nn

from brep_mae.composition.pretext import MethodParams, Pretext
from brep_mae.composition.teacher import Teacher
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.content import kinds
from brep_mae.masking.mask import Mask
from brep_mae.models.backbone import Backbone
from brep_mae.models.decoder import Undecoded
from brep_mae.models.encoder import Encoder, Latent
from brep_mae.models.message_encoder import MessageEncoder
from brep_mae.targets.target import Target, ask, mean_error
from brep_mae.tokens.tokens import Tokens

Weights = dict[str, NonNegativeFloat]
"""TARGET.TERM -> its weight in the loss; 1 where it is not named."""


class MaskedPretext(Pretext):
    """tokens -> mask -> encoder on what is seen -> decoder -> targets on what is hidden -> weighted sum.

    Args:
        params: the method's block.
        tokens, mask, encoder, decoder: see those packages; without a decoder the encoder's own output is the code.
        targets: by name; each gives named terms. A target of a kind that a batch does not hold adds nothing to it.
        weights: "TARGET.TERM" -> weight in the loss; a term that is not named weighs 1.
        teacher: adds what it says of the truth.
        reduction: the loss of a term is its mean over all predicted tokens of the batch ("token", MAE), or the mean
            over samples of a sample's mean ("solid", M3AE), in which a solid of many faces weighs no more than another.

    A sample of which nothing is hidden (a solid of one face) adds nothing to such a mean; "skipped" counts them.
    Raises ValueError for the weight of a term that no target has.
    """

    def __init__(
        self,
        params: MethodParams,
        tokens: nn.Module,
        mask: nn.Module,
        encoder: Encoder | MessageEncoder,
        decoder: nn.Module | None,
        targets: Mapping[str, Target],
        weights: Mapping[str, float],
        teacher: Teacher | None = None,
        reduction: Literal["token", "solid"] = "token",
    ) -> None:
        super().__init__()
        terms = [f"{name}.{term}" for name, target in targets.items() for term in target.terms]
        if unknown := sorted(set(weights) - set(terms)):
            raise ValueError(f"weights: unknown term {', '.join(unknown)}; known are {', '.join(terms)}")
        self.params, self.weights, self.reduction = params, dict(weights), reduction
        self.tokens, self.mask, self.encoder = tokens, mask, encoder
        self.decoder = Undecoded() if decoder is None else decoder
        self.targets: Mapping[str, Any] = nn.ModuleDict(dict(targets))  # type: ignore[arg-type,assignment]
        self.teacher = teacher

    @property
    def reads(self) -> frozenset[str]:
        readers: list[Any] = [self.tokens, *self.targets.values(), *([] if self.teacher is None else [self.teacher])]
        return frozenset().union(*(reader.reads for reader in readers))

    def views(self, batch: Batch, rng: torch.Generator) -> tuple[Batch, Batch]:
        """What the encoder may see, and the truth; one and the same unless a method says otherwise."""
        return batch, batch

    def branches(self, latent: Latent, tokens: Tokens, mask: Mask) -> tuple[Latent, Tokens, Mask]:
        """Called between encoder and decoder; a method that reads a latent in several ways makes several samples of
        each here, in the order of the truth's samples."""
        return latent, tokens, mask

    def forward(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        if all(getattr(batch, kind) is None for kind in kinds(self.reads)):
            raise ValueError(f"this method needs a batch with {' or '.join(sorted(kinds(self.reads)))}")
        seen, truth = self.views(batch, rng)
        tokens = self.tokens(seen)
        mask = self.mask(tokens, rng)
        latent, tokens, mask = self.branches(self.encoder(tokens, mask), tokens, mask)
        if self.teacher is not None:
            truth = self.teacher(truth, mask)
        codes = {"code": self.decoder(latent, tokens)}
        if any(target.of == "latent" for target in self.targets.values()):
            codes["latent"] = latent.placed(tokens.valid.shape[1])
        parts: dict[str, Tensor] = {}
        for name, target in self.targets.items():
            if not bool((tokens.kind == target.kind).any()):
                continue
            asked = ask(target, codes[target.of], tokens, mask)
            for term, value in target(asked.codes, truth, asked.rows, rng).items():
                parts[f"{name}.{term}"] = mean_error(value, asked, self.reduction)
        loss = sum((self.weights.get(k, 1.0) * v for k, v in parts.items()), torch.zeros(()))
        skipped = (~mask.hidden.any(1)).sum().float()
        return {"loss": loss, "skipped": skipped} | {k: v.detach() for k, v in parts.items()}

    def begin_step(self, step: int, rng: torch.Generator) -> bool:
        return self.teacher is not None and self.teacher.begin_step(self, step, rng)

    def schedule(self, step: int) -> tuple[int, int]:
        return (step, self.params.steps) if self.teacher is None else self.teacher.schedule(step, self.params.steps)

    def backbone(self) -> Backbone:
        return Backbone(self.tokens, self.encoder)

    @torch.no_grad()
    def reconstruct(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """hidden (rows of content) True = predicted; `TARGET` the prediction of each hidden row, in row order, where it
        has a picture."""
        tokens = self.tokens(batch)
        mask = self.mask(tokens, rng)
        codes = self.decoder(self.encoder(tokens, mask), tokens)
        hidden = mask.hidden[tokens.valid]
        rows, codes = hidden.nonzero().squeeze(1), codes[:, 1:][mask.hidden]
        predicted = {n: t.predict(codes, batch, rows) for n, t in self.targets.items() if t.of == "code"}
        return {"hidden": hidden} | {n: p for n, p in predicted.items() if p is not None}

    def pictures(self, batch: Batch, rng: torch.Generator) -> dict[int, dict[str, Tensor]]:
        return {next(iter(self.targets.values())).kind: self.reconstruct(batch, rng)}
