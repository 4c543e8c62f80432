"""Label rules: how much each class counts in training, and from which probability on it is said to be shown.

Those here are what a learned policy has to beat; each is a few lines, and takes no search.
"""

from collections.abc import Callable

import torch
from sklearn.metrics import precision_recall_curve
from torch import Tensor
from torch.nn import functional as F

from brep_mae.fewshot.multilabel.sides import LabelledSides

THRESHOLD = 0.5
GAMMA = 2.0
"""How strongly the focal loss turns away from what is right already; the paper's."""


def entropies(logits: Tensor, shown: Tensor) -> Tensor:
    """Binary cross-entropy of every pair of a solid and a class, 0 for those that are not known. Shapes: (R, C) each"""
    each = F.binary_cross_entropy_with_logits(logits, shown.clamp(min=0).float(), reduction="none")
    return each * (shown >= 0)


def mean_over_known(each: Tensor, shown: Tensor) -> Tensor:
    """Their sum over the number of known pairs. Shapes: (R, C) each -> scalar"""
    return each.sum() / (shown >= 0).sum().clamp(min=1)


def frequencies(shown: Tensor) -> Tensor:
    """Share of the solids of which it is known that show a class. Shapes: (R, C) -> (C,)"""
    return (shown == 1).sum(0) / (shown >= 0).sum(0).clamp(min=1)


class LabelRule:
    """How much each class counts in training, and where its probability is cut: what ways to learn several labels
    differ in. This one: all alike, 0.5.

    Args:
        sides: whose labels, the held-out ones too, it may choose by.
    """

    def __init__(self, sides: LabelledSides) -> None:
        self.sides = sides
        self.weights = torch.ones(sides.learned.shown.shape[1])

    def begin(self, held_out: Callable[[], Tensor]) -> None:
        """Before the steps of an episode, with what the classifier says of the held-out solids."""

    def act(self) -> None:
        """Before a step."""

    def observe(self, held_out: Callable[[], Tensor]) -> None:
        """After a step, likewise."""

    def end(self) -> None:
        """After the steps of an episode."""

    def loss(self, logits: Tensor, shown: Tensor) -> Tensor:
        return mean_over_known(self.weights * entropies(logits, shown), shown)

    def thresholds(self, held_out: Tensor) -> Tensor:
        """From which probability on a class counts as shown. Shapes: probabilities of held-out solids (R, C) -> (C,)"""
        return torch.full_like(self.weights, THRESHOLD)


class TunedThresholds(LabelRule):
    """All classes count alike; each is cut where its held-out F1 is best, at 0.5 where no held-out solid shows it."""

    def thresholds(self, held_out: Tensor) -> Tensor:
        found = super().thresholds(held_out)
        for c, (shown, probability) in enumerate(zip(self.sides.held_out.shown.T, held_out.T, strict=True)):
            known = shown >= 0
            if (shown == 1).any():
                precision, recall, cuts = precision_recall_curve(shown[known], probability[known])
                f1 = 2 * precision * recall / (precision + recall).clip(min=1e-12)
                found[c] = float(cuts[f1[:-1].argmax()])
        return found


class InverseFrequency(LabelRule):
    """A class counts by the inverse of its frequency among the solids that train, with mean 1 over the classes that
    occur there; 1 for the others. Cut at 0.5."""

    def __init__(self, sides: LabelledSides) -> None:
        super().__init__(sides)
        occurs = sides.learnable
        inverse = 1 / frequencies(sides.learned.shown)[occurs]
        self.weights[occurs] = inverse / inverse.mean()


class Focal(LabelRule):
    """The focal loss (Lin et al. 2017, arXiv:1708.02002, without its constant alpha): what is right already counts
    less. Cut at 0.5."""

    def loss(self, logits: Tensor, shown: Tensor) -> Tensor:
        each = entropies(logits, shown)
        wrong = 1 - torch.exp(-each)  # 1 less the probability of the truth
        return mean_over_known(wrong**GAMMA * each, shown)
