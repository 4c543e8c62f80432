"""Turntable tubelets as tokens: one sample is all (view, patch) places of a solid's clip of frames."""

import torch
from timm.layers import PatchEmbed
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.tokens.patches import standardised
from brep_mae.tokens.tokens import PATCH, Tokens

VIEW, SPACE = range(2)
"""Columns of Tokens.where: number of the view (of the tubelet along the turn), number of the patch within a frame."""


class SeparablePosition(nn.Module):
    """Learnable position of a tubelet: a vector of its place in the frame plus a vector of its view.

    Feichtenhofer et al. 2022, arXiv:2205.09113, section 3.1 and its code: two tables, truncated normal of 0.02.

    Args:
        views: most tubelets along the turn.
        patches: patches of a frame.
        dim: width.

    Shapes: (..., 2) columns VIEW and SPACE -> (..., dim)
    """

    def __init__(self, views: int, patches: int, dim: int) -> None:
        super().__init__()
        self.space_token = nn.Parameter(torch.zeros(patches, dim))
        self.view_token = nn.Parameter(torch.zeros(views, dim))
        for table in (self.space_token, self.view_token):
            nn.init.trunc_normal_(table, std=0.02)

    def forward(self, where: Tensor) -> Tensor:
        where = where.long()
        return self.space_token[where[..., SPACE]] + self.view_token[where[..., VIEW]]


class TubeletTokens(nn.Module):
    """One token for `depth` frames of one patch; all frames of a solid are one sample.

    A convolution over space and time with stride = kernel is a 2-D one over the frames of a tubelet side by side.

    Args:
        image: height and width of a frame in pixels; a multiple of `patch`.
        patch: side of a patch in pixels.
        depth: frames of a tubelet (the paper's t_patch; 2 for video, 1 here).
        views: most frames of a clip; a clip may have fewer.
        dim: width of a token.

    Shapes:
        Batch.frames.image (B, T, 3, H, W) -> Tokens (B, T / depth * (H / patch)^2, dim), view by view
    """

    reads = frozenset({"frames"})

    def __init__(self, image: int, patch: int, depth: int, views: int, dim: int) -> None:
        super().__init__()
        if image % patch:
            raise ValueError(f"frames of {image} pixels do not divide into patches of {patch}: change patch or size")
        if views % depth:
            raise ValueError(f"{views} views do not divide into tubelets of {depth} frames: change views or depth")
        self.embed = PatchEmbed(image, patch, 3 * depth, dim)
        nn.init.xavier_uniform_(self.embed.proj.weight.view(dim, -1))
        self.patches, self.depth, self.views = (image // patch) ** 2, depth, views
        self.position = SeparablePosition(views // depth, self.patches, dim)

    def forward(self, batch: Batch) -> Tokens:
        if batch.frames is None:
            raise ValueError("tubelet tokens need a batch with frames")
        n, frames = batch.frames.image.shape[:2]
        if frames > self.views or frames % self.depth:
            raise ValueError(
                f"a clip of {frames} frames does not fit tubelets of {self.depth} out of {self.views} views: "
                "render as many views as the method's block says"
            )
        clips = standardised(batch.frames.image).unflatten(1, (-1, self.depth))
        x = self.embed(clips.flatten(0, 1).flatten(1, 2))
        x = x.unflatten(0, (n, -1)).flatten(1, 2)
        place = torch.arange(x.shape[1], device=x.device)
        where = torch.stack([place // self.patches, place % self.patches], -1).float().expand(n, -1, -1)
        valid = torch.ones(n, x.shape[1], dtype=torch.bool, device=x.device)
        return Tokens(x + self.position(where[:1]), where, valid, torch.full_like(place, PATCH))
