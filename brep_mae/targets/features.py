"""What a teacher says of a token, standardised per token: the target of dBOT and MaskDistill, and i-MAE's latents."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.models.blocks import init_weights
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target
from brep_mae.targets.teacher_targets import TeacherTargets
from brep_mae.targets.terms import Term

EPS = 1e-6


def standardise(features: Tensor) -> Tensor:
    """Mean 0 and unbiased variance 1 in every row, without anything that could be learned. (M, D) -> (M, D)"""
    centred = features - features.mean(1, keepdim=True)
    variance = centred.square().sum(1, keepdim=True) / (features.shape[1] - 1)
    return centred / (variance + EPS).sqrt()


def teacher_features(selection: Selection, truth: Batch) -> tuple[Tensor, Tensor]:
    """What the teacher says of the selected tokens, (M, D), and where it says anything, (M,)."""
    if not isinstance(truth, TeacherTargets):
        raise ValueError("a target of features needs a teacher")
    of_class, of_content = selection.class_token, ~selection.class_token
    row, sample = selection.row[of_content], selection.sample[of_class]
    features = truth.features.new_empty(len(of_class), truth.features.shape[1])
    features[of_content], features[of_class] = truth.features[row].detach(), truth.class_features[sample].detach()
    known = torch.empty_like(of_class)
    known[of_content], known[of_class] = truth.known[row], truth.class_known[sample]
    return features, known


class Features(Target):
    """Smooth L1 distance between one affine map of a code and the teacher's standardised features.

    Args:
        code_dim: width of a code.
        teacher_dim: width of the teacher's features.
        kind: which tokens, index in tokens.KINDS.
        beta: error at which the loss turns from square to linear; e^2 / (2 beta) below, e - beta / 2 above.
        class_token: True = the class token is predicted too.
    """

    terms = ("features",)

    def __init__(self, code_dim: int, teacher_dim: int, kind: int, beta: float, class_token: bool) -> None:
        super().__init__()
        self.head = nn.Linear(code_dim, teacher_dim)
        self.head.apply(init_weights)
        self.kind, self.beta, self.class_token = kind, beta, class_token

    def forward(self, selection: Selection, truth: Batch, rng: torch.Generator) -> dict[str, Term]:
        features, known = teacher_features(selection, truth)
        error = F.smooth_l1_loss(self.head(selection.codes), standardise(features), beta=self.beta, reduction="none")
        return {"features": Term(error.mean(1), known)}


class Latents(Target):
    """Squared distance between the latent of a seen token, or the class token, and what the teacher makes of it."""

    terms = ("latents",)
    on: Literal["hidden", "seen"] = "seen"
    of: Literal["code", "latent"] = "latent"
    class_token = True

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, selection: Selection, truth: Batch, rng: torch.Generator) -> dict[str, Term]:
        features, known = teacher_features(selection, truth)
        return {"latents": Term((selection.codes - features).square().mean(1), known)}
