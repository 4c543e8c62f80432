"""The head that a contrastive loss reads and that is thrown away after pretraining."""

from torch import Tensor, nn
from torch.nn import functional as F


class Projector(nn.Module):
    """Two linear layers (MoCo v2, Chen et al. 2020, arXiv:2003.04297). (N, dim) -> (N, code), of length 1."""

    def __init__(self, dim: int, code: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, code))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.layers(x), dim=1)
