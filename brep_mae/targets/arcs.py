"""The arcs of hidden faces: how two faces meet, and in what kind of curve."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch, Faces
from brep_mae.features.invariants import ARC_SCALARS
from brep_mae.masking.mask import Mask
from brep_mae.models.blocks import init_weights
from brep_mae.schema import CONVEXITY, CURVE_TYPES
from brep_mae.targets.constants import log_shares, mean_of
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
from brep_mae.targets.terms import Term
from brep_mae.tokens.tokens import FACE, Tokens


class Arcs(Target):
    """Three terms: `scalars` smooth L1 error of angle, length and all else that is standardised of an arc, mean over
    the scalars; `convexity` and `curve` cross-entropy of its kind.

    An arc that leaves a hidden face is told from the codes of both its ends, of which the other one is not moved by the
    error, as it has arcs of its own. That there is an arc is known.

    Args:
        code_dim: width of a code.
    """

    terms = ("scalars", "convexity", "curve")
    kind = FACE
    reads = frozenset({"faces", "arcs", "invariants"})
    sizes = (len(ARC_SCALARS), len(CONVEXITY), len(CURVE_TYPES))

    def __init__(self, code_dim: int) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(2 * code_dim, code_dim), nn.GELU(), nn.Linear(code_dim, sum(self.sizes)))
        self.head.apply(init_weights)

    def select(self, codes: Tensor, tokens: Tokens, mask: Mask, role: Tensor) -> Selection:
        """Arcs instead of tokens: `row` counts the truth's arcs, `codes` (M, 2 D) are those of both ends."""
        if tokens.arcs is None:
            raise ValueError("arcs can be predicted of tokens with arcs alone")
        row = mask.hidden.flatten()[tokens.arcs.index[0]].nonzero()[:, 0]
        source, target = tokens.arcs.index[:, row]
        flat = codes[:, 1:].flatten(0, 1)
        picked, sample = torch.cat([flat[source], flat[target].detach()], 1), source // mask.hidden.shape[1]
        weight = picked.new_ones(len(row)) if mask.weight is None else mask.weight.flatten()[source]
        class_token = torch.zeros_like(row, dtype=torch.bool)
        return Selection(picked, row, sample, role[sample], class_token, weight, len(codes))

    def surface_of(self, selection: Selection, faces: Faces) -> Tensor:
        return faces.surface[faces.arc_index[0, selection.row]]

    def truth(self, selection: Selection, batch: Batch) -> Values:
        rows = batch.faces_with(self.reads).arc_invariant[selection.row]
        scalars, convexity, curve = rows.split(self.sizes, 1)
        return {"scalars": scalars, "convexity": convexity.argmax(1), "curve": curve.argmax(1)}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        return dict(zip(self.terms, self.head(codes).split(self.sizes, 1), strict=True))

    def code_free(self, known: Values, asked: Values) -> Values:
        sizes = zip(self.terms[1:], self.sizes[1:], strict=True)
        kinds = {name: log_shares(known[name], asked[name], size) for name, size in sizes}
        return {"scalars": mean_of(known["scalars"], asked["scalars"]), **kinds}

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        scalars = F.smooth_l1_loss(predicted["scalars"], truth["scalars"], reduction="none")
        kinds = {k: Term(F.cross_entropy(predicted[k], truth[k], reduction="none")) for k in self.terms[1:]}
        return {"scalars": Term(scalars.mean(1)), **kinds}
