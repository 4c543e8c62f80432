"""What a mask is."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mask:
    """hidden (B, N) True = the encoder must not see this token; padding is never hidden.

    weight (B, N) of a token's errors in the loss, None = 1 everywhere. The loss divides by the number of tokens, not by
    the sum of the weights.
    """

    hidden: Tensor
    weight: Tensor | None = None

    def repeated(self, times: int) -> "Mask":
        """All samples, then all samples again: (B, N) -> (times B, N)"""
        return Mask(self.hidden.repeat(times, 1), None if self.weight is None else self.weight.repeat(times, 1))

    def gathered(self, column: Tensor) -> "Mask":
        """Every token takes what the mask says of its group. column (B, N) of the group, (B, groups) -> (B, N)"""
        return Mask(self.hidden.gather(1, column), None if self.weight is None else self.weight.gather(1, column))


def joined(parts: Sequence[tuple[Tensor, Mask]], valid: Tensor) -> Mask:
    """One mask of parts that each cover some columns. (columns (N,) bool, (B, columns.sum()) mask) each -> (B, N)

    Nothing is hidden, and everything weighs 1, in columns that no part covers.
    """
    hidden = torch.zeros_like(valid)
    for columns, part in parts:
        hidden[:, columns] = part.hidden
    if all(part.weight is None for _, part in parts):
        return Mask(hidden)
    weight = torch.ones(valid.shape, device=valid.device)
    for columns, part in parts:
        if part.weight is not None:
            weight[:, columns] = part.weight
    return Mask(hidden, weight)
