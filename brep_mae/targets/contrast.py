"""Which of a batch's images belongs to which faces: InfoNCE between two views of a solid."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae import ranks
from brep_mae.datasets.batch import Batch
from brep_mae.masking.mask import Mask
from brep_mae.models.projector import Projector
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
from brep_mae.targets.terms import Term
from brep_mae.tokens.tokens import PATCH, Tokens


class Contrast(Target):
    """One term: `match` cross-entropy of finding, among the images of a batch, that of the solid whose faces are given,
    and the other way round, mean of both (van den Oord et al. 2018, arXiv:1807.03748; both ways as in Radford et al.
    2021, arXiv:2103.00020, with a fixed temperature). The predictor without a code takes any solid of the batch.

    It is asked once a solid, of a code that holds two views side by side: first that of the faces, then the image's.

    Args:
        code_dim: width of one view.
        width: of the codes that are compared.
        temperature: divides their cosines.
    """

    terms = ("match",)
    kind = PATCH
    of: Literal["code", "latent", "views"] = "views"
    class_token = True

    def __init__(self, code_dim: int, width: int, temperature: float) -> None:
        super().__init__()
        self.faces, self.image = Projector(code_dim, width), Projector(code_dim, width)
        self.temperature = temperature

    def select(self, codes: Tensor, tokens: Tokens, mask: Mask, role: Tensor) -> Selection:
        """Every sample, whatever the mask. Shapes: codes (B, 1, 2 D) of whole samples"""
        sample = torch.arange(len(codes), device=codes.device)
        ones = codes.new_ones(len(codes))
        return Selection(codes[:, 0], torch.full_like(sample, -1), sample, role, ones.bool(), ones, len(codes))

    def truth(self, selection: Selection, batch: Batch) -> Values:
        """Place of the right answer among those of the batch, of all its parts (see `ranks`)."""
        return {"right": ranks.rows(selection.samples).to(selection.sample)}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        """Logits (M, M) of every image for given faces, and of all faces for a given image: M given ones of this part
        of the batch, M asked ones of all its parts."""
        faces, image = codes.chunk(2, 1)
        faces, image = ranks.joined_rows(self.faces(faces)), ranks.joined_rows(self.image(image))
        logits = faces @ image.T / self.temperature
        return {"image": ranks.part(logits), "faces": ranks.part(logits.T)}

    def code_free(self, known: Values, asked: Values) -> Values:
        alike = torch.zeros(len(asked["right"]), int(known["right"].max()) + 1, device=known["right"].device)
        return {"image": alike, "faces": alike}

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        errors = [F.cross_entropy(logits, truth["right"], reduction="none") for logits in predicted.values()]
        return {"match": Term(torch.stack(errors).mean(0))}
