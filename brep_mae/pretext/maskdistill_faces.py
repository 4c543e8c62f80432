"""MaskDistill on faces: hide connected regions and predict, by one affine map, what a given teacher says of them.

Peng et al. 2022, arXiv:2210.10615. Differs from the paper: tokens are faces; hidden ones stay in the graph as mask
tokens, and so does every arc that touches one; positions are structural encodings of the face graph; no layer scale and
no drop path. The teacher is a stored backbone of faces, or one of images (ours or timm's) whose patches are averaged
over the pixels of each face: faces that no frame shows leave the loss. The paper's beta could not be verified.
"""

from torch import nn

from brep_mae.datasets.batch import WHERE_DIM
from brep_mae.masking.regions import RegionMask
from brep_mae.models.encoder import Encoder, Fill
from brep_mae.pretext.given import POOLED_SIDE, TeacherParams, given
from brep_mae.pretext.pretext import Facts, MaskedPretext, MethodParams
from brep_mae.settings import SizeParams
from brep_mae.targets.features import Features
from brep_mae.tokens.faces import FaceTokens
from brep_mae.tokens.tokens import FACE


class Params(MethodParams):
    size: SizeParams
    mask_ratio: float
    teacher: TeacherParams
    beta: float
    weights: dict[str, float]


def build(p: Params, facts: Facts) -> MaskedPretext:
    def network(size: SizeParams) -> tuple[nn.Module, Encoder]:
        fill = Fill(size.dim, nn.Linear(WHERE_DIM, size.dim))
        return FaceTokens(facts.grid, size.dim), Encoder(size, arcs=True, fill=fill)

    tokens, encoder = network(p.size)
    return MaskedPretext(
        reads=frozenset({"faces", p.teacher.reads}),
        params=p,
        tokens=tokens,
        mask=RegionMask(p.mask_ratio),
        encoder=encoder,
        decoder=None,
        targets={"features": Features(p.size.dim, p.teacher.width(p.size), FACE, p.beta, class_token=False)},
        weights=p.weights,
        teacher=given(p.teacher, p.size, network, "faces", POOLED_SIDE, full=True, final_norm=False),
    )
