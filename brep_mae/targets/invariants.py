"""The scalars of hidden faces, in units of their typical spread, and the type of their surface."""

from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.features.invariants import FACE_SCALARS
from brep_mae.models.blocks import init_weights
from brep_mae.schema import SURFACE_TYPES
from brep_mae.targets.constants import log_shares, mean_of
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
from brep_mae.targets.terms import Term
from brep_mae.tokens.tokens import FACE

ASKED = [number for number, name in enumerate(FACE_SCALARS) if name != "log_degree"]
"""Columns of the scalars that the place of a face in the graph does not tell."""


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
        self.head = nn.Linear(code_dim, len(ASKED) + len(SURFACE_TYPES))
        self.head.apply(init_weights)

    def truth(self, selection: Selection, batch: Batch) -> Values:
        faces, row = batch.faces_with(self.reads), selection.row
        return {"scalars": faces.invariant[row][:, ASKED], "surface": faces.surface[row]}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        scalars, surface = self.head(codes).split([len(ASKED), len(SURFACE_TYPES)], 1)
        return {"scalars": scalars, "surface": surface}

    def code_free(self, known: Values, asked: Values) -> Values:
        surface = log_shares(known["surface"], asked["surface"], len(SURFACE_TYPES))
        return {"scalars": mean_of(known["scalars"], asked["scalars"]), "surface": surface}

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        scalars = F.smooth_l1_loss(predicted["scalars"], truth["scalars"], reduction="none")
        return {
            "scalars": Term(scalars.mean(1)),
            "surface": Term(F.cross_entropy(predicted["surface"], truth["surface"], reduction="none")),
        }
