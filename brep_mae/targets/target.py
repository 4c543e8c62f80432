"""What every target answers."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from brep_mae.datasets.batch import Batch


@dataclass(frozen=True)
class Term:
    """error (M,) of each predicted token; counts (M,) True = this token has a truth, None = all have."""

    error: Tensor
    counts: Tensor | None = None


class Target(Protocol):
    """Truth, head and error per token of one kind of content.

    `kind` is an index in tokens.KINDS; `on` says which tokens are predicted. Calling it takes the codes (M, D) of the
    predicted tokens, the batch, the rows (M,) of those tokens among the batch's content of that kind, and the
    generator for whatever is drawn.
    """

    kind: int
    on: Literal["hidden", "seen"]

    def __call__(self, codes: Tensor, batch: Batch, rows: Tensor, rng: torch.Generator) -> dict[str, Term]: ...

    def predict(self, codes: Tensor, batch: Batch, rows: Tensor) -> Tensor:
        """The prediction in the units of the content itself, for figures."""
        ...
