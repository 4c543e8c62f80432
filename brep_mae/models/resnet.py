"""ResNet-18 for images of 32 pixels, as continual learning compares on (Lopez-Paz & Ranzato 2017, arXiv:1706.08840)."""

import torch
from timm.models.resnet import BasicBlock
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.models.extractor import FeatureExtractor, Features
from brep_mae.tokens.patches import standardised

WIDTH, STAGES, BLOCKS = 20, 4, 2


def _block(inputs: int, outputs: int, stride: int) -> BasicBlock:
    same = stride == 1 and inputs == outputs
    narrow = None if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    return BasicBlock(inputs, outputs, stride, narrow)


class ResNet18(FeatureExtractor):
    """Four stages of two blocks, 20 to 160 channels wide; first convolution 3 x 3, no pooling before the stages.

    Shapes: Batch with frames -> Features; solid (B, 160) is the mean over all places and frames, there are no faces.
    """

    reads = frozenset({"frames"})

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()]
        inputs = WIDTH
        for stage in range(STAGES):
            for block in range(BLOCKS):
                layers.append(_block(inputs, WIDTH * 2**stage, 2 if stage and not block else 1))
                inputs = WIDTH * 2**stage
        self.body = nn.Sequential(*layers)
        self.dim = inputs

    def forward(self, batch: Batch) -> Features:
        assert batch.frames is not None
        image = batch.frames.image  # (B, T, 3, H, W)
        flat = standardised(image.flatten(0, 1)).contiguous(memory_format=torch.channels_last)  # much faster on a CPU
        cells: Tensor = self.body(flat)
        solid = cells.mean((2, 3)).unflatten(0, image.shape[:2]).mean(1)
        return Features(torch.zeros(0, self.dim), solid)
