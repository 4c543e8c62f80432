"""Two feature extractors side by side: the features of both, one after the other."""

from collections.abc import Iterable

import torch
from torch import nn

from brep_mae.datasets.batch import Batch
from brep_mae.models.extractor import FeatureExtractor, Features


class Joined(FeatureExtractor):
    """Shapes: Batch -> Features, face (F, sum of both), solid (B, sum of both)."""

    def __init__(self, first: FeatureExtractor, second: FeatureExtractor) -> None:
        super().__init__()
        self.both: Iterable[FeatureExtractor] = nn.ModuleList([first, second])  # type: ignore[assignment]
        self.reads, self.dim = first.reads | second.reads, first.dim + second.dim

    @property
    def solid_dim(self) -> int:
        return sum(extractor.solid_dim for extractor in self.both)

    def top(self) -> list[nn.Module]:
        return [module for extractor in self.both for module in extractor.top()]

    def forward(self, batch: Batch) -> Features:
        each = [extractor(batch) for extractor in self.both]
        return Features(torch.cat([f.face for f in each], 1), torch.cat([f.solid for f in each], 1))
