"""MAE on images: hide three quarters of a frame's patches and predict their pixels.

He et al. 2021, arXiv:2111.06377. Differs from the paper: of a render, only patches that show the solid count in the
loss (targets/pixels.py), and its pixels are not standardised per patch (`standardise`), because a patch within a plane
is flat. The paper's random crops and flips are to be asked for (`augment`): renders are cropped to the solid already,
in a short training crops cost more than they bring, and a mirrored render shows the mirror image of its solid, which
matters where classes have a hand.
"""

import torch
from pydantic import Field, PositiveInt

from brep_mae.checks import Section
from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.transforms import random_resized_frames
from brep_mae.masking.random import RandomMask
from brep_mae.models.decoder import Decoder, SineCosine
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import Share, SizeParams
from brep_mae.targets.pixels import Pixels
from brep_mae.teachers.start import StartParams, start_from
from brep_mae.tokens.patches import PatchTokens


class AugmentParams(Section):
    """`crop` least share of an image's area that a training step shows; `flip` True = half of the images mirrored."""

    crop: float = Field(gt=0, le=1)
    flip: bool


class Params(MethodParams):
    """`images` folder or archive of natural images to train on in the place of the frames; `augment` None = images as
    they are; `init` a vision transformer that the encoder starts from, None = random weights."""

    size: SizeParams
    decoder: SizeParams
    mask_ratio: float = Share
    patch: PositiveInt
    standardise: bool
    weights: Weights
    images: str = ""
    augment: AugmentParams | None = None
    init: StartParams | None = None


class ImageMAE(MaskedPretext):
    """MAE over frames that may be cropped and mirrored, anew in every training step."""

    params: Params
    tokens: PatchTokens
    encoder: TransformerEncoder

    def views(self, batch: Batch, rng: torch.Generator) -> tuple[Batch, Batch]:
        augment = self.params.augment
        if augment is None or batch.frames is None or not self.training:
            return batch, batch
        frames = random_resized_frames(batch.frames, augment.crop, rng, augment.flip)
        return (changed := Batch(batch.uid, batch.faces, frames)), changed

    def begin_step(self, step: int, rng: torch.Generator) -> bool:
        if step == 0 and self.params.init is not None:
            start_from(self.params.init, self.tokens, self.encoder)
        return False


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    return ImageMAE(
        params=p,
        tokens=PatchTokens(spec.frame, p.patch, p.size.dim),
        mask=RandomMask(p.mask_ratio),
        encoder=TransformerEncoder(p.size, arcs=False),
        decoder=Decoder(p.size.dim, p.decoder, SineCosine(p.decoder.dim), arcs=False),
        targets={"pixels": Pixels(p.decoder.dim, p.patch, p.standardise)},
        weights=p.weights,
    )
