"""Masking with a ratio of its own for every kind of token (M3AE, arXiv:2205.14204, section 3)."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from brep_mae.masking.mask import Mask, joined
from brep_mae.masking.random import RandomMask
from brep_mae.tokens.tokens import KINDS, Tokens


class PerKindMask(nn.Module):
    """Hides a share of every kind. A kind's draw depends on no other kind, nor on whether there are others.

    Drawn for every sample and over real tokens only, so that a solid of two faces keeps one seen and one hidden; the
    reference draws over padding too, and one permutation for all samples of a device.

    Args:
        ratios: name of a kind -> share of its valid tokens to hide, in (0, 1).

    Shapes:
        tokens.valid (B, N), tokens.kind (N,) -> Mask.hidden (B, N)

    A kind that the batch does not hold is left out; one that `ratios` does not name is an error.
    """

    def __init__(self, ratios: Mapping[str, float]) -> None:
        super().__init__()
        if unknown := sorted(set(ratios) - set(KINDS)):
            raise ValueError(f"mask ratio for unknown kind {', '.join(unknown)}; known: {', '.join(KINDS)}")
        self.masks = nn.ModuleDict({kind: RandomMask(ratios[kind]) for kind in KINDS if kind in ratios})

    def forward(self, tokens: Tokens, rng: torch.Generator) -> Mask:
        present = [KINDS[k] for k in tokens.kind.unique().tolist()]
        if missing := [kind for kind in present if kind not in self.masks]:
            raise ValueError(f"no mask ratio for {', '.join(missing)} tokens; add it to mask_ratios")
        seeds = torch.randint(2**62, (len(self.masks),), generator=rng).tolist()
        parts = []
        for (name, mask), seed in zip(self.masks.items(), seeds, strict=True):
            of_kind = tokens.kind == KINDS.index(name)
            only = replace(tokens, valid=tokens.valid[:, of_kind])
            parts.append((of_kind, mask(only, torch.Generator().manual_seed(seed))))
        return joined(parts, tokens.valid)
