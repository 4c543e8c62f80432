"""Pixels of hidden patches, standardised per patch (He et al. 2021, arXiv:2111.06377, section 3).

Differs from the paper: of a render, only patches that show the solid count. The rest is one colour, to which a network
would otherwise give a third of its loss, and which has no deviation to be divided by.
"""

import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.models.blocks import init_weights
from brep_mae.targets.constants import mean_of
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
from brep_mae.targets.terms import Term
from brep_mae.tokens.patches import DEVIATION, MEAN, standardised
from brep_mae.tokens.tokens import PATCH

EPS = 1e-6


def patchify(image: Tensor, patch: int) -> Tensor:
    """(N, 3, H, W) -> (N, (H / patch)^2, patch^2 * 3), rows of patches first, channels last."""
    n, c, h, w = image.shape
    blocks = image.view(n, c, h // patch, patch, w // patch, patch)
    return blocks.permute(0, 2, 4, 3, 5, 1).reshape(n, -1, patch * patch * c)


def unpatchify(patches: Tensor, patch: int) -> Tensor:
    """Inverse of `patchify` for square images."""
    n, length, _ = patches.shape
    side = int(length**0.5)
    blocks = patches.view(n, side, side, patch, patch, 3)
    return blocks.permute(0, 5, 1, 3, 2, 4).reshape(n, 3, side * patch, side * patch)


def shows_solid(face: Tensor, patch: int) -> Tensor:
    """True = the patch shows some face, or belongs to an image that knows of no faces, such as a photograph.

    Shapes: (N, H, W) face of a pixel, -1 = none -> (N, (H / patch)^2)
    """
    n, h, w = face.shape
    shown = (face >= 0).view(n, h // patch, patch, w // patch, patch).any(4).any(2).flatten(1)
    return shown | ~shown.any(1, keepdim=True)


class Pixels(Target):
    """Squared error on standardised pixels, over patches that show the solid.

    Args:
        code_dim: width of a code.
        patch: side of a patch in pixels.
        standardise: True = each patch has mean 0 and unbiased variance 1 (`norm_pix_loss`); else only colours are
            standardised, as in all that networks read.
    """

    terms = ("pixels",)
    kind = PATCH
    reads = frozenset({"frames"})

    def __init__(self, code_dim: int, patch: int, standardise: bool) -> None:
        super().__init__()
        self.head = nn.Linear(code_dim, patch * patch * 3)
        self.head.apply(init_weights)
        self.patch, self.standardise = patch, standardise
        self.note = "true means and background" if standardise else "true background"

    def true_patches(self, truth: Batch, row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Target (M, patch^2 * 3), and the mean and deviation (M, 1) that turn it back into standardised colours."""
        assert truth.frames is not None
        patches = standardised(patchify(truth.frames.image.flatten(0, 1), self.patch).flatten(0, 1)[row])
        if not self.standardise:
            return patches, torch.zeros_like(patches[:, :1]), torch.ones_like(patches[:, :1])
        mean = patches.mean(1, keepdim=True)
        deviation = (patches.var(1, keepdim=True) + EPS).sqrt()
        return (patches - mean) / deviation, mean, deviation

    def truth(self, selection: Selection, batch: Batch) -> Values:
        assert batch.frames is not None
        shows = shows_solid(batch.frames.face.flatten(0, 1), self.patch).flatten()[selection.row]
        return {"pixels": self.true_patches(batch, selection.row)[0], "shows": shows}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        return {"pixels": self.head(codes)}

    def code_free(self, known: Values, asked: Values) -> Values:
        return {"pixels": mean_of(known["pixels"], asked["pixels"], known["shows"][:, None])}

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        return {"pixels": Term((predicted["pixels"] - truth["pixels"]).square().mean(1), truth["shows"])}

    @torch.no_grad()
    def predict(self, selection: Selection, truth: Batch) -> Tensor:
        """Patches (M, patch^2 * 3) in [0, 1]. With `standardise` the true mean and deviation are put back in, so the
        picture shows structure, not brightness; patches that do not count are the true ones."""
        true, mean, deviation = self.true_patches(truth, selection.row)
        shows = self.truth(selection, truth)["shows"][:, None]
        patches = torch.where(shows, self.head(selection.codes), true)
        return ((patches * deviation + mean) * DEVIATION + MEAN).clamp(0, 1)
