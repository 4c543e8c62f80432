"""The scalars of hidden faces, in units of their typical spread, and the type of their surface."""

import torch
from torch import nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.features.invariants import FACE_DIM, FACE_SCALARS
from brep_mae.models.blocks import init_weights
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target
from brep_mae.targets.terms import Term
from brep_mae.tokens.tokens import FACE


class Scalars(Target):
    """Two terms: `scalars` smooth L1 error, mean over the scalars; `surface` cross-entropy of the surface's type.

    Args:
        code_dim: width of a code.
    """

    terms = ("scalars", "surface")
    kind = FACE
    reads = frozenset({"faces", "invariants"})

    def __init__(self, code_dim: int) -> None:
        super().__init__()
        self.head = nn.Linear(code_dim, FACE_DIM)
        self.head.apply(init_weights)

    def forward(self, selection: Selection, truth: Batch, rng: torch.Generator) -> dict[str, Term]:
        faces, row = truth.faces_with(self.reads), selection.row
        n = len(FACE_SCALARS)
        scalars, surface = self.head(selection.codes).split([n, FACE_DIM - n], 1)
        true_scalars = faces.invariant[row, :n]
        return {
            "scalars": Term(F.smooth_l1_loss(scalars, true_scalars, reduction="none").mean(1)),
            "surface": Term(F.cross_entropy(surface, faces.surface[row], reduction="none")),
        }
