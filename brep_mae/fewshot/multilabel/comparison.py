"""One label rule on one draw of labelled solids, scored on test solids."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from brep_mae import ranks
from brep_mae.checks import SettingsError
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Solids
from brep_mae.evaluation.metrics import multilabel_scores
from brep_mae.evaluation.multilabel import in_question, pooled, shown_by_solids
from brep_mae.evaluation.problem import features_of, in_batches, labelled_order
from brep_mae.fewshot.label_policy import PolicyRule
from brep_mae.fewshot.multilabel.learning import Classifier, learn, probabilities
from brep_mae.fewshot.multilabel.rules import Focal, InverseFrequency, LabelRule, TunedThresholds, frequencies
from brep_mae.fewshot.multilabel.sides import LabelledSides, Side, carve
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.settings import LabelPolicyParams

Row = dict[str, Any]
POLICY = "policy"
COMPETITORS: dict[str, Callable[[LabelledSides], LabelRule]] = {
    "fixed": LabelRule,
    "tuned_thresholds": TunedThresholds,
    "inverse_frequency": InverseFrequency,
    "focal": Focal,
}
SCORES = ("macro_f1", "micro_f1", "map", "strict")


class Shown:
    """The solids of which some class is known, with all face classes that they show.

    Args:
        data: reads what the encoder needs, of all solids named below.
        train: solids of which some are labelled. test: solids that are scored.
        classes: number of face classes.
    """

    def __init__(self, data: Solids, train: Sequence[str], test: Sequence[str], classes: int) -> None:
        self.data = data
        labels = data.reading(frozenset({"faces"}))
        rows = {
            uid: row
            for batch in in_batches(labels, [*train, *test])
            for uid, row in zip(batch.uid, shown_by_solids(batch, classes), strict=True)
        }
        self.rows = {uid: row for uid, row in rows.items() if bool((row >= 0).any())}
        self.train, self.test = ([uid for uid in side if uid in self.rows] for side in (train, test))

    def of(self, uids: Sequence[str]) -> Tensor:
        """(R, C) 1 = the solid shows the class, 0 = it does not, -1 = not known."""
        return torch.stack([self.rows[uid] for uid in uids])


def scored(
    name: str, solids: Shown, backbone: FeatureExtractor, classes: Sequence[str], params: LabelPolicyParams, seed: int
) -> Row:
    """What rule `name` learns from the solids that seed `seed` labels, and its scores on the test solids.

    Every rule of a seed meets the same solids, first weights and batches. Classes that every labelled solid shows, such
    as stock, are asked of nobody.

    Raises SettingsError where fewer than two solids, or no class, are left.
    """
    began = time.perf_counter()
    labelled = labelled_order(solids.train, seed)[: params.solids]
    if len(labelled) < 2 or not solids.test:
        raise SettingsError(f"{len(labelled)} labelled solids and {len(solids.test)} to score: label more")
    asked = in_question(solids.of(labelled))
    if not len(asked):
        raise SettingsError(f"each of {len(labelled)} labelled solids shows every class: nothing is left to be asked")
    tuned = params.mode == "finetuned"

    def codes(uids: Sequence[str]) -> Tensor:
        batches = in_batches(solids.data, uids)
        return torch.cat([pooled(f, b) for f, b in zip(features_of(backbone, batches), batches, strict=True)])

    def side(uids: Sequence[str]) -> Side:
        def batch(rows: Tensor) -> Batch:
            return solids.data.batch([uids[i] for i in rows.tolist()])

        return Side(tuple(uids), batch if tuned else codes(uids).__getitem__, solids.of(uids)[:, asked])

    learned, held_out = carve(labelled, params.held_out, seed)
    sides = LabelledSides(side(learned), side(held_out), frozenset(solids.test))
    rule = PolicyRule(sides, params, seed) if name == POLICY else COMPETITORS[name](sides)
    torch.manual_seed(seed)
    train_codes = codes(learned) if tuned else sides.learned.all()
    classifier = Classifier(train_codes, params.width, len(asked), backbone if tuned else None)
    found = learn(rule, classifier.to(ranks.device()), sides, params, seed)
    test = side(solids.test)
    probability = probabilities(found.classifier, test)
    scores = multilabel_scores(test.shown.numpy(), probability.numpy(), (probability >= found.thresholds).numpy())
    return {
        "rule": name,
        "seed": seed,
        **scores,
        "held_out_f1": found.held_out_f1,
        "curve": found.curve,
        "classes": [classes[i] for i in asked.tolist()],
        "frequency": frequencies(sides.learned.shown).tolist(),
        "weights": found.weights.tolist(),
        "thresholds": found.thresholds.tolist(),
        "seconds": time.perf_counter() - began,
    }
