"""Hybrid surfaces as published: a local code of topology and analytic parameters, from which a decoder draws the face.

Jones et al. 2023, arXiv:2210.10807. Differs from the paper: AdamW with warm-up and cosine decay where it has Adam at
5e-4; a decoder of 192 instead of 1024 units, whose last layer is not weight-normalised; 64 stored samples of a face
instead of 500; (u, v) with its Fourier features; exact distances to the trimming loops; on a face that has none
the distance is not trained, where the paper calls every sample a boundary; parameters beyond five half sides of the
box are cut off there, where its first version leaves such parts out. Curves are not decoded, as in its loss.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor

from brep_mae.composition.masked import ForwardPass, MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.masking.mask import Mask
from brep_mae.masking.nothing import HideNothing
from brep_mae.models.encoder import Latent
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import SizeParams
from brep_mae.targets.surface import PlacedSurface
from brep_mae.tokens.analytic import AnalyticTokens
from brep_mae.tokens.tokens import Tokens


class Params(MethodParams):
    """`code` width of a face's code; heads of the two convolutions."""

    code: PositiveInt
    edge_heads: PositiveInt
    face_heads: PositiveInt
    head_width: PositiveInt
    head_depth: PositiveInt
    weights: Weights


class LocalEncoder(TransformerEncoder):
    """Hands every token on as it is, since a code must not depend on other faces; no target has a class token."""

    def __init__(self, dim: int) -> None:
        super().__init__(SizeParams(dim=dim, depth=0, heads=1), arcs=False)

    def read(self, tokens: Tokens) -> Latent:
        return self.forward(tokens)

    def forward(self, tokens: Tokens, mask: Mask | None = None, final_norm: bool = False) -> Latent:
        return super().forward(tokens, mask, final_norm)


class HybridPure(MaskedPretext):
    """Nothing is hidden, so nothing is skipped: a solid of one face counts like any other."""

    def losses(self, forward_pass: ForwardPass) -> dict[str, Tensor]:
        """Adds `unbounded`, the number of faces without a trimming distance."""
        losses, faces = super().losses(forward_pass), forward_pass.truth.faces
        assert faces is not None
        return losses | {"skipped": torch.zeros(()), "unbounded": (~faces.bounded).sum().float()}


def build(p: Params, spec: DataSpec) -> HybridPure:
    return HybridPure(
        params=p,
        tokens=AnalyticTokens(p.code, p.edge_heads, p.face_heads),
        mask=HideNothing(),
        encoder=LocalEncoder(p.code),
        decoder=None,
        targets={"surface": PlacedSurface(p.code, p.head_width, p.head_depth)},
        weights=p.weights,
    )
