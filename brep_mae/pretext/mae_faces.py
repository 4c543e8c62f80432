"""MAE on faces: hide most faces of a solid and predict their UV-grids from the rest.

He et al. 2021, arXiv:2111.06377. Differs from the paper: tokens are faces, so the encoder also passes messages along
the arcs between seen faces, and the decoder's positions are structural encodings of the face graph.
"""

from torch import nn

from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import WHERE_DIM
from brep_mae.masking.random import RandomMask
from brep_mae.models.decoder import Decoder
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import Share, SizeParams
from brep_mae.targets.uvgrid import UVGrid
from brep_mae.tokens.faces import FaceTokens


class Params(MethodParams):
    size: SizeParams
    decoder: SizeParams
    mask_ratio: float = Share
    weights: Weights


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    return MaskedPretext(
        params=p,
        tokens=FaceTokens(spec.grid, p.size.dim),
        mask=RandomMask(p.mask_ratio),
        encoder=TransformerEncoder(p.size, arcs=True),
        decoder=Decoder(p.size.dim, p.decoder, nn.Linear(WHERE_DIM, p.decoder.dim), arcs=True),
        targets={"uvgrid": UVGrid(p.decoder.dim, spec.grid)},
        weights=p.weights,
    )
