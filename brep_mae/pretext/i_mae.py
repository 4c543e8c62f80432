"""i-MAE on images: two linear maps pull the latent of a masked blend apart into the images it was made of.

Zhang et al. 2022, arXiv:2210.11470. As in the paper: one blend coefficient a batch; of the two branches one belongs to
the image of the smaller coefficient, the subordinate, and one to the dominant; one decoder reads both; a frozen plain
MAE sees the unblended images through the same mask. Differs from the paper's code, whose teacher cannot run as released
(it lacks the ids of the kept patches and reads the blend): the teacher reads each image by itself. Differs from the
paper: a teacher's latent is compared as it is, not after the projection to a decoder, which a stored backbone has not;
so the two maps lead to the teacher's width, and the decoder's projection follows them; hidden pixels are standardised
per patch, which the released code means to do but does not; an image's frames count as images of their own. Pairs of
the same class (`same_prob`) use labels, so that such a training is not self-supervised.
"""

from dataclasses import replace

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from brep_mae import ranks
from brep_mae.checks import SettingsError
from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import Batch, Frames
from brep_mae.masking.pairs import draw_partners
from brep_mae.masking.random import RandomMask
from brep_mae.models.blocks import init_weights
from brep_mae.models.decoder import Decoder, SineCosine
from brep_mae.models.encoder import Latent
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import Share, SizeParams
from brep_mae.targets.features import Latents
from brep_mae.targets.pixels import Pixels
from brep_mae.targets.roles import ByRole
from brep_mae.teachers.frozen import TeacherParams, frozen_teacher
from brep_mae.tokens.patches import PatchTokens
from brep_mae.tokens.tokens import PATCH

ROLES = ("subordinate", "dominant")
"""Of an image in a blend: that of the smaller coefficient, and the other."""

SHOWN = 0.7
"""Share of the image itself in the blend of a figure."""


class Params(MethodParams):
    """`same_prob` of a partner of the same class, null = no labels are used; `warm_start` True = the student starts
    from the teacher's weights."""

    size: SizeParams
    decoder: SizeParams
    mask_ratio: float = Share
    patch: PositiveInt
    standardise: bool
    same_prob: float | None = Field(ge=0, le=1)
    teacher: TeacherParams
    warm_start: bool
    weights: Weights


def blend(batch: Batch, partner: Tensor, share: float) -> tuple[Batch, Batch]:
    """share x image + (1 - share) x partner's image; and the truth: all subordinate images, then all dominant ones.

    Args:
        partner: (N,) of the N = solids x frames images, among those of all parts of the batch (see `ranks`).
        share: of the image itself, in [0, 1].
    """
    assert batch.frames is not None
    own = batch.frames
    other = Frames(*(ranks.joined_rows(each.flatten(0, 1))[partner].view_as(each) for each in (own.image, own.face)))
    mixed = replace(own, image=share * own.image + (1 - share) * other.image)
    roles = (own, other) if share < 0.5 else (other, own)
    truth = Frames(torch.cat([role.image for role in roles]), torch.cat([role.face for role in roles]))
    return Batch(batch.uid, None, mixed), Batch(batch.uid * 2, None, truth)


class Disentangle(nn.Module):
    """Two affine maps of a latent, one for each role. Shapes: (N, 1 + K, dim) -> (N, 1 + K, out) twice"""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        self.subordinate, self.dominant = nn.Linear(dim, out), nn.Linear(dim, out)
        self.apply(init_weights)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.subordinate(x), self.dominant(x)


class BlendedMAE(MaskedPretext):
    """MAE whose encoder sees a blend and whose decoder reads it twice."""

    params: Params
    disentangle: Disentangle
    roles = ROLES

    @property
    def reads(self) -> frozenset[str]:
        return super().reads | ({"faces"} if self.reads_labels else frozenset())

    @property
    def reads_labels(self) -> bool:
        return self.params.same_prob is not None

    def views(self, batch: Batch, rng: torch.Generator) -> tuple[Batch, Batch]:
        assert batch.frames is not None
        solids, views = batch.frames.image.shape[:2]
        solid = torch.arange(solids * ranks.parts(), device=batch.frames.image.device).repeat_interleave(views)
        label = None if batch.faces is None else ranks.joined_rows(batch.faces.part)[solid]
        partner = ranks.part(draw_partners(solid, label, self.params.same_prob, rng))
        return blend(batch, partner, float(torch.rand((), generator=rng)))  # Beta(1, 1), as in the paper

    def branches(self, latent: Latent) -> tuple[Latent, ...]:
        return tuple(replace(latent, x=x) for x in self.disentangle(latent.x))

    def begin_step(self, step: int, rng: torch.Generator) -> bool:
        if step == 0 and self.params.warm_start:
            assert self.teacher is not None
            self.teacher.start(self)
            for branch in (self.disentangle.subordinate, self.disentangle.dominant):
                nn.init.eye_(branch.weight)
        return False

    def figure_views(self, batch: Batch) -> tuple[Batch, Batch]:
        """The share SHOWN of every image, blended with the same view of the solid before it."""
        assert batch.frames is not None
        solids, views = batch.frames.image.shape[:2]
        return blend(batch, torch.arange(solids * views).roll(views), SHOWN)


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    def network(size: SizeParams) -> tuple[nn.Module, TransformerEncoder]:
        return PatchTokens(spec.frame, p.patch, size.dim), TransformerEncoder(size, arcs=False)

    tokens, encoder = network(p.size)
    side, width = spec.frame // p.patch, p.teacher.width(p.size)
    if p.warm_start and (p.teacher.source == "timm" or width != p.size.dim):
        raise SettingsError("params.yaml: methods.i_mae: warm_start needs a teacher of the student's kind and size")
    pretext = BlendedMAE(
        params=p,
        tokens=tokens,
        mask=RandomMask(p.mask_ratio),
        encoder=encoder,
        decoder=Decoder(width, p.decoder, SineCosine(p.decoder.dim), arcs=False),
        targets={
            "pixels": ByRole(Pixels(p.decoder.dim, p.patch, p.standardise), ROLES),
            "latents": ByRole(Latents(PATCH), ROLES),
        },
        weights=p.weights,
        teacher=frozen_teacher(p.teacher, p.size, network, "frames", side, full=False, final_norm=True),
    )
    pretext.disentangle = Disentangle(p.size.dim, width)
    return pretext
