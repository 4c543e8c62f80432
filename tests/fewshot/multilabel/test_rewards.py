"""Rewards against loops and closed forms, and what the published one is best at."""

import pytest
import torch
from torch import Tensor

from brep_mae.evaluation.multilabel import f1_of_classes
from brep_mae.fewshot.label_policy import CLAMP
from brep_mae.fewshot.multilabel.rewards import balanced, macro_f1_gain, recalled


def problem(rows: int = 30, classes: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    shown = (torch.rand(rows, classes, generator=rng) < 0.3).long()
    probability = (0.3 * shown + 0.7 * torch.rand(rows, classes, generator=rng)).clamp(0.01, 0.99)
    return shown, probability, 0.1 + 0.8 * torch.rand(classes, generator=rng)


def test_the_recalled_reward_is_its_loop_and_its_closed_form():
    shown, probability, p = problem()
    found = recalled(shown, probability, probability, p)
    for c in range(4):
        loop = sum(
            (-1) ** int(y) * (float(p[c]) - float(q)) / float(p[c])
            for y, q in zip(shown[:, c], probability[:, c], strict=True)
        )
        positive = shown[:, c] == 1
        spread = probability[positive, c].sum() - probability[~positive, c].sum()
        closed = spread / p[c] + (~positive).sum() - positive.sum()
        assert float(found[c]) * 30 == pytest.approx(loop, abs=1e-4) == pytest.approx(float(closed), abs=1e-4)


def test_what_is_not_known_earns_nothing():
    shown, probability, p = problem()
    shown[5:9] = -1
    other = probability.clone()
    other[5:9] = 0.9
    for reward in (recalled, balanced, macro_f1_gain):
        assert torch.equal(reward(shown, other, other, p), reward(shown, probability, probability, p))


@pytest.mark.parametrize("reward", [recalled, balanced])
def test_the_recalled_reward_is_best_at_an_end_of_the_clamp_and_there_a_rare_class_is_lost(reward):
    rng = torch.Generator().manual_seed(1)
    shown = (torch.rand(4000, 1, generator=rng) < 0.05).long()
    logits = torch.where(shown == 1, 1.5, -3.0) + torch.randn(4000, 1, generator=rng)
    probability = logits.sigmoid()
    cuts = torch.linspace(*CLAMP, 19)
    earned = torch.cat([reward(shown, probability, probability, cut[None]) for cut in cuts])
    steps = earned.diff()
    assert (steps > 0).all() or (steps < 0).all(), "monotone, so that an end is best"
    f1 = torch.cat([f1_of_classes(shown, probability >= cut) for cut in cuts])
    assert f1[int(earned.argmax())] < f1.max() - 0.2
    gain = torch.cat([macro_f1_gain(shown, probability, probability, cut[None]) for cut in cuts])
    assert int(gain.argmax()) == int(f1.argmax()) not in (0, 18)


def test_balanced_counts_a_rare_class_as_a_common_one():
    shown, probability = torch.zeros(100, 2, dtype=torch.long), torch.full((100, 2), 0.2)
    shown[:2, 0], shown[:50, 1] = 1, 1
    probability[shown == 1] = 0.9
    p = torch.full((2,), 0.5)
    common, rare = balanced(shown, probability, probability, p)[[1, 0]].tolist()
    assert common == pytest.approx(rare, rel=1e-5) == pytest.approx(0.8 + 0.6, rel=1e-5)
    assert recalled(shown, probability, probability, p)[0] != pytest.approx(common)


def test_macro_f1_gains_on_the_start_of_the_episode():
    shown, probability, p = problem()
    before = torch.full_like(probability, 0.4)  # nothing is said to be shown
    gain = macro_f1_gain(shown, before, probability, p)
    assert torch.allclose(gain, f1_of_classes(shown, probability >= p))
    assert torch.equal(macro_f1_gain(shown, probability, probability, torch.full((4,), 0.5)), torch.zeros(4))
    absent = shown.clone()
    absent[:, 0] = 0
    assert macro_f1_gain(absent, before, probability, p)[0] == 0
