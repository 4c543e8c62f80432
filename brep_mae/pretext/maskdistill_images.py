"""MaskDistill on images: hide blocks of patches and predict, by one affine map, what a given teacher says of them.

Peng et al. 2022, arXiv:2210.10615. Differs from the paper: the teacher is any stored backbone or timm model rather than
CLIP; positions are fixed sine-cosine codes rather than shared relative biases; no layer scale and no drop path. The
paper's loss parameter beta could not be verified: 2 and 1 are both in use.
"""

from pydantic import Field, PositiveInt
from torch import nn

from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.masking.block import BlockMask
from brep_mae.models.decoder import SineCosine
from brep_mae.models.encoder import Fill
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import Share, SizeParams
from brep_mae.targets.features import Features
from brep_mae.teachers.frozen import TeacherParams, frozen_teacher
from brep_mae.tokens.patches import PatchTokens
from brep_mae.tokens.tokens import PATCH


class Params(MethodParams):
    size: SizeParams
    mask_ratio: float = Share
    least_block: PositiveInt
    patch: PositiveInt
    teacher: TeacherParams
    beta: float = Field(gt=0)
    weights: Weights


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    def network(size: SizeParams) -> tuple[nn.Module, TransformerEncoder]:
        fill = Fill(size.dim, SineCosine(size.dim))
        return PatchTokens(spec.frame, p.patch, size.dim), TransformerEncoder(size, arcs=False, fill=fill)

    tokens, encoder = network(p.size)
    side = spec.frame // p.patch
    return MaskedPretext(
        params=p,
        tokens=tokens,
        mask=BlockMask(p.mask_ratio, p.least_block),
        encoder=encoder,
        decoder=None,
        targets={"features": Features(p.size.dim, p.teacher.width(p.size), PATCH, p.beta, class_token=False)},
        weights=p.weights,
        teacher=frozen_teacher(p.teacher, p.size, network, "frames", side, full=True, final_norm=False),
    )
