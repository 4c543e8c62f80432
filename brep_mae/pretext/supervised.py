"""No pretext but the labels themselves, in the training loop of the others: for labels that cost nobody anything,
because a generator wrote them, and for comparison."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae import ranks
from brep_mae.checks import Section
from brep_mae.composition.pretext import DataSpec, MethodParams, Pretext
from brep_mae.composition.pretext import build as build_method
from brep_mae.datasets.batch import Batch
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.schema import UNLABELLED


class NetworkParams(Section):
    """The method whose network it is, and that method's block."""

    method: str
    params: dict[str, Any]


class Params(MethodParams):
    network: NetworkParams


class Supervised(Pretext):
    """forward -> {"loss", "labels.face", "labels.part"}: cross-entropy of the faces, and of the parts, with a label.

    Args:
        network: what is trained, and kept.
        face_classes, part_classes: number of classes; 0 = such labels are not read.
    """

    def __init__(self, params: MethodParams, network: FeatureExtractor, face_classes: int, part_classes: int) -> None:
        super().__init__()
        self.params, self.network = params, network
        self.face, self.part = nn.Linear(network.dim, face_classes), nn.Linear(network.solid_dim, part_classes)

    @property
    def reads(self) -> frozenset[str]:
        return self.network.reads | {"faces"}

    @property
    def reads_labels(self) -> bool:
        return True

    @property
    def parallel(self) -> bool:
        return True

    def forward(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        faces = batch.faces
        if faces is None:
            raise ValueError("this method needs a batch with faces")
        features, parts = self.network(batch), dict[str, Tensor]()
        for name, head, rows, label in (
            ("face", self.face, features.face, faces.label),
            ("part", self.part, features.solid, faces.part),
        ):
            known = label != UNLABELLED
            if head.out_features and (count := ranks.total(known.sum())) > 0:
                parts[f"labels.{name}"] = F.cross_entropy(head(rows[known]), label[known], reduction="sum") / count
        return {"loss": sum(parts.values(), torch.zeros(()))} | {k: v.detach() for k, v in parts.items()}

    def backbone(self) -> FeatureExtractor:
        return self.network


def build(p: Params, spec: DataSpec) -> Supervised:
    network = build_method(p.network.method, p.network.params, spec).backbone()
    return Supervised(p, network, spec.face_classes, spec.part_classes)
