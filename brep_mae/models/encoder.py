"""What every encoder of tokens takes and gives, and the learned tokens that stand in for hidden ones."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from brep_mae.masking.mask import Mask
from brep_mae.models.blocks import init_weights
from brep_mae.tokens.tokens import Tokens


@dataclass(frozen=True)
class Latent:
    """x (B, 1 + K, D), class token first; valid (B, 1 + K); ids (B, K) place of each kept token among the N tokens."""

    x: Tensor
    valid: Tensor
    ids: Tensor

    def placed(self, length: int) -> Tensor:
        """Every kept token back at its place, zeros elsewhere. (B, 1 + K, D) -> (B, 1 + length, D)"""
        kept = self.x[:, 1:] * self.valid[:, 1:, None]
        full = kept.new_zeros(len(kept), length, kept.shape[2]).scatter(1, self.ids[..., None].expand_as(kept), kept)
        return torch.cat([self.x[:, :1], full], 1)


class Fill(nn.Module):
    """Puts a learned token where content is hidden, and another on every arc that touches a hidden face.

    BEiT's way (Bao et al. 2021, arXiv:2106.08254, section 2.3), in which the encoder itself holds mask tokens.

    Args:
        dim: width of a token.
        where: turns Tokens.where into the positions (B, N, dim) of mask tokens, which would otherwise be all alike.
    """

    def __init__(self, dim: int, where: nn.Module) -> None:
        super().__init__()
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.arc_token = nn.Parameter(torch.zeros(1, dim))
        nn.init.normal_(self.mask_token, std=0.02)
        nn.init.normal_(self.arc_token, std=0.02)
        self.where = where.apply(init_weights)

    def forward(self, tokens: Tokens, mask: Mask) -> Tokens:
        filled = self.mask_token + self.where(tokens.where)
        tokens = replace(tokens, x=torch.where(mask.hidden[..., None], filled, tokens.x))
        if tokens.arcs is None:
            return tokens
        touched = mask.hidden.flatten()[tokens.arcs.index].any(0)
        arc_x = torch.where(touched[:, None], self.arc_token, tokens.arcs.x)
        return replace(tokens, arcs=replace(tokens.arcs, x=arc_x))


class TokenEncoder(nn.Module):
    """Shapes: Tokens (B, N, D) and Mask (B, N) -> Latent (B, 1 + K, dim), K = tokens kept of a sample, at most N.

    Neither the content of a hidden token nor that of an arc which touches one reaches the output.

    Attributes:
        dim: width of the latent.
        read_dim: width of what `read` answers.
        residual: True = the layers add to one residual stream with a norm at its end, so that `final_norm` False is
            possible: the latent before that norm, which is what distillation methods predict.
    """

    dim: int
    read_dim: int
    residual: bool

    def top(self) -> list[nn.Module]:
        """The last layer, and the norm after it where there is one."""
        raise NotImplementedError

    def forward(self, tokens: Tokens, mask: Mask | None = None, final_norm: bool = True) -> Latent:
        """`mask` None = everything is seen. Raises ValueError for `final_norm` False without a residual stream."""
        raise NotImplementedError

    def read(self, tokens: Tokens) -> Latent:
        """What is kept of a pretrained encoder: everything is seen, and a token has what every layer made of it:
        the last one serves the pretext."""
        raise NotImplementedError
