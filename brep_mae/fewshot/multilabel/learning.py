"""A classifier that learns several labels of a solid under a label rule."""

import copy
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from brep_mae.datasets.batch import Batch
from brep_mae.evaluation.multilabel import macro_f1, pooled
from brep_mae.fewshot.multilabel.rules import LabelRule
from brep_mae.fewshot.multilabel.sides import LabelledSides, Side
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.settings import LabelPolicyParams


class Classifier(nn.Module):
    """One hidden layer on the pooled codes of a solid.

    Args:
        codes: of the solids that train (R, D), by whose mean and spread all are standardised.
        encoder: makes them of a batch, and trains as well; None = codes are the input.

    Shapes:
        codes (B, D), or a batch of B solids -> logits (B, classes), on the CPU, where labels and rules are
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, codes: Tensor, width: int, classes: int, encoder: FeatureExtractor | None = None) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder)
        self.register_buffer("mean", codes.mean(0))
        self.register_buffer("spread", codes.std(0).clamp(min=1e-6))
        self.head = nn.Sequential(nn.Linear(codes.shape[1], width), nn.GELU(), nn.Linear(width, classes))

    def codes(self, batch: Batch) -> Tensor:
        assert self.encoder is not None, "without an encoder the input are codes"
        batch = batch.to(self.mean.device)
        return pooled(self.encoder(batch), batch)

    def forward(self, inputs: Tensor | Batch) -> Tensor:
        codes = inputs.to(self.mean.device) if isinstance(inputs, Tensor) else self.codes(inputs)
        logits: Tensor = self.head((codes - self.mean) / self.spread)
        return logits.cpu()


@dataclass(frozen=True)
class Learned:
    """The classifier as it was after the episode whose held-out macro-F1 was best, with that episode's weights and
    thresholds (C,); `curve` has the held-out macro-F1 after each episode."""

    classifier: Classifier
    weights: Tensor
    thresholds: Tensor
    held_out_f1: float
    curve: list[float]


def learn(
    rule: LabelRule, classifier: Classifier, sides: LabelledSides, params: LabelPolicyParams, seed: int
) -> Learned:
    """Trains the classifier for `params.episodes` episodes of `params.steps` steps; every rule gets the same batches.

    The classifier is never started anew. The state that is kept is chosen on the held-out solids, for every rule alike.
    """
    rows, shown = np.arange(len(sides.learned.uids)), sides.learned.shown
    groups = [{"params": list(classifier.head.parameters()), "lr": params.lr}]
    if classifier.encoder is not None:
        groups.append({"params": list(classifier.encoder.parameters()), "lr": params.encoder_lr})
    optimizer = torch.optim.AdamW(groups)
    rng = np.random.default_rng(seed)
    ask = partial(probabilities, classifier, sides.held_out)
    best: Learned | None = None
    curve: list[float] = []
    for _ in range(params.episodes):
        rule.begin(ask)
        for _ in range(params.steps):
            rule.act()
            chosen = torch.from_numpy(rng.choice(rows, min(params.batch, len(rows)), replace=False))
            classifier.train()
            loss = rule.loss(classifier(sides.learned.inputs(chosen)), shown[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            rule.observe(ask)
        rule.end()
        held_out = ask()
        thresholds = rule.thresholds(held_out)
        f1 = macro_f1(sides.held_out.shown, held_out >= thresholds)
        curve.append(f1)
        if best is None or f1 > best.held_out_f1:
            best = Learned(copy.deepcopy(classifier), rule.weights.clone(), thresholds, f1, curve)
    assert best is not None
    return best


@torch.no_grad()
def probabilities(classifier: Classifier, side: Side) -> Tensor:
    """(R, C) in (0, 1)."""
    found: Tensor = classifier.eval()(side.all()).sigmoid()
    return found
