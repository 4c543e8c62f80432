"""MLO-MAE on images: which patches are hidden is learned, for an encoder from which classes are learned well.

Guo et al. 2025, arXiv:2402.18128, with the paper's masking network. Reads the labels of training solids: no
self-supervision, and to be compared with what has the same labels. Differs from the paper: all that `mae_images` says;
the masking network reads tokens without a gradient to the encoder, which in the paper's code it reaches; the two paths
of the hyper-gradient share their last step; head and mask decay as `pretrain` has it. Where solids have no class of
their own, the head learns which classes of faces a render's solid shows.
"""

from pydantic import PositiveInt

from brep_mae.composition.guided import GuidedMAE, GuidedParams
from brep_mae.composition.label_heads import PartClasses, ShownClasses
from brep_mae.composition.pretext import DataSpec
from brep_mae.masking.learned import FlatScores, LearnedMask
from brep_mae.models.decoder import Decoder, SineCosine
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.targets.pixels import Pixels
from brep_mae.tokens.patches import PatchTokens


class Params(GuidedParams):
    """As of every guided method; `patch` side of a patch in pixels, `standardise` True = pixels per patch."""

    patch: PositiveInt
    standardise: bool


def build(p: Params, spec: DataSpec) -> GuidedMAE:
    patches = (spec.frame // p.patch) ** 2
    pretext = GuidedMAE(
        params=p,
        tokens=PatchTokens(spec.frame, p.patch, p.size.dim),
        mask=LearnedMask(FlatScores(patches, p.size.dim, p.mask_hidden), p.mask_ratio),
        encoder=TransformerEncoder(p.size, arcs=False),
        decoder=Decoder(p.size.dim, p.decoder, SineCosine(p.decoder.dim), arcs=False),
        targets={"pixels": Pixels(p.decoder.dim, p.patch, p.standardise)},
        weights=p.weights,
    )
    of_parts = spec.part_classes > 0
    pretext.head = (PartClasses if of_parts else ShownClasses)(p.size.dim, spec.part_classes or spec.face_classes)
    return pretext
