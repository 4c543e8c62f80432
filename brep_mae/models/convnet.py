"""A convolutional encoder of images (timm's ResNet) in the place of tokens and a transformer."""

from functools import partial
from typing import Literal

import torch
from pydantic import Field, PositiveInt
from timm.layers import GroupNorm
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from brep_mae.checks import Section
from brep_mae.datasets.batch import Batch
from brep_mae.models.backbone import pool_patches
from brep_mae.models.extractor import FeatureExtractor, Features
from brep_mae.tokens.patches import standardised

GROUPS = 8


class ConvParams(Section):
    """`channels` and `layers` of the four stages; `bottleneck` True = blocks of three convolutions, four times as wide
    at their end; `stride` pixels per cell of the last map, 8, 16 or 32. ResNet-50 is [64, 128, 256, 512],
    [3, 4, 6, 3], true, 32."""

    channels: list[PositiveInt] = Field(min_length=4, max_length=4)
    layers: list[PositiveInt] = Field(min_length=4, max_length=4)
    bottleneck: bool
    stride: Literal[8, 16, 32]


class ConvBackbone(FeatureExtractor):
    """Shapes: Batch -> Features; `cells` (N, 3, H, W) -> (N, h * w, dim).

    A face is the mean of the cells in which its pixels lie, a solid the mean of all cells of all its frames. Group
    normalisation instead of the paper's batch normalisation: what an image is must not depend on its neighbours, whom
    a contrastive loss compares it with, and one device cannot shuffle batches as the paper's eight do.

    Raises ValueError for channels that do not divide into GROUPS.
    """

    reads = frozenset({"frames"})

    def __init__(self, params: ConvParams) -> None:
        super().__init__()
        if any(c % GROUPS for c in params.channels):
            raise ValueError(f"channels {list(params.channels)} are not multiples of {GROUPS}")
        self.network = ResNet(
            Bottleneck if params.bottleneck else BasicBlock,
            params.layers,
            num_classes=0,
            global_pool="",
            output_stride=params.stride,
            channels=params.channels,
            norm_layer=partial(GroupNorm, num_groups=GROUPS),
        )
        self.dim = int(self.network.num_features)

    def top(self) -> list[nn.Module]:
        """The last of the four stages."""
        return [self.network.layer4]

    def cells(self, images: Tensor) -> Tensor:
        return self.network(standardised(images)).flatten(2).transpose(1, 2)

    def forward(self, batch: Batch) -> Features:
        if batch.frames is None:
            raise ValueError("an image backbone needs a batch with frames")
        solids, views = batch.frames.image.shape[:2]
        cells = self.cells(batch.frames.image.flatten(0, 1)).unflatten(0, (solids, views))
        solid = cells.mean((1, 2))
        if batch.faces is None:
            return Features(solid[:0], solid)
        n_faces = torch.bincount(batch.faces.solid, minlength=solids)
        return Features(pool_patches(cells, batch.frames, n_faces), solid)
