"""Features by an extractor that is not shown some of the scalars, to see what they are worth."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.features.invariants import ARC_SCALARS, FACE_SCALARS
from brep_mae.models.extractor import FeatureExtractor, Features


class Blind(FeatureExtractor):
    """Shapes: as of the extractor inside, which reads zeros in the place of the scalars.

    Args:
        scalars: names in FACE_SCALARS or ARC_SCALARS; a name that is in both is hidden in both.
    """

    face: Tensor
    arc: Tensor

    def __init__(self, extractor: FeatureExtractor, scalars: Sequence[str]) -> None:
        super().__init__()
        self.inside, self.reads, self.dim = extractor, extractor.reads | {"invariants"}, extractor.dim
        if unknown := set(scalars) - {*FACE_SCALARS, *ARC_SCALARS}:
            raise ValueError(f"no scalars {', '.join(sorted(unknown))}")
        for kind, names in (("face", FACE_SCALARS), ("arc", ARC_SCALARS)):
            columns = torch.tensor([i for i, name in enumerate(names) if name in scalars], dtype=torch.long)
            self.register_buffer(kind, columns, persistent=False)

    @property
    def solid_dim(self) -> int:
        return self.inside.solid_dim

    def top(self) -> list[nn.Module]:
        return self.inside.top()

    def forward(self, batch: Batch) -> Features:
        faces = batch.faces_with(self.reads)
        face = faces.invariant.index_fill(1, self.face, 0.0)
        arc = faces.arc_invariant.index_fill(1, self.arc, 0.0)
        features: Features = self.inside(replace(batch, faces=replace(faces, invariant=face, arc_invariant=arc)))
        return features
