"""Block-wise masking: rectangles of patches (BEiT, Bao et al. 2021, arXiv:2106.08254, algorithm 1)."""

import math

import numpy as np
import torch
from torch import nn

from brep_mae.masking.mask import Mask
from brep_mae.masking.random import check_ratio, drawn
from brep_mae.tokens.tokens import Tokens

ATTEMPTS = 10
"""Rectangles tried before what is missing is filled up patch by patch, as in the paper's code."""

ASPECT = 0.3
"""Least height / width of a rectangle; the largest is its inverse."""


def hidden_count(n: int, ratio: float) -> int:
    """floor(n ratio), but at least 1 and at most n - 1; a sample of one token hides nothing."""
    return min(max(int(n * ratio + 1e-6), 1), n - 1)


def draw_blocks(side: int, count: int, least: int, rng: np.random.Generator) -> np.ndarray:
    """One mask (side, side) with exactly `count` True, in rectangles of at least `least` patches where they fit."""
    mask = np.zeros((side, side), bool)
    while (missing := count - int(mask.sum())) > 0:
        for _ in range(ATTEMPTS):
            area = rng.uniform(min(least, missing), missing)
            aspect = math.exp(rng.uniform(math.log(ASPECT), -math.log(ASPECT)))
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (0 < height < side and 0 < width < side):
                continue
            top, left = rng.integers(side - height + 1), rng.integers(side - width + 1)
            block = mask[top : top + height, left : left + width]
            if 0 < (~block).sum() <= missing:
                block[:] = True
                break
        else:
            mask.flat[rng.choice(np.flatnonzero(~mask), missing, replace=False)] = True
    return mask


class BlockMask(nn.Module):
    """Hides the same share of every image's patches, in blocks.

    Args:
        ratio: share of patches to hide, in (0, 1).
        least: patches in the smallest block (16 of 14 x 14 in the paper).

    Shapes:
        tokens.valid (B, N), N the square of a grid's side  ->  Mask.hidden (B, N)
    """

    def __init__(self, ratio: float, least: int) -> None:
        super().__init__()
        self.ratio, self.least = check_ratio(ratio), least

    def forward(self, tokens: Tokens, rng: torch.Generator) -> Mask:
        batch, length = tokens.valid.shape
        side = math.isqrt(length)
        if side * side != length:
            raise ValueError(f"blocks need a square grid of patches, not {length} tokens")
        numpy_rng, count = drawn(rng), hidden_count(length, self.ratio)
        hidden = np.stack([draw_blocks(side, count, self.least, numpy_rng).ravel() for _ in range(batch)])
        return Mask(torch.from_numpy(hidden).to(tokens.valid.device))
