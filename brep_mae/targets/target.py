"""What every target answers, and which tokens it predicts."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch, Faces
from brep_mae.masking.mask import Mask
from brep_mae.schema import SURFACE_TYPES
from brep_mae.targets.selection import Selection
from brep_mae.targets.terms import Term
from brep_mae.tokens.tokens import Tokens

Values = Mapping[str, Tensor]
"""Named columns of M tokens, (M, ...) each: the truth that a target asks for, or what is predicted of it."""

LEAST_UNIT = 1e-3
"""Where a predictor without a code is wrong by less (the surface type of a set of planes alone), there is nothing to
learn, and the error stays in its own unit."""
OWN_UNIT = 0.1
"""A type of surface whose own unit is less than this share of all faces' has theirs: what the type decides (the normals
of a plane, the type itself) must not count many times over."""
FEWEST_OF_A_TYPE = 20


class Target(nn.Module):
    """Truth, head and error per token of one kind of content.

    `error` compares what `predicted` makes of codes with `truth`. `unit` (terms, types of surface) is the error of the
    best predictor that reads no code, on training data; `forward` answers in these units: 1 = nothing was learned, and
    1 - e is the share of the variance that is explained, R^2 (of a cross-entropy the share of the entropy). All types
    of surface have one and the same unit, unless `by_surface`.

    Subclasses set:

    kind: index in tokens.KINDS.
    terms: names of what `forward` answers, in its order.
    on: which tokens are predicted.
    of: what is read: "code" = the decoder's output, "latent" = the encoder's, each token at its place, "views" = see
        `Contrast`.
    by_surface: True = each type of surface has a unit of its own. Curved faces vary more than planes, and in one unit
        for all they would be what is learned.
    class_token: True = the class token of every sample is predicted too.
    reads: content of the batch that holds the truth, by the names in datasets/content.py.
    note: what the title of a picture must say of the prediction.
    """

    kind: int
    terms: tuple[str, ...] = ()
    on: Literal["hidden", "seen"] = "hidden"
    of: Literal["code", "latent", "views"] = "code"
    by_surface: bool = False
    class_token: bool = False
    reads: frozenset[str] = frozenset()
    note: str = ""
    unit: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("unit", torch.ones(len(self.terms), len(SURFACE_TYPES)))

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

    def surface_of(self, selection: Selection, faces: Faces) -> Tensor:
        """Surface type of the faces that the selected tokens are, or lie on, index in SURFACE_TYPES. (M,)"""
        return faces.surface[selection.row]

    def truth(self, selection: Selection, batch: Batch) -> Values:
        """What is asked of the selected tokens.

        Args:
            batch: holds the content that `selection.row` counts; `TeacherTargets` where the method has a teacher.
        """
        raise NotImplementedError

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        """What the head makes of codes (M, D), asked at the same places as the truth."""
        raise NotImplementedError

    def code_free(self, known: Values, asked: Values) -> Values:
        """Of the tokens `asked`, the prediction that is best for the tokens `known` and reads no code."""
        raise NotImplementedError

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        """Errors of the predictions, term by term, in the terms' own units."""
        raise NotImplementedError

    def forward(self, selection: Selection, batch: Batch) -> dict[str, Term]:
        """Named errors of the selected tokens, in the units of `unit`."""
        truth = self.truth(selection, batch)
        terms = self.error(self.predicted(selection.codes, truth), truth)
        unit = self.unit[:, :1]
        if self.by_surface:
            unit = self.unit[:, self.surface_of(selection, batch.faces_with(self.reads))]
        return {name: Term(term.error / of, term.counts) for (name, term), of in zip(terms.items(), unit, strict=True)}

    @torch.no_grad()
    def calibrate(self, truths: Sequence[Values], surface: Tensor | None = None) -> None:
        """Takes the units from the truth of training data; `surface`: the types (M,) of its tokens, if `by_surface`."""
        if not (truth := joined(truths)) or not len(next(iter(truth.values()))):
            return
        own = self._code_free_errors(truth)
        self.unit[:] = torch.where(own > LEAST_UNIT, own, torch.ones_like(own))[:, None]
        if surface is None:
            return
        for kind, count in enumerate(torch.bincount(surface).tolist()):
            if count >= FEWEST_OF_A_TYPE:
                of_type = self._code_free_errors({name: column[surface == kind] for name, column in truth.items()})
                self.unit[:, kind] = torch.where(of_type > OWN_UNIT * own, of_type, self.unit[:, kind])

    def _code_free_errors(self, truth: Values) -> Tensor:
        """Mean errors (terms,) of the best predictor that reads no code."""
        terms = self.error(self.code_free(truth, truth), truth).values()
        errors = (term.error if term.counts is None else term.error[term.counts] for term in terms)
        return torch.stack([error.mean() if len(error) else error.new_zeros(()) for error in errors])

    @torch.no_grad()
    def predict(self, selection: Selection, truth: Batch) -> Tensor | None:
        """The prediction in the units of the content itself, for figures; None where it has no picture."""
        return None


def joined(truths: Sequence[Values]) -> dict[str, Tensor]:
    """The tokens of several batches, one after the other."""
    return {name: torch.cat([truth[name] for truth in truths]) for name in truths[0]} if truths else {}
