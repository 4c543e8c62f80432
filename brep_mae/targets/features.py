"""What a teacher says of a token, standardised per token: the target of dBOT and MaskDistill, and i-MAE's latents."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.models.blocks import init_weights
from brep_mae.targets.constants import mean_of
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
from brep_mae.targets.teacher_targets import SeveralTeacherTargets, TeacherTargets
from brep_mae.targets.terms import Term

EPS = 1e-6


def standardise(features: Tensor) -> Tensor:
    """Mean 0 and unbiased variance 1 in every row, without anything that could be learned. (M, D) -> (M, D)"""
    centred = features - features.mean(1, keepdim=True)
    variance = centred.square().sum(1, keepdim=True) / (features.shape[1] - 1)
    return centred / (variance + EPS).sqrt()


def teacher_features(selection: Selection, truth: Batch, teacher: str = "") -> tuple[Tensor, Tensor]:
    """What the teacher, of several the one by that name, says of the selected tokens, (M, D), and where it says
    anything, (M,)."""
    if isinstance(truth, SeveralTeacherTargets):
        truth = truth.by_teacher[teacher]
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
        teacher: which one, where the method has several.
    """

    terms = ("features",)

    def __init__(
        self, code_dim: int, teacher_dim: int, kind: int, beta: float, class_token: bool, teacher: str = ""
    ) -> None:
        super().__init__()
        self.head = nn.Linear(code_dim, teacher_dim)
        self.head.apply(init_weights)
        self.kind, self.beta, self.class_token, self.teacher = kind, beta, class_token, teacher

    def truth(self, selection: Selection, batch: Batch) -> Values:
        features, known = teacher_features(selection, batch, self.teacher)
        return {"features": standardise(features), "known": known}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        return {"features": self.head(codes)}

    def code_free(self, known: Values, asked: Values) -> Values:
        return {"features": mean_of(known["features"][known["known"]], asked["features"])}

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        error = F.smooth_l1_loss(predicted["features"], truth["features"], beta=self.beta, reduction="none")
        return {"features": Term(error.mean(1), truth["known"])}


class Latents(Target):
    """Squared distance between the latent of a seen token, or the class token, and what the teacher makes of it."""

    terms = ("latents",)
    on: Literal["hidden", "seen"] = "seen"
    of: Literal["code", "latent", "views"] = "latent"
    class_token = True

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.kind = kind

    def truth(self, selection: Selection, batch: Batch) -> Values:
        features, known = teacher_features(selection, batch)
        return {"latents": features, "known": known}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        return {"latents": codes}

    def code_free(self, known: Values, asked: Values) -> Values:
        return {"latents": mean_of(known["latents"][known["known"]], asked["latents"])}

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        return {"latents": Term((predicted["latents"] - truth["latents"]).square().mean(1), truth["known"])}
