"""Structured masks of a clip, to compare with random ones (arXiv:2205.09113, section 3.2 and table 2b)."""

from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from brep_mae.masking.mask import Mask
from brep_mae.masking.random import RandomMask
from brep_mae.tokens.tokens import Tokens
from brep_mae.tokens.tubelets import SPACE, VIEW

Sampler = Literal["agnostic", "tube", "frame"]


class GroupMask(nn.Module):
    """Hides whole groups of tokens: the same share of every sample's groups.

    Args:
        ratio: share of groups to hide, in (0, 1).
        column: column of Tokens.where that numbers the groups from 0; every sample has all of them.

    Shapes:
        tokens.where (B, N, P) -> Mask.hidden (B, N)
    """

    def __init__(self, ratio: float, column: int) -> None:
        super().__init__()
        self.groups, self.column = RandomMask(ratio), column

    def forward(self, tokens: Tokens, rng: torch.Generator) -> Mask:
        group = tokens.where[..., self.column].long()
        real = torch.ones(len(group), int(group.max()) + 1, dtype=torch.bool, device=group.device)
        mask: Mask = self.groups(replace(tokens, valid=real), rng).gathered(group)
        return replace(mask, hidden=mask.hidden & tokens.valid)


def clip_mask(sampler: Sampler, ratio: float) -> nn.Module:
    """agnostic: one budget over all places of the clip; tube: the same patches in all views; frame: whole views."""
    if sampler == "agnostic":
        return RandomMask(ratio)
    return GroupMask(ratio, SPACE if sampler == "tube" else VIEW)
