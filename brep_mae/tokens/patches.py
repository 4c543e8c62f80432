"""Image patches as tokens (timm's PatchEmbed, fixed sine-cosine positions)."""

import torch
from timm.layers import PatchEmbed
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.tokens.tokens import PATCH, Tokens

MEAN, DEVIATION = 0.5, 0.25
"""Of a colour in [0, 1]: about right for renders and photographs alike, so that a network pretrained on one kind of
image reads the other without a change."""


def standardised(image: Tensor) -> Tensor:
    """Colours as networks read them, about 0 with a deviation of about 1, from colours in [0, 1]; any shape."""
    return (image - MEAN) / DEVIATION


def sine_cosine(where: Tensor, dim: int) -> Tensor:
    """2-D sine-cosine code of patch positions (He et al. 2021, arXiv:2111.06377; column first, as in its code).

    Shapes: (..., 2) row and column in patches -> (..., dim); dim is a multiple of 4.
    """
    if dim % 4:
        raise ValueError(f"a sine-cosine position needs a width that is a multiple of 4, not {dim}")
    omega = 1.0 / 10000 ** (torch.arange(dim // 4, device=where.device, dtype=torch.float64) / (dim / 4))
    column, row = (where[..., i, None].double() * omega for i in (1, 0))
    return torch.cat([column.sin(), column.cos(), row.sin(), row.cos()], -1).float()


class PatchTokens(nn.Module):
    """One token a patch; every frame of every solid is a sample of its own.

    Args:
        image: height and width of a frame in pixels; a multiple of `patch`.
        patch: side of a patch in pixels.
        dim: width of a token.

    Shapes:
        Batch.frames.image (B, T, 3, H, W) -> Tokens (B * T, (H / patch)^2, dim); where holds (row, column)
    """

    reads = frozenset({"frames"})

    def __init__(self, image: int, patch: int, dim: int) -> None:
        super().__init__()
        if image % patch:
            raise ValueError(f"frames of {image} pixels do not divide into patches of {patch}: change patch or size")
        self.embed = PatchEmbed(image, patch, 3, dim)
        # As the method's own code: a patch projection starts like a linear layer, not like a convolution.
        nn.init.xavier_uniform_(self.embed.proj.weight.view(dim, -1))
        self.where_dim = 2
        side = image // patch
        rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        where = torch.stack([rows, columns], -1).view(-1, 2).float()
        self.where: Tensor
        self.position: Tensor
        self.register_buffer("where", where, persistent=False)
        self.register_buffer("position", sine_cosine(where, dim), persistent=False)

    def forward(self, batch: Batch) -> Tokens:
        if batch.frames is None:
            raise ValueError("patch tokens need a batch with frames")
        x = self.embed(standardised(batch.frames.image.flatten(0, 1))) + self.position
        n, length, _ = x.shape
        valid = torch.ones(n, length, dtype=torch.bool, device=x.device)
        kind = torch.full((length,), PATCH, device=x.device)
        return Tokens(x, self.where.expand(n, -1, -1), valid, kind)
