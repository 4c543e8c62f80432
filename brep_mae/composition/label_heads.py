"""Heads that learn labels while an encoder is pretrained, and judge by them what it is taught."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae import ranks
from brep_mae.datasets.batch import Batch
from brep_mae.models.encoder import Latent
from brep_mae.schema import UNLABELLED

DROPOUT = 0.1
"""Of a head's input, as in MLO-MAE's code."""


class LabelHead(nn.Module):
    """Norm, dropout and a linear layer to the classes, as in the paper's code, and the loss of its answers.

    Args:
        dim: width of a latent.
        classes: how many; 0 = there are no labels.
    """

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.layers = nn.Sequential(nn.LayerNorm(dim), nn.Dropout(DROPOUT), nn.Linear(dim, classes))

    def forward(self, latent: Latent, batch: Batch) -> Tensor:
        """Mean loss over what has a label; 0 where nothing has. Of a batch that several processes share, what this
        one's part adds to it."""
        raise NotImplementedError

    def cross_entropy(self, rows: Tensor, label: Tensor) -> Tensor:
        known = label != UNLABELLED
        return F.cross_entropy(self.layers(rows[known]), label[known], reduction="sum") / _whole(known)


class FaceClasses(LabelHead):
    """The class of every face, from its own latent."""

    def forward(self, latent: Latent, batch: Batch) -> Tensor:
        return self.cross_entropy(latent.x[:, 1:][latent.valid[:, 1:]], batch.faces_with(frozenset({"faces"})).label)


class PartClasses(LabelHead):
    """The class of every solid, from the class token; of each of its frames, where frames are read."""

    def forward(self, latent: Latent, batch: Batch) -> Tensor:
        token = latent.x[:, 0]
        part = batch.faces_with(frozenset({"faces"})).part
        return self.cross_entropy(token, part.repeat_interleave(len(token) // len(part)))


class ShownClasses(LabelHead):
    """Which face classes a solid shows, each yes or no, from the class token: for solids without a class of their
    own."""

    def forward(self, latent: Latent, batch: Batch) -> Tensor:
        token, faces = latent.x[:, 0], batch.faces_with(frozenset({"faces"}))
        known = faces.label != UNLABELLED
        shown = token.new_zeros(faces.n_solids, self.classes)
        shown[faces.solid[known], faces.label[known]] = 1.0
        labelled = torch.bincount(faces.solid[known], minlength=faces.n_solids) > 0
        times = len(token) // faces.n_solids
        shown, labelled = shown.repeat_interleave(times, 0), labelled.repeat_interleave(times)
        errors = F.binary_cross_entropy_with_logits(self.layers(token), shown, reduction="none").mean(1)
        return errors[labelled].sum() / _whole(labelled)


def _whole(labelled: Tensor) -> Tensor:
    return ranks.total(labelled.sum()).clamp(min=1)
