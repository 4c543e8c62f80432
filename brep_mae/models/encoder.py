"""The encoder: runs on the tokens that are seen; hidden ones are dropped, or replaced by a learned token."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from brep_mae.masking.mask import Mask
from brep_mae.models.blocks import Stack, init_weights
from brep_mae.settings import SizeParams
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


class Encoder(nn.Module):
    """Transformer over the seen tokens, with messages along the arcs whose two ends are both seen.

    Without `fill`, hidden tokens are dropped before the first layer (MAE, arXiv:2111.06377, section 3); with it they
    stay in the sequence as mask tokens. Either way neither their content nor an arc's that touches one can reach the
    output.

    Args:
        size: width, depth, heads.
        arcs: True = tokens come with arcs.
        fill: what stands in for hidden tokens; None = they are dropped.

    Shapes:
        Tokens (B, N, D) and Mask (B, N) -> Latent (B, 1 + K, D), K = most tokens seen in a sample, or N with `fill`
    """

    def __init__(self, size: SizeParams, arcs: bool, fill: Fill | None = None) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, size.dim))
        nn.init.normal_(self.class_token, std=0.02)
        self.fill, self.dim = fill, size.dim
        self.stack = Stack(size, size.dim if arcs else 0)
        self.stack.apply(init_weights)

    def top(self) -> list[nn.Module]:
        """The last layer, and the norm after it."""
        return [*self.stack.blocks[-1:], *self.stack.messages[-1:], self.stack.norm]

    def forward(self, tokens: Tokens, mask: Mask | None = None, final_norm: bool = True) -> Latent:
        """`mask` None = everything is seen; `final_norm` False = the latent is the residual stream before the norm."""
        if self.fill is not None and mask is not None:
            tokens, mask = self.fill(tokens, mask), None
        seen = tokens.valid if mask is None else tokens.valid & ~mask.hidden
        batch, length, dim = tokens.x.shape
        kept = int(seen.sum(1).max())
        ids = seen.float().argsort(dim=1, descending=True, stable=True)[:, :kept]  # seen first, in their own order
        valid = seen.gather(1, ids)
        # Not a product with 0: a hidden token may hold NaN, and must stay out even then.
        x = tokens.x.gather(1, ids[..., None].expand(-1, -1, dim)).masked_fill(~valid[..., None], 0.0)

        x = torch.cat([self.class_token.expand(batch, -1, -1), x], 1)
        valid = torch.cat([valid.new_ones(batch, 1), valid], 1)
        index = arc_x = None
        if tokens.arcs is not None:
            place = torch.full((batch, length), -1, device=ids.device)
            rows = torch.arange(batch, device=ids.device)[:, None]
            place.scatter_(1, ids, rows * (kept + 1) + 1 + torch.arange(kept, device=ids.device))
            place = place.masked_fill(~seen, -1).flatten()
            index = place[tokens.arcs.index]
            both = (index >= 0).all(0)
            index, arc_x = index[:, both], tokens.arcs.x[both]
        return Latent(self.stack(x, valid, index, arc_x, final_norm), valid, ids)
