"""The scalars of hidden faces, in units of their typical spread, and the type of their surface."""

from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.features.invariants import FACE_DIM, FACE_SCALARS
from brep_mae.models.blocks import init_weights
from brep_mae.targets.constants import log_shares, mean_of
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
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

    def truth(self, selection: Selection, batch: Batch) -> Values:
        faces, row = batch.faces_with(self.reads), selection.row
        return {"scalars": faces.invariant[row, : len(FACE_SCALARS)], "surface": faces.surface[row]}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        n = len(FACE_SCALARS)
        scalars, surface = self.head(codes).split([n, FACE_DIM - n], 1)
        return {"scalars": scalars, "surface": surface}

    def code_free(self, known: Values, asked: Values) -> Values:
        surface = log_shares(known["surface"], asked["surface"], FACE_DIM - len(FACE_SCALARS))
        return {"scalars": mean_of(known["scalars"], asked["scalars"]), "surface": surface}

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        scalars = F.smooth_l1_loss(predicted["scalars"], truth["scalars"], reduction="none")
        return {
            "scalars": Term(scalars.mean(1)),
            "surface": Term(F.cross_entropy(predicted["surface"], truth["surface"], reduction="none")),
        }
