"""What every target answers, and what a teacher adds to the truth."""

from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.masking.mask import Mask
from brep_mae.tokens.tokens import Tokens


@dataclass(frozen=True)
class Term:
    """error (M,) of each predicted token; counts (M,) True = this token has a truth, None = all have."""

    error: Tensor
    counts: Tensor | None = None


@dataclass(frozen=True)
class Taught(Batch):
    """A batch with what a teacher says of it.

    features (R, D): one row per row of the content, then one per sample, its class token's; known (R,) True = the
    teacher says something of it.
    """

    features: Tensor | None = None
    known: Tensor | None = None

    @classmethod
    def of(cls, batch: Batch, features: Tensor, known: Tensor | None = None) -> "Taught":
        """`known` None = the teacher says something of everything."""
        known = features.new_ones(len(features), dtype=torch.bool) if known is None else known
        return cls(**{f.name: getattr(batch, f.name) for f in fields(Batch)}, features=features, known=known)


class Target(nn.Module):
    """Truth, head and error per token of one kind of content. Subclasses set:

    kind: index in tokens.KINDS.
    terms: names of what `forward` answers, in its order.
    on: which tokens are predicted.
    of: what is read: "code" = the decoder's output, "latent" = the encoder's, each token at its place.
    class_token: True = the class token of every sample is predicted too.
    reads: content of the batch that holds the truth, by the names in datasets/content.py.
    """

    kind: int
    terms: tuple[str, ...]
    on: Literal["hidden", "seen"] = "hidden"
    of: Literal["code", "latent"] = "code"
    class_token: bool = False
    reads: frozenset[str] = frozenset()

    def forward(self, codes: Tensor, batch: Batch, rows: Tensor, rng: torch.Generator) -> dict[str, Term]:
        """Named errors of M predicted tokens.

        Args:
            codes: (M, D) of the predicted tokens.
            batch: the truth; a `Taught` one where the method has a teacher.
            rows: (M,) of those tokens among the batch's content of that kind. With `class_token` the class tokens
                come last, and are counted on from the last row of the content.
            rng: for whatever is drawn.
        """
        raise NotImplementedError

    def predict(self, codes: Tensor, batch: Batch, rows: Tensor) -> Tensor | None:
        """The prediction in the units of the content itself, for figures; None where it has no picture."""
        return None


@dataclass(frozen=True)
class Asked:
    """The M tokens that a target predicts: codes (M, D), rows (M,), sample (M,) of `samples`, weight (M,) or None."""

    codes: Tensor
    rows: Tensor
    sample: Tensor
    samples: int
    weight: Tensor | None


def ask(target: Target, codes: Tensor, tokens: Tokens, mask: Mask) -> Asked:
    """Picks what `target` predicts. Shapes: codes (B, 1 + N, D), class token first."""
    content = tokens.valid & (tokens.kind == target.kind)
    chosen = content & (mask.hidden if target.on == "hidden" else ~mask.hidden)
    picked, rows, sample = codes[:, 1:][chosen], chosen[content].nonzero().squeeze(1), chosen.nonzero()[:, 0]
    weight = None if mask.weight is None else mask.weight[chosen]
    if target.class_token:
        every = torch.arange(len(codes), device=rows.device)
        picked, sample = torch.cat([picked, codes[:, 0]]), torch.cat([sample, every])
        rows = torch.cat([rows, content.sum() + every])
        weight = None if weight is None else torch.cat([weight, weight.new_ones(len(every))])
    return Asked(picked, rows, sample, len(codes), weight)


def mean_error(term: Term, asked: Asked, reduction: Literal["token", "solid"]) -> Tensor:
    """Mean over tokens, or over samples of their means; zero, not NaN, where there is nothing to average."""
    counts = torch.ones_like(term.error) if term.counts is None else term.counts.to(term.error)
    error = term.error * counts if asked.weight is None else term.error * counts * asked.weight
    if reduction == "token":
        return error.sum() / counts.sum().clamp(min=1)
    zeros = error.new_zeros(asked.samples)
    total, number = zeros.index_add(0, asked.sample, error), zeros.index_add(0, asked.sample, counts)
    return (total / number.clamp(min=1)).sum() / (number > 0).sum().clamp(min=1)
