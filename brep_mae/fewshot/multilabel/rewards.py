"""What a label policy is rewarded for: how well held-out solids are told by their probabilities and its thresholds.

A reward is a number for each class (C,), and a step earns their mean. Each reads shown (R, C), 1, 0 or -1 = not known;
probabilities (R, C) before the episode and now; thresholds (C,) in (0, 1).
"""

from collections.abc import Callable

from torch import Tensor

from brep_mae.evaluation.multilabel import f1_of_classes
from brep_mae.fewshot.multilabel.rules import THRESHOLD

Reward = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def margins(shown: Tensor, probability: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """(ŷ - p) / p of what shows a class, (p - ŷ) / p of what does not; else 0. Shapes: (R, C) each"""
    margin = (probability - thresholds) / thresholds
    return margin * (shown == 1), -margin * (shown == 0)


def recalled(shown: Tensor, before: Tensor, probability: Tensor, thresholds: Tensor) -> Tensor:
    """The published reward as it is recalled, over the number of solids: positive where what shows a class lies above
    its threshold, or what does not below. Monotone in every threshold, whose best value is therefore one of the two
    ends; a policy's clamp is all that stops it there."""
    positive, negative = margins(shown, probability, thresholds)
    return (positive + negative).sum(0) / len(shown)


def balanced(shown: Tensor, before: Tensor, probability: Tensor, thresholds: Tensor) -> Tensor:
    """The same, but what shows a class and what does not are averaged each by itself, so that a rare class counts as a
    common one; 0 for a class without both. As monotone."""
    positive, negative = margins(shown, probability, thresholds)
    shows, lacks = (shown == 1).sum(0), (shown == 0).sum(0)
    each = positive.sum(0) / shows + negative.sum(0) / lacks
    return each.where((shows > 0) & (lacks > 0), 0.0)


def macro_f1_gain(shown: Tensor, before: Tensor, probability: Tensor, thresholds: Tensor) -> Tensor:
    """Macro-F1 of the cut probabilities less that with which the episode began, cut at 0.5. (The gain over the step
    before would cancel in the sum over steps, but for the last one: the other thresholds would earn nothing.)"""
    gain = f1_of_classes(shown, probability >= thresholds) - f1_of_classes(shown, before >= THRESHOLD)
    return gain.nan_to_num()


REWARDS: dict[str, Reward] = {"recalled": recalled, "balanced": balanced, "macro_f1": macro_f1_gain}
