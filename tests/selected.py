"""Selections made by hand, for tests of single targets."""

import torch
from torch import Tensor

from brep_mae.targets.selection import Selection


def selected(codes: Tensor, row: Tensor) -> Selection:
    """Tokens of content, all of one sample, and no class token."""
    zeros = torch.zeros_like(row)
    return Selection(codes, row, zeros, zeros, zeros.bool(), torch.ones(len(row)), samples=1)
