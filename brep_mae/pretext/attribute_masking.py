"""Attribute masking: hide the scalars of connected faces and predict them from the rest of the face graph.

Hu et al. 2020, arXiv:1905.12265, section 3.1.2. Differs from the paper: attributes are the invariant scalars of a face
and the type of its surface rather than the kind of an atom, and those of the arcs at a hidden face besides; faces are
hidden in regions that hang together; a mask token knows its place in the graph, so that its degree is not asked for;
what is seen of other faces is computed as if the hidden ones were not there.
"""

from pydantic import Field, NonNegativeInt, PositiveInt
from torch import nn

from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import WHERE_DIM, Batch
from brep_mae.datasets.partial import without_hidden
from brep_mae.masking.mask import Mask
from brep_mae.masking.regions import RegionMask
from brep_mae.models.encoder import Fill
from brep_mae.models.message_encoder import MessageEncoder
from brep_mae.settings import Share
from brep_mae.targets.arcs import Arcs
from brep_mae.targets.invariants import Scalars
from brep_mae.tokens.invariants import InvariantTokens
from brep_mae.tokens.tokens import Tokens


class Params(MethodParams):
    dim: PositiveInt
    depth: NonNegativeInt
    dropout: float = Field(ge=0, lt=1)
    mask_ratio: float = Share
    weights: Weights


class AttributeMasking(MaskedPretext):
    """Scalars of seen faces are computed anew in every step, without the faces that are hidden in it."""

    @property
    def reads(self) -> frozenset[str]:
        return super().reads | {"record"}

    def masked_tokens(self, tokens: Tokens, seen: Batch, mask: Mask) -> Tokens:
        return self.tokens(without_hidden(seen, mask.hidden[tokens.valid]))


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    encoder = MessageEncoder(p.dim, p.depth, p.dropout, Fill(p.dim, nn.Linear(WHERE_DIM, p.dim)))
    return AttributeMasking(
        params=p,
        tokens=InvariantTokens(p.dim),
        mask=RegionMask(p.mask_ratio),
        encoder=encoder,
        decoder=None,
        targets={"invariants": Scalars(encoder.dim), "arcs": Arcs(encoder.dim)},
        weights=p.weights,
    )
