"""The encoder: runs on the tokens that are seen, and on no others."""

from dataclasses import dataclass

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


class Encoder(nn.Module):
    """Transformer over the seen tokens, with messages along the arcs whose two ends are both seen.

    Hidden tokens are dropped before the first layer (MAE, arXiv:2111.06377, section 3): neither they nor an arc that
    touches one can reach the output.

    Args:
        size: width, depth, heads.
        arcs: True = tokens come with arcs.

    Shapes:
        Tokens (B, N, D) and Mask (B, N) -> Latent (B, 1 + K, D), K = most tokens seen in a sample
    """

    def __init__(self, size: SizeParams, arcs: bool) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, size.dim))
        nn.init.normal_(self.class_token, std=0.02)
        self.stack = Stack(size, size.dim if arcs else 0)
        self.stack.apply(init_weights)

    def forward(self, tokens: Tokens, mask: Mask | None = None) -> Latent:
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
        return Latent(self.stack(x, valid, index, arc_x), valid, ids)
