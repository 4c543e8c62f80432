"""MAE on images: hide three quarters of a frame's patches and predict their standardised pixels.

He et al. 2021, arXiv:2111.06377.
"""

from pydantic import PositiveInt

from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.masking.random import RandomMask
from brep_mae.models.decoder import Decoder, SineCosine
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import Share, SizeParams
from brep_mae.targets.pixels import Pixels
from brep_mae.tokens.patches import PatchTokens


class Params(MethodParams):
    """`images` folder or archive of natural images to train on in the place of the frames."""

    size: SizeParams
    decoder: SizeParams
    mask_ratio: float = Share
    patch: PositiveInt
    standardise: bool
    weights: Weights
    images: str = ""


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    return MaskedPretext(
        params=p,
        tokens=PatchTokens(spec.frame, p.patch, p.size.dim),
        mask=RandomMask(p.mask_ratio),
        encoder=TransformerEncoder(p.size, arcs=False),
        decoder=Decoder(p.size.dim, p.decoder, SineCosine(p.decoder.dim), arcs=False),
        targets={"pixels": Pixels(p.decoder.dim, p.patch, p.standardise)},
        weights=p.weights,
    )
