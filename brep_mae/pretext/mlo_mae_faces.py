"""MLO-MAE on faces: which faces are hidden is learned, for an encoder from which their classes are learned well.

Guo et al. 2025, arXiv:2402.18128. Reads the labels of training solids: no self-supervision, and to be compared with
what has the same labels. Differs from the paper: tokens are faces, whose number varies, so the masking network is one
and the same for every face and reads it beside the mean of its solid's faces; all that `mae_faces` says; the masking
network reads tokens without a gradient to the encoder, which in the paper's code it reaches; the two paths of the
hyper-gradient share their last step; head and mask decay as `pretrain` has it.
"""

from torch import nn

from brep_mae.composition.guided import GuidedMAE, GuidedParams
from brep_mae.composition.label_heads import FaceClasses, PartClasses
from brep_mae.composition.pretext import DataSpec
from brep_mae.datasets.batch import WHERE_DIM
from brep_mae.masking.learned import LearnedMask, TokenScores
from brep_mae.models.decoder import Decoder
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.targets.uvgrid import UVGrid
from brep_mae.tokens.faces import FaceTokens


class Params(GuidedParams):
    """As of every guided method."""


def build(p: Params, spec: DataSpec) -> GuidedMAE:
    pretext = GuidedMAE(
        params=p,
        tokens=FaceTokens(spec.grid, p.size.dim),
        mask=LearnedMask(TokenScores(p.size.dim, p.mask_hidden), p.mask_ratio),
        encoder=TransformerEncoder(p.size, arcs=True),
        decoder=Decoder(p.size.dim, p.decoder, nn.Linear(WHERE_DIM, p.decoder.dim), arcs=True),
        targets={"uvgrid": UVGrid(p.decoder.dim, spec.grid)},
        weights=p.weights,
    )
    of_faces = spec.face_classes > 0
    pretext.head = (FaceClasses if of_faces else PartClasses)(p.size.dim, spec.face_classes or spec.part_classes)
    return pretext
