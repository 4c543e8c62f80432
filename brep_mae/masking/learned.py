"""Masks that a network decides on (MLO-MAE, Guo et al. 2025, arXiv:2402.18128, section 3.2)."""

import torch
from torch import Tensor, nn

from brep_mae.masking.mask import Mask
from brep_mae.masking.random import check_ratio, seen_counts
from brep_mae.tokens.tokens import Tokens


class FlatScores(nn.Module):
    """The paper's: all tokens of a sample in one vector, Linear -> ReLU -> Linear to a score for each.

    Args:
        length: tokens of every sample.
        dim: width of a token.
        hidden: width in between, 512 in the paper.

    Shapes:
        Tokens (B, length, dim) -> (B, length)
    """

    def __init__(self, length: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(length * dim, hidden), nn.ReLU(), nn.Linear(hidden, length))

    def forward(self, tokens: Tokens) -> Tensor:
        scores: Tensor = self.layers(tokens.x.flatten(1))
        return scores


class TokenScores(nn.Module):
    """For samples of any length, which the paper has not: every token beside the mean of its sample's tokens, through
    one and the same network.

    Args:
        dim: width of a token.
        hidden: width in between.

    Shapes:
        Tokens (B, N, dim) -> (B, N); neither order nor padding of the tokens changes a token's score
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * dim, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, tokens: Tokens) -> Tensor:
        valid = tokens.valid[..., None]
        mean = tokens.x.masked_fill(~valid, 0.0).sum(1, keepdim=True) / valid.sum(1, keepdim=True)
        scores: Tensor = self.layers(torch.cat([tokens.x, mean.expand_as(tokens.x)], -1))
        return scores[..., 0]


class LearnedMask(nn.Module):
    """Hides those tokens of a sample that a network scores highest. Nothing is drawn.

    Which tokens these are has no gradient. The network learns by `Mask.weight` alone: a hidden token's error counts
    sigma times, sigma = sigmoid(score) in (0, 1). Tokens reach the network without a gradient, or the encoder would
    learn embeddings that make errors count less. In evaluation mode all errors count fully.

    Args:
        network: Tokens -> scores (B, N).
        ratio: share of valid tokens to hide, in (0, 1).

    Shapes:
        Tokens (B, N, D) -> Mask (B, N); n - floor(n (1 - ratio)) of n tokens are hidden, but at least 1 stays
    """

    def __init__(self, network: nn.Module, ratio: float) -> None:
        super().__init__()
        self.network, self.ratio = network, check_ratio(ratio)

    def sigma(self, tokens: Tokens) -> Tensor:
        """(B, N); 0 at padding."""
        return self._scores(tokens).sigmoid().masked_fill(~tokens.valid, 0.0)

    def _scores(self, tokens: Tokens) -> Tensor:
        scores: Tensor = self.network(detached(tokens))
        return scores

    def forward(self, tokens: Tokens, rng: torch.Generator) -> Mask:
        scores = self._scores(tokens)
        # By score, not by sigma: where sigma has become 1 in floating point scores still differ.
        rank = scores.detach().masked_fill(~tokens.valid, torch.inf).argsort(dim=1, stable=True).argsort(1)
        hidden = (rank >= seen_counts(tokens.valid, self.ratio)) & tokens.valid
        return Mask(hidden, scores.sigmoid().masked_fill(~tokens.valid, 0.0) if self.training else None)


def detached(tokens: Tokens) -> Tokens:
    """The tokens as numbers that no gradient passes; without arcs, which no score reads."""
    return Tokens(tokens.x.detach(), tokens.where, tokens.valid, tokens.kind)
