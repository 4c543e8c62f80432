"""The transformer: runs on the tokens that are seen; hidden ones are dropped, or replaced by a learned token."""

import torch
from torch import nn

from brep_mae.masking.mask import Mask
from brep_mae.models.blocks import Stack, init_weights
from brep_mae.models.encoder import Fill, Latent, TokenEncoder
from brep_mae.settings import SizeParams
from brep_mae.tokens.tokens import Tokens


class TransformerEncoder(TokenEncoder):
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

    residual = True

    def __init__(self, size: SizeParams, arcs: bool, fill: Fill | None = None) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, size.dim))
        nn.init.normal_(self.class_token, std=0.02)
        self.fill, self.dim, self.read_dim = fill, size.dim, (size.depth + 1) * size.dim
        self.stack = Stack(size, size.dim if arcs else 0)
        self.stack.apply(init_weights)

    def top(self) -> list[nn.Module]:
        return [*self.stack.blocks[-1:], *self.stack.messages[-1:], self.stack.norm]

    def read(self, tokens: Tokens) -> Latent:
        return self._run(tokens, None, final_norm=True, every=True)

    def forward(self, tokens: Tokens, mask: Mask | None = None, final_norm: bool = True) -> Latent:
        return self._run(tokens, mask, final_norm, every=False)

    def _run(self, tokens: Tokens, mask: Mask | None, final_norm: bool, every: bool) -> Latent:
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
        return Latent(self.stack(x, valid, index, arc_x, final_norm, every), valid, ids)
