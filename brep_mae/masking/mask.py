"""What a mask is."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Mask:
    """hidden (B, N) True = the encoder must not see this token; padding is never hidden.

    weight (B, N) of a token's errors in the loss, None = 1 everywhere. The loss divides by the number of tokens, not by
    the sum of the weights.
    """

    hidden: Tensor
    weight: Tensor | None = None
