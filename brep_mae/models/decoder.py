"""The decoder: puts mask tokens where content was hidden, tells every token where it is, and lets them talk."""

import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import ARC_KIND_DIM
from brep_mae.models.blocks import Stack, init_weights
from brep_mae.models.encoder import Latent
from brep_mae.settings import SizeParams
from brep_mae.tokens.patches import sine_cosine
from brep_mae.tokens.tokens import Tokens


class SineCosine(nn.Module):
    """Position of a patch: fixed sine-cosine code of its row and column, which are those of the first sample for all.

    Shapes: (B, N, 2) -> (1, N, dim)
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, where: Tensor) -> Tensor:
        return sine_cosine(where[:1], self.dim)


class Decoder(nn.Module):
    """MAE's light decoder (arXiv:2111.06377, section 3): mask tokens meet the latent only here.

    Args:
        encoder_dim: width of the latent.
        size: width, depth, heads of the decoder.
        where: turns Tokens.where into positions (B or 1, N, size.dim). Faces have no grid: theirs is a linear layer on
            structural encodings, without which all hidden faces would get one and the same prediction.
        arcs: True = messages along all arcs, of which the decoder knows the kind (convexity, curve type) but not the
            geometry, since half of that belongs to hidden faces.

    Shapes:
        Latent (B, 1 + K, encoder_dim), Tokens (B, N, .) -> codes (B, 1 + N, size.dim), class token first
    """

    def __init__(self, encoder_dim: int, size: SizeParams, where: nn.Module, arcs: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(encoder_dim, size.dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, size.dim))
        nn.init.normal_(self.mask_token, std=0.02)
        self.where = where
        self.stack = Stack(size, ARC_KIND_DIM if arcs else 0)
        for part in (self.embed, self.where, self.stack):
            part.apply(init_weights)

    def mask_tokens(self, tokens: Tokens) -> Tensor:
        """What stands where a token was hidden, (1, 1 or N, size.dim)."""
        return self.mask_token

    def start(self, class_token: Tensor) -> Tensor:
        """The class token that the decoder starts from, given the encoder's. (B, 1, size.dim) -> the same"""
        return class_token

    def forward(self, latent: Latent, tokens: Tokens) -> Tensor:
        x = self.embed(latent.x)
        batch, length = tokens.valid.shape
        seen, ids = latent.valid[:, 1:, None], latent.ids[..., None].expand(-1, -1, x.shape[-1])
        full = self.mask_tokens(tokens).to(x.dtype).expand(batch, length, -1)
        # The K kept slots of a shorter sample end in padding, whose ids point at tokens that are not seen.
        full = full.scatter(1, ids, torch.where(seen, x[:, 1:], full.gather(1, ids)))
        full = torch.cat([self.start(x[:, :1]), full + self.where(tokens.where)], 1)
        valid = torch.cat([tokens.valid.new_ones(batch, 1), tokens.valid], 1)
        index = kind = None
        if tokens.arcs is not None:
            row, slot = tokens.arcs.index // length, tokens.arcs.index % length
            index, kind = row * (length + 1) + slot + 1, tokens.arcs.kind
        return self.stack(full, valid, index, kind)


class NoDecoder(nn.Module):
    """No decoder: the code of a token is the encoder's own output at its place, for an encoder that holds mask tokens.

    Shapes: Latent (B, 1 + K, D), Tokens (B, N, .) -> codes (B, 1 + N, D)
    """

    def forward(self, latent: Latent, tokens: Tokens) -> Tensor:
        return latent.placed(tokens.valid.shape[1])
