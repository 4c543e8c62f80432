"""Filling masks: which cells of an image keep their own content; a partner's content fills the rest."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae import ranks
from brep_mae.masking.block import draw_blocks
from brep_mae.masking.random import drawn

LEAST = 4
"""Cells of the smallest block."""


def filling_mask(kind: Literal["block", "discrete"], grid: int, own_share: float, rng: torch.Generator) -> Tensor:
    """One mask for a whole batch (MixMask, Vishniakov et al. 2024, arXiv:2210.11456, section 3.2).

    Args:
        kind: "block" fills rectangles of at least LEAST cells, and always the same number of cells; "discrete" decides
            for every cell on its own, so that the share holds on average.
        grid: cells per side.
        own_share: of the cells that keep their own content, in [0, 1], for both kinds alike.

    Shapes:
        -> (grid, grid) bool, True = the image's own content
    """
    if kind == "discrete":
        return torch.rand(grid, grid, generator=rng) < own_share
    filled = round((1 - own_share) * grid * grid)
    return torch.from_numpy(~draw_blocks(grid, filled, LEAST, drawn(rng)))


def over_pixels(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask of cells as one of pixels: (G, G) -> (height, width) bool."""
    return F.interpolate(mask[None, None].float(), size=(height, width), mode="nearest")[0, 0] > 0.5


def fill(images: Tensor, own: Tensor, partner: Tensor) -> Tensor:
    """`images` (N, 3, H, W) where `own` (H, W) is True, and elsewhere those at `partner` (N,), among the images of all
    parts of the batch (see `ranks`)."""
    return torch.where(own, images, ranks.joined_rows(images)[partner])


def partners(samples: int, frames: int) -> Tensor:
    """Whose content fills each image: (samples * frames,) a permutation in which none meets its own sample.

    The batch in reverse, as published. In reverse the middle one of an odd number would meet itself: those shift by
    half the batch instead. A lone sample has nobody but itself.
    """
    if samples % 2 == 0:
        return torch.arange(samples * frames - 1, -1, -1)
    return torch.arange(samples * frames).roll(samples // 2 * frames)
