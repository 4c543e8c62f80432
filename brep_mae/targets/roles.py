"""A target asked of samples that play different roles, whose errors are told apart by the role."""

import torch
from torch import Tensor

from brep_mae.datasets.batch import Batch
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
from brep_mae.targets.terms import Term


class ByRole(Target):
    """The one term of `target` as one for each role: i-MAE's "subordinate" and "dominant" images of a blend.

    Args:
        target: gives one term.
        roles: names, in the order in which `Selection.role` numbers them.
    """

    def __init__(self, target: Target, roles: tuple[str, ...]) -> None:
        self.terms = roles
        super().__init__()
        self.target = target
        self.kind, self.on, self.of = target.kind, target.on, target.of
        self.class_token, self.note, self.reads = target.class_token, target.note, target.reads

    def truth(self, selection: Selection, batch: Batch) -> Values:
        return {**self.target.truth(selection, batch), "role": selection.role}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        return self.target.predicted(codes, truth)

    def code_free(self, known: Values, asked: Values) -> Values:
        return self.target.code_free(known, asked)

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        (term,) = self.target.error(predicted, truth).values()
        counts = torch.ones_like(truth["role"]).bool() if term.counts is None else term.counts
        return {name: Term(term.error, counts & (truth["role"] == role)) for role, name in enumerate(self.terms)}

    def predict(self, selection: Selection, truth: Batch) -> Tensor | None:
        return self.target.predict(selection, truth)
