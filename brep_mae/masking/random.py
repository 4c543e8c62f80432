"""Random masking: the same share of every sample, drawn without structure (MAE, arXiv:2111.06377, section 3)."""

import numpy as np
import torch
from torch import Tensor, nn

from brep_mae.masking.mask import Mask
from brep_mae.tokens.tokens import Tokens


def check_ratio(ratio: float) -> float:
    """The share of tokens to hide, if it is one."""
    if not 0 < ratio < 1:
        raise ValueError(f"mask ratio {ratio} is outside (0, 1)")
    return ratio


def seen_counts(valid: Tensor, ratio: float) -> Tensor:
    """How many tokens of each sample stay: floor(n (1 - ratio)) of n, but at least 1, and less than n where n > 1.
    (B, N) -> (B, 1)"""
    n = valid.sum(1, keepdim=True)
    # 1e-6: 10 tokens at 0.9 leave 0.99999... of a token in floating point.
    return (n * (1 - ratio) + 1e-6).floor().long().clamp(min=1).minimum((n - 1).clamp(min=1))


def drawn(rng: torch.Generator) -> np.random.Generator:
    """A numpy generator seeded by a torch one, for masks that are drawn piece by piece."""
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=rng)))


class RandomMask(nn.Module):
    """Hides the same share of every solid's faces, or of every image's patches.

    Args:
        ratio: share of *valid* tokens to hide, in (0, 1).

    Shapes:
        tokens.valid (B, N) bool, True = real token  ->  Mask.hidden (B, N) bool

    The number seen is floor(n (1 - ratio)), as in the paper's code, but at least 1 and at most n - 1: a sample of
    one token hides nothing and so adds nothing to the loss.
    """

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self.ratio = check_ratio(ratio)

    def forward(self, tokens: Tokens, rng: torch.Generator) -> Mask:
        noise = torch.rand(tokens.valid.shape, generator=rng).to(tokens.valid.device)  # on the CPU: any device agrees
        rank = noise.masked_fill(~tokens.valid, 2.0).argsort(1).argsort(1)
        return Mask((rank >= seen_counts(tokens.valid, self.ratio)) & tokens.valid)
