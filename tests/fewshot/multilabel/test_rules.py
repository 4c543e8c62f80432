"""Rules that take no search, the guard against test solids, and what a classifier learns under them."""

from itertools import product

import pytest
import torch
from torch.nn import functional as F

from brep_mae.evaluation.multilabel import f1_of_classes
from brep_mae.fewshot.multilabel.learning import Classifier, learn, probabilities
from brep_mae.fewshot.multilabel.rules import (
    Focal,
    InverseFrequency,
    LabelRule,
    TunedThresholds,
    entropies,
    mean_over_known,
)
from brep_mae.fewshot.multilabel.sides import LabelledSides, LeakError, carve
from tests.fewshot.multilabel.label_sets import params, side, ten_labels


def test_a_class_of_weight_zero_moves_neither_its_own_unit_nor_anything_below():
    sides, _ = ten_labels(0, 40, 20, 5)
    torch.manual_seed(0)
    classifier = Classifier(sides.learned.all(), 16, 10)
    rule = LabelRule(sides)
    rule.weights[3] = 0.0
    logits = classifier(sides.learned.all())
    logits.retain_grad()
    rule.loss(logits, sides.learned.shown).backward()
    out = classifier.head[-1]
    assert (logits.grad[:, 3] == 0).all() and (out.weight.grad[3] == 0).all() and out.bias.grad[3] == 0
    others = [i for i in range(10) if i != 3]
    assert (out.weight.grad[others].abs().sum(1) > 0).all()


def test_weights_scale_the_entropy_of_their_class_and_unknown_pairs_count_nowhere():
    logits, shown = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([[1, 0, -1]] * 6)
    each = F.binary_cross_entropy_with_logits(logits, shown.clamp(min=0).float(), reduction="none")
    weights = torch.tensor([2.0, 0.5, 9.0])
    expected = (2 * each[:, 0] + 0.5 * each[:, 1]).sum() / 12
    assert torch.allclose(mean_over_known(weights * entropies(logits, shown), shown), expected)


def test_tuned_thresholds_are_the_best_of_all_cuts_on_held_out_solids():
    sides, _ = ten_labels(0, 20, 60, 5)
    probability = (torch.randn(60, 10, generator=torch.Generator().manual_seed(0)) + 2 * sides.held_out.shown).sigmoid()
    sides.held_out.shown[:, 9] = 0
    found = TunedThresholds(sides).thresholds(probability)
    best = f1_of_classes(sides.held_out.shown, probability >= found)
    for cut in probability.flatten()[::7]:
        assert (f1_of_classes(sides.held_out.shown, probability >= cut) <= best + 1e-6)[:9].all()
    assert found[9] == 0.5 and found[:9].std() > 0


def test_inverse_frequencies_have_mean_one_over_the_classes_that_occur():
    shown = torch.zeros(40, 3, dtype=torch.long)
    shown[:20, 0], shown[:5, 1] = 1, 1
    part = side("a", torch.zeros(40, 2), shown)
    weights = InverseFrequency(LabelledSides(part, side("b", torch.zeros(1, 2), shown[:1]), frozenset())).weights
    assert weights[2] == 1 and weights[:2].mean() == pytest.approx(1) and weights[1] / weights[0] == pytest.approx(4)


def test_the_focal_loss_is_its_formula_and_turns_from_what_is_right():
    sides, _ = ten_labels(0, 20, 10, 5)
    logits, shown = torch.tensor([[3.0, -1.0], [0.5, 2.0]]), torch.tensor([[1, 1], [0, -1]])
    p = logits.sigmoid()
    truth = torch.stack([p[0, 0], p[0, 1], 1 - p[1, 0]])
    expected = (-((1 - truth) ** 2) * truth.log()).sum() / 3
    assert torch.allclose(Focal(sides).loss(logits, shown), expected)


def test_a_carved_side_keeps_files_whole_and_depends_on_the_seed():
    uids = [f"{i // 2}#{i % 2}" for i in range(40)]
    learned, held_out = carve(uids, 0.25, 0)
    assert sorted(learned + held_out) == sorted(uids)
    assert not {uid[:-2] for uid in learned} & {uid[:-2] for uid in held_out} and len(held_out) == 10
    assert carve(uids, 0.25, 0) == (learned, held_out) != carve(uids, 0.25, 1)


@pytest.mark.parametrize("where, what", product(["learned", "held_out"], ["x3#0", "x3#1"]))
def test_a_test_solid_or_one_of_its_file_can_neither_train_nor_choose(where, what):
    shown, codes = torch.ones(4, 2, dtype=torch.long), torch.zeros(4, 2)
    own, other = side("x", codes, shown), side("y", codes, shown)
    sides = (own, other) if where == "learned" else (other, own)
    LabelledSides(*sides, frozenset({"z1#0"}))
    with pytest.raises(LeakError, match=r"a test solid is among .*: x3; take labelled solids from the training side"):
        LabelledSides(*sides, frozenset({what}))


def test_a_solid_that_trains_can_not_be_held_out():
    one = side("x", torch.zeros(4, 2), torch.ones(4, 2, dtype=torch.long))
    with pytest.raises(LeakError, match="a held-out solid is among the solids that train"):
        LabelledSides(one, one, frozenset())


def test_the_state_that_is_kept_is_the_best_on_held_out_solids():
    sides, _ = ten_labels(1, 60, 60, 5)
    torch.manual_seed(0)
    classifier = Classifier(sides.learned.all(), 16, 10)
    found = learn(LabelRule(sides), classifier, sides, params(episodes=40, lr=0.03), 0)
    assert len(found.curve) == 40 and found.held_out_f1 == max(found.curve) > found.curve[-1]
    again = f1_of_classes(sides.held_out.shown, probabilities(found.classifier, sides.held_out) >= found.thresholds)
    assert float(again.nanmean()) == pytest.approx(found.held_out_f1)
