"""What a mask is, and how a drawn order becomes one."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Mask:
    """hidden (B, N) True = the encoder must not see this token; padding is never hidden."""

    hidden: Tensor
