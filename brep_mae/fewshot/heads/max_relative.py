"""The backbone as it is, and a small network on its features: what Jones et al. train on their codes of single faces.

Jones et al. 2023, arXiv:2210.10807, its few-shot experiments. Faces: two rounds of residual max-relative messages, then
a linear layer. Solids: a linear layer and the maximum over the faces. Differs from the paper: a fixed number of steps,
where it stops when a fifth of the labelled solids says so; AdamW with weight decay, one cycle of the learning rate and
label smoothing, as all heads that train a network have here, where it has Adam at 1e-3; small batches instead of 512.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch_geometric.utils import scatter

from brep_mae.datasets.batch import Batch
from brep_mae.evaluation.problem import Predictor, Problem, Rows
from brep_mae.fewshot.heads import frozen
from brep_mae.fewshot.heads.finetuned import fine_tune, predict
from brep_mae.models.extractor import FeatureExtractor, Features

ROUNDS = 2


class MaxRelative(FeatureExtractor):
    """Shapes: Batch with F faces of B solids -> Features, face (F, D), solid (B, D), D as the backbone's.

    `codes`, the backbone, is never in training mode and gets no gradient.
    """

    def __init__(self, codes: FeatureExtractor) -> None:
        super().__init__()
        self.codes, self.reads, self.dim = codes, codes.reads | {"faces", "arcs"}, codes.dim
        self.rounds = nn.ModuleList(nn.Linear(2 * codes.dim, codes.dim) for _ in range(ROUNDS))
        self.of_face, self.of_solid = nn.Linear(codes.dim, codes.dim), nn.Linear(codes.dim, codes.dim)
        self.activation = nn.LeakyReLU()

    def train(self, mode: bool = True) -> "MaxRelative":
        super().train(mode)
        self.codes.eval()
        return self

    def forward(self, batch: Batch) -> Features:
        content = batch.faces_with(self.reads)
        with torch.no_grad():
            x = self.codes(batch).face
        solid = scatter(self.of_solid(x), content.solid, dim_size=content.n_solids, reduce="max")
        i, j = content.arc_index
        for linear in self.rounds:
            farthest = scatter(x[j] - x[i], i, dim_size=len(x), reduce="max")
            x = x + self.activation(linear(torch.cat([x, farthest], 1)))
        return Features(self.activation(self.of_face(x)), self.activation(solid))


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    if len(np.unique(labelled.y)) < 2:
        return frozen.fit(problem, labelled, seed)
    torch.manual_seed(seed)
    network = MaxRelative(problem.backbone)
    tuned, head = fine_tune(
        replace(problem, backbone=network), nn.Linear(network.dim, problem.task.n_classes), labelled, seed
    )
    return lambda rows: predict(tuned, head, rows)
