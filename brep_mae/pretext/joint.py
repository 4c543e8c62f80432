"""Every loss that one network on faces and patches of a solid can have: what ELo weighs.

Piergiovanni, Angelova, Ryoo 2020, arXiv:2002.12177: reconstruction, cross-modal and distillation losses of several
modalities, and the weights found by `training/evolve.py`. The network is M3AE's (arXiv:2205.14204), so that every loss
of hidden content may use either kind. Differs from the paper: faces and renders take the place of RGB, flow, grey and
audio; one encoder reads all of them instead of one for each; losses of time fall away; a loss is divided by the error
of the best predictor that reads nothing of the sample, so that weights compare; two frozen networks teach, one of faces
and one of patches, instead of the networks of other modalities that are trained along.
"""

from dataclasses import replace

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from brep_mae.checks import Section
from brep_mae.composition.masked import ForwardPass, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import Batch
from brep_mae.masking.mask import Mask
from brep_mae.masking.per_kind import PerKindMask
from brep_mae.models.joint_decoder import KindDecoder
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.pretext.m3ae import JointMAE, MaskRatios
from brep_mae.settings import SizeParams
from brep_mae.targets.arcs import Arcs
from brep_mae.targets.contrast import Contrast
from brep_mae.targets.features import Features
from brep_mae.targets.invariants import Scalars
from brep_mae.targets.pixels import Pixels
from brep_mae.targets.surface import Surface
from brep_mae.targets.uvgrid import UVGrid
from brep_mae.teachers.frozen import POOLED_SIDE, SeveralFrozen, TeacherParams, frozen_teacher
from brep_mae.tokens.faces import FaceTokens
from brep_mae.tokens.joint import JointPosition, JointTokens
from brep_mae.tokens.patches import PatchTokens
from brep_mae.tokens.tokens import FACE, PATCH, Tokens


class TeachersParams(Section):
    """One teacher of faces, one of patches."""

    faces: TeacherParams
    images: TeacherParams


class Params(MethodParams):
    """`head_width`, `head_depth` of the surface's head; `beta` of the teachers' features; `contrast_width` and
    `temperature` of the contrast between faces and image."""

    size: SizeParams
    decoder: SizeParams
    mask_ratios: MaskRatios
    patch: PositiveInt
    standardise: bool
    head_width: PositiveInt
    head_depth: NonNegativeInt
    teachers: TeachersParams
    beta: float = Field(gt=0)
    contrast_width: PositiveInt
    temperature: float = Field(gt=0)
    weights: Weights


class Joint(JointMAE):
    """M3AE with more targets; a batch holds both kinds."""

    def masked_tokens(self, tokens: Tokens, seen: Batch, mask: Mask) -> Tokens:
        """Nor does the decoder know the kind of an arc that touches a hidden face: it is asked for."""
        assert tokens.arcs is not None
        touched = mask.hidden.flatten()[tokens.arcs.index].any(0)
        return replace(tokens, arcs=replace(tokens.arcs, kind=tokens.arcs.kind * ~touched[:, None]))

    def run_views(self, seen: Batch, truth: Batch, rng: torch.Generator, mask: Mask | None = None) -> ForwardPass:
        """Adds what the encoder makes of the faces alone and of the image alone."""
        forward_pass = super().run_views(seen, truth, rng, mask)
        views = torch.cat([self.view(forward_pass, kind) for kind in (FACE, PATCH)], 1)
        return replace(forward_pass, codes=forward_pass.codes | {"views": views[:, None]})

    def view(self, forward_pass: ForwardPass, kind: int) -> Tensor:
        """Mean latent (S, D) of the seen tokens of one kind, when all of the other are hidden."""
        tokens = forward_pass.tokens
        hidden = forward_pass.mask.hidden | (tokens.valid & (tokens.kind != kind))
        latent = self.encoder(tokens, Mask(hidden))
        seen = latent.valid[:, 1:, None]
        return (latent.x[:, 1:] * seen).sum(1) / seen.sum(1)


def build(p: Params, spec: DataSpec) -> Joint:
    def of_faces(size: SizeParams) -> tuple[nn.Module, TransformerEncoder]:
        return FaceTokens(spec.grid, size.dim), TransformerEncoder(size, arcs=True)

    def of_images(size: SizeParams) -> tuple[nn.Module, TransformerEncoder]:
        return PatchTokens(spec.frame, p.patch, size.dim), TransformerEncoder(size, arcs=False)

    dim, side = p.decoder.dim, spec.frame // p.patch
    faces, images = p.teachers.faces, p.teachers.images
    return Joint(
        params=p,
        tokens=JointTokens(spec.grid, spec.frame, p.patch, p.size.dim),
        mask=PerKindMask(p.mask_ratios.model_dump()),
        encoder=TransformerEncoder(p.size, arcs=True),
        decoder=KindDecoder(p.size.dim, p.decoder, JointPosition(dim), arcs=True),
        targets={
            "uvgrid": UVGrid(dim, spec.grid),
            "surface": Surface(dim, p.head_width, p.head_depth),
            "invariants": Scalars(dim),
            "arcs": Arcs(dim),
            "pixels": Pixels(dim, p.patch, p.standardise),
            "face_features": Features(dim, faces.width(p.size), FACE, p.beta, class_token=False, teacher="faces"),
            "patch_features": Features(dim, images.width(p.size), PATCH, p.beta, class_token=False, teacher="images"),
            "contrast": Contrast(p.size.dim, p.contrast_width, p.temperature),
        },
        weights=p.weights,
        teacher=SeveralFrozen(
            {
                "faces": frozen_teacher(faces, p.size, of_faces, "faces", POOLED_SIDE, full=True, final_norm=False),
                "images": frozen_teacher(images, p.size, of_images, "frames", side, full=True, final_norm=False),
            }
        ),
        reduction="solid",
    )
