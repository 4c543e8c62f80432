"""Two backbones side by side: the features of both, one after the other."""

import torch
from torch import nn

from brep_mae.datasets.batch import Batch
from brep_mae.models.backbone import Backbone, Features


class Joined(Backbone):
    """Shapes: Batch -> Features, face (F, sum of both), solid (B, sum of both)."""

    def __init__(self, first: Backbone, second: Backbone) -> None:
        nn.Module.__init__(self)
        self.both = nn.ModuleList([first, second])

    @property
    def reads(self) -> frozenset[str]:
        return frozenset().union(*(backbone.reads for backbone in self._backbones()))

    @property
    def dim(self) -> int:
        return sum(backbone.dim for backbone in self._backbones())

    def _backbones(self) -> list[Backbone]:
        return [backbone for backbone in self.both if isinstance(backbone, Backbone)]

    def top(self) -> list[nn.Module]:
        return [module for backbone in self._backbones() for module in backbone.top()]

    def forward(self, batch: Batch) -> Features:
        each = [backbone(batch) for backbone in self.both]
        return Features(torch.cat([f.face for f in each], 1), torch.cat([f.solid for f in each], 1))
