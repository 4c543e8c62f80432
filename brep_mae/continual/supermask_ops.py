"""Bits of the supermask that know no network: scores to mask and back, its gradient, and a hash of tensors."""

from typing import Any

import torch
from torch import Tensor


def top_mask(scores: Tensor, density: float) -> Tensor:
    """True on the entries left after dropping the int((1 - density) * n) smallest |scores|; ties drop lower indices."""
    magnitudes = scores.detach().abs().reshape(-1)
    dropped = int((1 - density) * magnitudes.numel())
    if dropped == 0:
        return torch.ones_like(scores, dtype=torch.bool)
    # The n-th smallest alone: a whole sort would take a third of a training step of a small network.
    bar = magnitudes.kthvalue(dropped).values
    kept = magnitudes > bar
    short = magnitudes.numel() - dropped - int(kept.sum())
    if short:
        kept[(magnitudes == bar).nonzero()[-short:, 0]] = True
    return kept.reshape(scores.shape)


class StraightThrough(torch.autograd.Function):
    """Forward: `top_mask` as 0/1 numbers. Backward: d loss / d scores = d loss / d mask * sign(scores)."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, density: float) -> Tensor:
        ctx.save_for_backward(scores)
        return top_mask(scores, density).to(scores.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (scores,) = ctx.saved_tensors
        return gradient * scores.sign(), None


def scores_for_mask(mask: Tensor, draw: Tensor) -> Tensor:
    """The entries of `draw`, rearranged so that `top_mask` at the mask's density gives the mask back."""
    flat = draw.reshape(-1)
    descending = flat[flat.abs().argsort(descending=True, stable=True)]
    selected_first = mask.reshape(-1).to(torch.uint8).argsort(descending=True, stable=True)
    return torch.empty_like(descending).scatter_(0, selected_first, descending).reshape(draw.shape)
