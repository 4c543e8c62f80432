"""M3AE on solids: faces and patches of the same solid in one encoder, each kind hidden at its own ratio.

Geng et al. 2022, arXiv:2205.14204. As in the paper and its code: masked prediction only, no contrastive loss; one
encoder and one decoder for the concatenation; learned type vectors in both; a mask token and a head for each kind; raw
pixels, not standardised per patch; a kind's loss is the mean over samples of each sample's mean. A batch of one kind
alone runs through the same network.

Differs from the paper: faces take the place of words, so that a hidden one is regressed and not classified; faces pass
messages along the arcs between seen ones; a mask is drawn for every sample; one random frame of the turntable a step.
Frames are neither cropped nor flipped: a crop would lose faces, a flip shows the mirror image.
"""

from dataclasses import replace

import torch
from pydantic import PositiveInt
from torch import Tensor

from brep_mae import ranks
from brep_mae.checks import Section
from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import Batch, Frames
from brep_mae.masking.per_kind import PerKindMask
from brep_mae.models.joint_decoder import KindDecoder
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import Share, SizeParams
from brep_mae.targets.pixels import Pixels
from brep_mae.targets.uvgrid import UVGrid
from brep_mae.tokens.joint import JointPosition, JointTokens


class MaskRatios(Section):
    """By kind of token."""

    face: float = Share
    patch: float = Share


class Params(MethodParams):
    size: SizeParams
    decoder: SizeParams
    mask_ratios: MaskRatios
    patch: PositiveInt
    standardise: bool
    weights: Weights


class JointMAE(MaskedPretext):
    """MAE over two kinds of content, either of which a batch may lack."""

    def views(self, batch: Batch, rng: torch.Generator) -> tuple[Batch, Batch]:
        """Every solid with one of its frames."""
        if batch.frames is None:
            return batch, batch
        solids, frames = batch.frames.image.shape[:2]
        chosen = ranks.part(torch.randint(frames, (solids * ranks.parts(),), generator=rng))
        return (one := with_frame(batch, chosen)), one

    def figure_views(self, batch: Batch) -> tuple[Batch, Batch]:
        """Every solid with its first frame."""
        if batch.frames is None:
            return batch, batch
        return (first := with_frame(batch, torch.zeros(len(batch.uid)).long())), first


def with_frame(batch: Batch, chosen: Tensor) -> Batch:
    """The batch with frame number `chosen` (B,) of each solid alone."""
    assert batch.frames is not None
    pick = torch.arange(len(chosen)), chosen
    return replace(batch, frames=Frames(batch.frames.image[pick][:, None], batch.frames.face[pick][:, None]))


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    return JointMAE(
        params=p,
        tokens=JointTokens(spec.grid, spec.frame, p.patch, p.size.dim),
        mask=PerKindMask(p.mask_ratios.model_dump()),
        encoder=TransformerEncoder(p.size, arcs=True),
        decoder=KindDecoder(p.size.dim, p.decoder, JointPosition(p.decoder.dim), arcs=True),
        targets={"uvgrid": UVGrid(p.decoder.dim, spec.grid), "pixels": Pixels(p.decoder.dim, p.patch, p.standardise)},
        weights=p.weights,
        reduction="solid",
    )
