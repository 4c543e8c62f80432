"""How the errors of tokens become a loss."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from brep_mae import ranks
from brep_mae.targets.selection import Selection

Reduction = Literal["token", "solid"]
"""token: mean over all predicted tokens of a batch; solid: mean over samples of the mean over a sample's tokens."""


@dataclass(frozen=True)
class Term:
    """error (M,) of each selected token; counts (M,) True = this token has a truth, None = all have."""

    error: Tensor
    counts: Tensor | None = None


def mean_error(term: Term, selection: Selection, reduction: Reduction) -> Tensor:
    """Weighted mean over tokens, or over samples of their means; zero, not NaN, where there is nothing to average.
    Of a batch that several processes share, what this one's part adds to the mean of all."""
    if reduction == "solid":
        means, number = sample_means(term, selection)
        return means.sum() / ranks.total((number > 0).sum()).clamp(min=1)
    error, counts = _weighted(term, selection)
    return error.sum() / ranks.total(counts.sum()).clamp(min=1)


def sample_means(term: Term, selection: Selection) -> tuple[Tensor, Tensor]:
    """Weighted mean (samples,) of every sample's errors, zero where it has none, and the number (samples,) of them."""
    error, counts = _weighted(term, selection)
    zeros = error.new_zeros(selection.samples)
    total, number = (zeros.index_add(0, selection.sample, column) for column in (error, counts))
    return total / number.clamp(min=1), number


def _weighted(term: Term, selection: Selection) -> tuple[Tensor, Tensor]:
    counts = torch.ones_like(term.error) if term.counts is None else term.counts.to(term.error)
    return term.error * counts * selection.weight, counts
