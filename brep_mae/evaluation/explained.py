"""How much of what was hidden a method predicts, surface type by surface type."""

from collections.abc import Iterable

import torch

from brep_mae.composition.masked import MaskedPretext
from brep_mae.datasets.batch import Batch
from brep_mae.schema import SURFACE_TYPES
from brep_mae.seeds import generator
from brep_mae.targets.target import Values, joined
from brep_mae.targets.terms import Term
from brep_mae.tokens.tokens import FACE

FEWEST = 20
"""Faces of one type, held out and known, below which nothing is said of the type."""

Asked = dict[str, tuple[Values, Values, torch.Tensor]]
"""Name of a target -> truth, what is predicted, and surface type (M,) of its faces."""


@torch.no_grad()
def explained_by_surface(
    pretext: MaskedPretext, train: Iterable[Batch], heldout: Iterable[Batch], seed: int
) -> dict[str, dict[str, float]]:
    """ "TARGET.TERM" -> surface type -> R^2 on held-out faces of that type, against the best predictor without a code
    that knows the type. Targets of one row a face; a type of which all faces are alike has none.

    Args:
        train: batches that the predictor without a code is taken from.
        seed: of the masks.
    """
    pretext.eval()
    known, asked = _asked(pretext, train, seed), _asked(pretext, heldout, seed)
    found: dict[str, dict[str, float]] = {}
    for name, (truth, predicted, surface) in asked.items():
        target = pretext.targets[name]
        for number, kind in enumerate(SURFACE_TYPES):
            here, there = surface == number, known[name][2] == number
            if min(int(here.sum()), int(there.sum())) < FEWEST:
                continue
            true = _rows(truth, here)
            free = target.code_free(_rows(known[name][0], there), true)
            terms = target.error(_rows(predicted, here), true)
            for term, without in zip(terms, target.error(free, true).values(), strict=True):
                if (least := _mean(without)) > 1e-3:
                    found.setdefault(f"{name}.{term}", {})[kind] = 1 - _mean(terms[term]) / least
    return found


def _asked(pretext: MaskedPretext, batches: Iterable[Batch], seed: int) -> Asked:
    parts: dict[str, list[tuple[Values, Values, torch.Tensor]]] = {}
    for number, batch in enumerate(batches):
        forward_pass = pretext.run(batch, generator(seed, number))
        for name, selection in pretext.select(forward_pass).items():
            target, faces = pretext.targets[name], forward_pass.truth.faces
            if target.kind != FACE or faces is None or len(selection.row) == 0 or int(selection.row.min()) < 0:
                continue
            truth = target.truth(selection, forward_pass.truth)
            predicted = target.predicted(selection.codes, truth)
            parts.setdefault(name, []).append((truth, predicted, target.surface_of(selection, faces)))
    return {
        name: (joined([t for t, _, _ in rows]), joined([p for _, p, _ in rows]), torch.cat([s for _, _, s in rows]))
        for name, rows in parts.items()
    }


def _rows(values: Values, chosen: torch.Tensor) -> Values:
    return {name: column[chosen] for name, column in values.items()}


def _mean(term: Term) -> float:
    error = term.error if term.counts is None else term.error[term.counts]
    return float(error.mean()) if len(error) else 0.0
