"""The best that can be said of tokens without reading their codes."""

import torch
from torch import Tensor


def mean_of(known: Tensor, like: Tensor, weight: Tensor | None = None) -> Tensor:
    """The mean over tokens, for every token of `like`. Shapes: (M, ...), weight broadcast to it -> (N, ...)"""
    if weight is None:
        mean = known.mean(0)
    else:
        mean = (known * weight).sum(0) / weight.expand_as(known).sum(0).clamp(min=1e-9)
    return mean.expand(len(like), *known.shape[1:])


def log_odds(share: Tensor) -> Tensor:
    """Logits of shares in [0, 1], finite at either end."""
    return torch.logit(share.clamp(1e-4, 1 - 1e-4))


def log_shares(label: Tensor, like: Tensor, classes: int) -> Tensor:
    """Logits of the classes' shares, for every token of `like`. (M,) -> (N, classes)"""
    share = torch.bincount(label, minlength=classes).float() / max(1, len(label))
    return share.clamp(min=1e-6).log().expand(len(like), -1)


def quadratic(uv: Tensor, values: Tensor, at: Tensor) -> Tensor:
    """The quadratic function of (u, v) with the least squared error. Shapes: (M, S, 2), (M, S, K), (N, T, 2) ->
    (N, T, K)"""
    weights = torch.linalg.lstsq(_terms(uv).flatten(0, 1), values.flatten(0, 1)).solution
    return _terms(at) @ weights


def _terms(uv: Tensor) -> Tensor:
    u, v = uv[..., 0], uv[..., 1]
    return torch.stack([torch.ones_like(u), u, v, u * u, u * v, v * v], -1)
