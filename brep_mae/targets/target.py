"""What every target answers, and which tokens it predicts."""

from typing import Literal

import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.masking.mask import Mask
from brep_mae.targets.selection import Selection
from brep_mae.targets.terms import Term
from brep_mae.tokens.tokens import Tokens


class Target(nn.Module):
    """Truth, head and error per token of one kind of content. Subclasses set:

    kind: index in tokens.KINDS.
    terms: names of what `forward` answers, in its order.
    on: which tokens are predicted.
    of: what is read: "code" = the decoder's output, "latent" = the encoder's, each token at its place.
    class_token: True = the class token of every sample is predicted too.
    reads: content of the batch that holds the truth, by the names in datasets/content.py.
    note: what the title of a picture must say of the prediction.
    """

    kind: int
    terms: tuple[str, ...]
    on: Literal["hidden", "seen"] = "hidden"
    of: Literal["code", "latent"] = "code"
    class_token: bool = False
    reads: frozenset[str] = frozenset()
    note: str = ""

    def select(self, codes: Tensor, tokens: Tokens, mask: Mask, role: Tensor) -> Selection:
        """The tokens that this target predicts, class tokens last.

        Shapes: codes (B, 1 + N, D), class token first; tokens and mask (B, N); role (B,)
        """
        content = tokens.valid & (tokens.kind == self.kind)
        chosen = content & (mask.hidden if self.on == "hidden" else ~mask.hidden)
        picked, row, sample = codes[:, 1:][chosen], chosen[content].nonzero().squeeze(1), chosen.nonzero()[:, 0]
        weight = picked.new_ones(len(row)) if mask.weight is None else mask.weight[chosen]
        class_token = torch.zeros_like(row, dtype=torch.bool)
        if self.class_token:
            every_sample = torch.arange(len(codes), device=row.device)
            picked, sample = torch.cat([picked, codes[:, 0]]), torch.cat([sample, every_sample])
            row = torch.cat([row, torch.full_like(every_sample, -1)])
            weight = torch.cat([weight, weight.new_ones(len(codes))])
            class_token = torch.cat([class_token, class_token.new_ones(len(codes))])
        return Selection(picked, row, sample, role[sample], class_token, weight, len(codes))

    def forward(self, selection: Selection, truth: Batch, rng: torch.Generator) -> dict[str, Term]:
        """Named errors of the selected tokens.

        Args:
            selection: what `select` picked.
            truth: holds the content that `selection.row` counts; `TeacherTargets` where the method has a teacher.
            rng: for whatever is drawn.
        """
        raise NotImplementedError

    def predict(self, selection: Selection, truth: Batch) -> Tensor | None:
        """The prediction in the units of the content itself, for figures; None where it has no picture."""
        return None
