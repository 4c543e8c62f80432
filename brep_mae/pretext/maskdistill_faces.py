"""MaskDistill on faces: hide connected regions and predict, by one affine map, what a given teacher says of them.

Peng et al. 2022, arXiv:2210.10615. Differs from the paper: tokens are faces; hidden ones stay in the graph as mask
tokens, and so does every arc that touches one; positions are structural encodings of the face graph; no layer scale and
no drop path; the student may be a message network instead. The teacher is a stored backbone of faces, or one of images
(ours or timm's) whose patches are averaged over the pixels of each face: faces that no frame shows leave the loss. The
paper's beta could not be verified.
"""

from pydantic import Field
from torch import nn

from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import WHERE_DIM
from brep_mae.masking.regions import RegionMask
from brep_mae.models.encoder import Fill
from brep_mae.models.message_encoder import MessageEncoder
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import AnySizeParams, MessageSizeParams, Share, SizeParams
from brep_mae.targets.features import Features
from brep_mae.teachers.frozen import POOLED_SIDE, TeacherParams, frozen_teacher
from brep_mae.tokens.faces import FaceTokens
from brep_mae.tokens.invariants import InvariantTokens
from brep_mae.tokens.tokens import FACE


class Params(MethodParams):
    """`size` of a transformer on UV-grids, or of a message network on invariant scalars."""

    size: AnySizeParams
    mask_ratio: float = Share
    teacher: TeacherParams
    beta: float = Field(gt=0)
    weights: Weights


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    def fill(dim: int) -> Fill:
        return Fill(dim, nn.Linear(WHERE_DIM, dim))

    def transformer(size: SizeParams) -> tuple[nn.Module, TransformerEncoder]:
        return FaceTokens(spec.grid, size.dim), TransformerEncoder(size, arcs=True, fill=fill(size.dim))

    def messages(size: MessageSizeParams) -> tuple[nn.Module, MessageEncoder]:
        return InvariantTokens(size.dim), MessageEncoder(size.dim, size.depth, size.dropout, fill(size.dim))

    tokens, encoder = transformer(p.size) if isinstance(p.size, SizeParams) else messages(p.size)
    return MaskedPretext(
        params=p,
        tokens=tokens,
        mask=RegionMask(p.mask_ratio),
        encoder=encoder,
        decoder=None,
        targets={"features": Features(encoder.dim, p.teacher.width(p.size), FACE, p.beta, class_token=False)},
        weights=p.weights,
        teacher=frozen_teacher(p.teacher, p.size, transformer, "faces", POOLED_SIDE, full=True, final_norm=False),
    )
