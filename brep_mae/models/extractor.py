"""What turns a batch into features: networks, pretrained or not, and features without any weight."""

from dataclasses import dataclass

from torch import Tensor, nn

from brep_mae.datasets.batch import Batch


@dataclass(frozen=True)
class Features:
    """face (F, D) in the batch's face order; solid (B, D)."""

    face: Tensor
    solid: Tensor

    def cpu(self) -> "Features":
        return Features(self.face.cpu(), self.solid.cpu())


class FeatureExtractor(nn.Module):
    """Shapes: Batch -> Features.

    Attributes:
        reads: content that batches must hold, by the names in datasets/content.py.
        dim: width of a face's features, or of a solid's where there are no faces.
    """

    reads: frozenset[str]
    dim: int

    def top(self) -> list[nn.Module]:
        """The last layer, which partial fine-tuning trains; empty where no layer can be trained alone."""
        return []

    def forward(self, batch: Batch) -> Features:
        raise NotImplementedError
