"""Hybrid surfaces on hidden faces: an implicit/explicit decoder rasterises each face from its code.

Jones et al. 2023, arXiv:2210.10807. Differs from the paper: faces are hidden and the code of a hidden face comes from
the faces around it, since an encoder that reads UV-grids could copy the position of a face it sees.
"""

from pydantic import PositiveInt
from torch import nn

from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import WHERE_DIM
from brep_mae.masking.random import RandomMask
from brep_mae.models.decoder import Decoder
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import Share, SizeParams
from brep_mae.targets.surface import Surface
from brep_mae.tokens.faces import FaceTokens


class Params(MethodParams):
    size: SizeParams
    decoder: SizeParams
    mask_ratio: float = Share
    head_width: PositiveInt
    head_depth: PositiveInt
    weights: Weights


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    return MaskedPretext(
        params=p,
        tokens=FaceTokens(spec.grid, p.size.dim),
        mask=RandomMask(p.mask_ratio),
        encoder=TransformerEncoder(p.size, arcs=True),
        decoder=Decoder(p.size.dim, p.decoder, nn.Linear(WHERE_DIM, p.decoder.dim), arcs=True),
        targets={"surface": Surface(p.decoder.dim, p.head_width, p.head_depth)},
        weights=p.weights,
    )
