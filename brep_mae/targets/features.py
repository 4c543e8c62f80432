"""What a teacher says of a token, standardised per token: the target of dBOT and MaskDistill, and i-MAE's latents."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.models.blocks import init_weights
from brep_mae.targets.target import Target, Taught, Term

EPS = 1e-6


def standardise(features: Tensor) -> Tensor:
    """Mean 0 and unbiased variance 1 in every row, without anything that could be learned. (M, D) -> (M, D)"""
    centred = features - features.mean(1, keepdim=True)
    variance = centred.square().sum(1, keepdim=True) / (features.shape[1] - 1)
    return centred / (variance + EPS).sqrt()


def taught(batch: Batch, rows: Tensor) -> tuple[Tensor, Tensor]:
    """What the teacher says of `rows`, (M, D), and where it says anything, (M,)."""
    if not isinstance(batch, Taught) or batch.features is None or batch.known is None:
        raise ValueError("a target of features needs a teacher")
    return batch.features[rows].detach(), batch.known[rows]


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

    def forward(self, codes: Tensor, batch: Batch, rows: Tensor, rng: torch.Generator) -> dict[str, Term]:
        truth, known = taught(batch, rows)
        error = F.smooth_l1_loss(self.head(codes), standardise(truth), beta=self.beta, reduction="none")
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

    def forward(self, codes: Tensor, batch: Batch, rows: Tensor, rng: torch.Generator) -> dict[str, Term]:
        truth, known = taught(batch, rows)
        return {"latents": Term((codes - truth).square().mean(1), known)}
