"""dBOT on images: predict what the student of the round before says of hidden patches.

Liu et al. 2022, arXiv:2209.03917. Differs from the paper: no drop path; at the end of a round AdamW's moments and the
patch projection's bias start anew as well, which the paper's code leaves behind.
"""

from pydantic import Field, PositiveInt
from torch import nn

from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.masking.random import RandomMask
from brep_mae.models.decoder import Decoder, SineCosine
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import Share, SizeParams
from brep_mae.targets.features import Features
from brep_mae.teachers.frozen import TeacherParams
from brep_mae.teachers.rounds import in_rounds
from brep_mae.tokens.patches import PatchTokens
from brep_mae.tokens.tokens import PATCH


class Params(MethodParams):
    size: SizeParams
    decoder: SizeParams
    mask_ratio: float = Share
    patch: PositiveInt
    rounds: PositiveInt
    teacher: TeacherParams
    beta: float = Field(gt=0)
    weights: Weights


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    def network(size: SizeParams) -> tuple[nn.Module, TransformerEncoder]:
        return PatchTokens(spec.frame, p.patch, size.dim), TransformerEncoder(size, arcs=False)

    def student() -> MaskedPretext:
        tokens, encoder = network(p.size)
        return MaskedPretext(
            params=p,
            tokens=tokens,
            mask=RandomMask(p.mask_ratio),
            encoder=encoder,
            decoder=Decoder(p.size.dim, p.decoder, SineCosine(p.decoder.dim), arcs=False),
            targets={"features": Features(p.decoder.dim, p.teacher.width(p.size), PATCH, p.beta, class_token=True)},
            weights=p.weights,
        )

    return in_rounds(student, p.rounds, p.teacher, p.size, network, "frames", spec.frame // p.patch)
