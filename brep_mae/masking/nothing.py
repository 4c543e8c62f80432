"""No mask at all, for a method whose encoder reads nothing of what is predicted."""

import torch
from torch import nn

from brep_mae.masking.mask import Mask
from brep_mae.tokens.tokens import Tokens


class HideNothing(nn.Module):
    """Shapes: Tokens (B, N) -> Mask.hidden (B, N), all False"""

    def forward(self, tokens: Tokens, rng: torch.Generator) -> Mask:
        return Mask(torch.zeros_like(tokens.valid))
