"""Attribute masking: hide the scalars of some faces and predict them from the rest of the face graph.

Hu et al. 2020, arXiv:1905.12265, section 3.1.2. Differs from the paper: attributes are the invariant scalars of a face
and the type of its surface rather than the kind of an atom; arcs that touch a hidden face are hidden as well; a mask
token knows its place in the graph.
"""

from pydantic import Field, NonNegativeInt, PositiveInt
from torch import nn

from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import WHERE_DIM
from brep_mae.masking.random import RandomMask
from brep_mae.models.encoder import Fill
from brep_mae.models.message_encoder import MessageEncoder
from brep_mae.settings import Share
from brep_mae.targets.invariants import Scalars
from brep_mae.tokens.invariants import InvariantTokens


class Params(MethodParams):
    dim: PositiveInt
    depth: NonNegativeInt
    dropout: float = Field(ge=0, lt=1)
    mask_ratio: float = Share
    weights: Weights


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    encoder = MessageEncoder(p.dim, p.depth, p.dropout, Fill(p.dim, nn.Linear(WHERE_DIM, p.dim)))
    return MaskedPretext(
        params=p,
        tokens=InvariantTokens(p.dim),
        mask=RandomMask(p.mask_ratio),
        encoder=encoder,
        decoder=None,
        targets={"invariants": Scalars(encoder.dim)},
        weights=p.weights,
    )
