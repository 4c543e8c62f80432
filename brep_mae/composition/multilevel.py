"""Three nested problems, and how the lowest one's settings are bettered by the highest one's loss.

MLO-MAE (Guo et al. 2025, arXiv:2402.18128, section 3.3) as its code has it, in Betty's "darts" steps: the inverse of a
Hessian is taken for the identity, and its product with a vector is a finite difference (Liu et al. 2018,
arXiv:1806.09055, section 2.3).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from brep_mae import ranks

Loss = Callable[[], Tensor]
"""A loss with the weights as they are just now. It must draw nothing, or the same every time: no dropout, one batch."""

REACH = 0.01
"""How far weights are moved to either side, as the norm of the move."""
LEAST_NORM = 1e-15
"""Of a direction: what is shorter is rounding, and would be blown up to a move of length REACH."""


@dataclass(frozen=True)
class Levels:
    """min over `mask` of validate(weights*, head*), head* = argmin finetune(head; weights*),
    weights* = argmin pretrain(weights; mask)."""

    pretrain: Loss
    finetune: Loss
    validate: Loss
    weights: Sequence[Tensor]
    head: Sequence[Tensor]
    mask: Sequence[Tensor]


def gradients(loss: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Of the loss by each of the weights; zeros where it does not depend on one."""
    if not loss.requires_grad:
        return [torch.zeros_like(weight) for weight in weights]
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)]


def hop(loss: Loss, lower: Sequence[Tensor], direction: Sequence[Tensor], upper: Sequence[Tensor]) -> list[Tensor]:
    """-(d/d upper) (d/d lower) loss times `direction`, by two gradients: what a change of `upper` does, through one
    descent step of `lower`, to a quantity whose gradient by `lower` is `direction`. The weights end as they were.

    Of batches that several processes share, `direction` and the answer are what a part adds to the gradient."""
    direction = [ranks.total(part) for part in direction]
    norm = torch.cat([part.flatten().double() for part in direction]).norm()
    if not norm > LEAST_NORM:
        return [torch.zeros_like(weight) for weight in upper]
    epsilon = float(REACH / norm)
    with moved(lower, direction, epsilon):
        ahead = gradients(loss(), upper)
    with moved(lower, direction, -epsilon):
        behind = gradients(loss(), upper)
    return [(b - a) / (2 * epsilon) for a, b in zip(ahead, behind, strict=True)]


@contextmanager
def moved(weights: Sequence[Tensor], direction: Sequence[Tensor], by: float) -> Iterator[None]:
    """The weights, moved within the context; bit by bit what they were after it."""
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, along in zip(weights, direction, strict=True):
            weight.add_(along, alpha=by)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, before in zip(weights, kept, strict=True):
                weight.copy_(before)


def hypergradient(levels: Levels) -> list[Tensor]:
    """Of the validation loss by the mask's weights, along both paths: mask -> weights -> validation, and mask ->
    weights -> head -> validation. The last hop of both is the same, so they are added before it."""
    count = len(levels.weights)
    found = gradients(levels.validate(), [*levels.weights, *levels.head])
    by_weights, by_head = found[:count], found[count:]
    through_head = hop(levels.finetune, levels.head, by_head, levels.weights)
    direction = [a + b for a, b in zip(by_weights, through_head, strict=True)]
    return hop(levels.pretrain, levels.weights, direction, levels.mask)
