"""What turns a batch into features: networks, pretrained or not, and features without any weight."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from brep_mae.datasets.batch import Batch

SPREADS = ("mean", "min", "max")


def gather(rows: Tensor, to: Tensor, n: int, reduce: str) -> Tensor:
    """Mean, min or max of the rows that go to each of n; zero where none goes. (R, D), (R,) -> (n, D)"""
    return scatter(rows, to, dim_size=n, reduce=reduce)


@dataclass(frozen=True)
class Features:
    """face (F, D) in the batch's face order; solid (B, E). Where E > D, the first D columns of a solid's are the mean
    over its faces, or of all tokens of a network that reads frames beside them; unless extractors are joined."""

    face: Tensor
    solid: Tensor

    def cpu(self) -> "Features":
        return Features(self.face.cpu(), self.solid.cpu())


class FeatureExtractor(nn.Module):
    """Shapes: Batch -> Features.

    Attributes:
        reads: content that batches must hold, by the names in datasets/content.py.
        dim: width of a face's features.
    """

    reads: frozenset[str]
    dim: int

    @property
    def solid_dim(self) -> int:
        """Width of a solid's features."""
        return self.dim

    def top(self) -> list[nn.Module]:
        """The last layer, which partial fine-tuning trains; empty where no layer can be trained alone."""
        return []

    def of_nothing(self) -> Features:
        """The features of no face and no solid: (0, dim), (0, solid_dim)."""
        return Features(torch.zeros(0, self.dim), torch.zeros(0, self.solid_dim))

    def forward(self, batch: Batch) -> Features:
        raise NotImplementedError
