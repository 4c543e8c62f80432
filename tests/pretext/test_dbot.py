"""The acceptance checks of dBOT (Liu et al. 2022, arXiv:2209.03917), on faces and on images.

Check 5, that the first teacher matters less after the second round than after the first, is a matter of probes of
networks trained on real data, and a finding rather than a promise: it is read off the few-shot results of runs with
other first teachers. What makes it a fair comparison is tested in tests/training/test_loop.py: a training of one round
and half the steps is bit by bit the first round of a longer one.
"""

import copy
from dataclasses import replace

import pytest
import torch

from brep_mae.composition.optim import lr_at
from brep_mae.seeds import generator
from brep_mae.settings import PretrainParams
from brep_mae.targets.features import Features, standardise
from brep_mae.targets.teacher_targets import TeacherTargets
from brep_mae.tokens.tokens import FACE
from tests.contracts.test_methods import small
from tests.pretext.checks import asked, digest, steps
from tests.selected import selected
from tests.synthetic import make_batch

SIZES = [6, 9, 3, 12]
BUDGET = PretrainParams(seed=0, log_every=1, checkpoint_every=1, weight_decay=0, clip_norm=1, warmup=0.2)


@pytest.fixture(params=["dbot_faces", "dbot_images"])
def name(request) -> str:
    return request.param


def student(name: str, **changed):
    return small(name, steps=20, rounds=2, **changed), make_batch(SIZES, frames=name == "dbot_images")


def no_mask(pretext, batch, seed: int):
    return pretext.mask(pretext.tokens(batch), generator(seed))


def test_check_1_teacher_is_frozen_within_a_round(name):
    pretext, batch = student(name)
    before, own = digest(pretext.teacher), digest(pretext.encoder)
    steps(pretext.train(), batch, 4)
    assert digest(pretext.teacher) == before
    assert digest(pretext.encoder) != own, "the student must have moved, or the check says nothing"
    assert all(p.grad is None and not p.requires_grad for p in pretext.teacher.parameters())


def test_check_1_teacher_depends_neither_on_the_mask_nor_on_chance(name):
    pretext, batch = student(name)
    pretext.train()
    assert not any(m.training for m in pretext.teacher.modules())
    one, two = (pretext.teacher(batch, no_mask(pretext, batch, seed)).features for seed in (0, 1))
    assert torch.equal(one, two)
    blind = copy.deepcopy(pretext.teacher)
    blind.network.full = False
    one, two = (blind(batch, no_mask(pretext, batch, seed)).features for seed in (0, 1))
    assert not torch.equal(one, two), "control: a teacher behind the student's mask does depend on it"


def test_check_2_boundary_teacher_is_the_last_student_and_the_student_is_new(name):
    pretext, batch = student(name)
    steps(pretext, batch, 3)
    assert not any(pretext.begin_step(step, generator(0, step)) for step in (0, 1, 9, 11, 19, 20))
    before = {k: v.clone() for k, v in pretext.state_dict().items() if not k.startswith("teacher.")}
    parameters = list(map(id, pretext.parameters()))
    assert pretext.begin_step(10, generator(0, 10))
    after = pretext.state_dict()
    assert parameters == list(map(id, pretext.parameters())), "an optimizer must go on holding them"
    for key, value in before.items():
        if key.startswith(("tokens.", "encoder.")):
            assert torch.equal(after[f"teacher.network.{key}"], value)
        if value.dim() > 1 and not key.endswith(".unit"):  # nobody has calibrated: units are 1, before and after
            assert not torch.equal(after[key], value), key
    fresh = student(name)[0].state_dict()
    for key, value in before.items():
        if value.dim() > 1 and value.numel() > 500:
            assert float(after[key].std()) == pytest.approx(float(fresh[key].std()), rel=0.1), (
                f"{key}: not a new network's spread"
            )


def test_check_2_boundary_learning_rate_starts_its_warm_up_again(name):
    pretext, _ = student(name)
    rates = [lr_at(*pretext.schedule(step), 1.0, BUDGET.warmup) for step in range(20)]
    assert rates[:10] == rates[10:]
    assert rates[10] == 0 and rates[12] == max(rates) == 1.0 and rates[9] < 0.1
    one_round = small(name, steps=20, rounds=1)
    assert lr_at(*one_round.schedule(10), 1.0, BUDGET.warmup) > 0.1, "control: one round has no boundary"


def test_check_2_a_new_student_follows_from_the_seed_alone(name):
    new = []
    for noise in (0, 1):
        pretext = student(name)[0]
        torch.manual_seed(noise)
        pretext.begin_step(10, generator(0, 10))
        new.append(digest(pretext.encoder))
    assert new[0] == new[1]
    pretext.begin_step(10, generator(1, 10))
    assert digest(pretext.encoder) != new[0]


def test_check_3_loss_support_is_the_hidden_tokens_and_the_class_token(name):
    pretext, batch = student(name)
    touched, mask = asked(pretext, batch)
    assert torch.equal(touched[:, 1:], mask.hidden)
    assert touched[:, 0].all()
    pretext.targets["features"].class_token = False
    touched, _ = asked(pretext, batch)
    assert not touched[:, 0].any(), "control: without it in the target the class token gets nothing"


def test_check_3_targets_have_mean_0_and_unbiased_variance_1_per_token(name):
    pretext, batch = student(name)
    targets = pretext.teacher(batch, no_mask(pretext, batch, 0))
    target = standardise(torch.cat([targets.features, targets.class_features]))
    assert target.mean(1).abs().max() < 1e-5
    assert (target.var(1) - 1).abs().max() < 1e-3


def test_check_3_scaling_and_shifting_the_teacher_leaves_the_loss(name, monkeypatch):
    pretext, batch = student(name)
    loss = pretext(batch, generator(0))["loss"]
    teach = type(pretext.teacher).forward

    def other(self, batch, mask):
        targets = teach(self, batch, mask)
        return replace(targets, features=change(targets.features), class_features=change(targets.class_features))

    monkeypatch.setattr(type(pretext.teacher), "forward", other)
    change = lambda x: 3 * x + 7  # noqa: E731
    assert torch.isclose(pretext(batch, generator(0))["loss"], loss, atol=1e-4)
    change = lambda x: x.roll(1, 1)  # noqa: E731
    assert not torch.isclose(pretext(batch, generator(0))["loss"], loss, atol=1e-4), "control: other features"


@pytest.mark.parametrize("error, value", [(1.0, 0.25), (3.0, 2.0)])
def test_check_4_smooth_l1_with_beta_2(error, value):
    target = Features(8, 8, FACE, beta=2.0, class_token=False)
    truth = torch.randn(1, 8)
    with torch.no_grad():
        target.head.weight.zero_()
        target.head.bias.copy_(standardise(truth)[0] + error)
    targets = TeacherTargets.of(make_batch([3]), truth, torch.zeros(1, 8))
    term = target(selected(torch.zeros(1, 8), torch.tensor([0])), targets)["features"]
    assert float(term.error.detach()) == pytest.approx(value, abs=1e-5)


def test_a_first_teacher_of_another_size_teaches_one_round(name):
    content = "faces" if name == "dbot_faces" else "frames"
    large = {"source": "random", "reads": content, "size": {"dim": 48, "depth": 3, "heads": 3}}
    with pytest.raises(ValueError, match="set rounds to 1"):
        small(name, rounds=2, teacher=large)
    pretext = small(name, rounds=1, teacher=large)
    batch = make_batch(SIZES, frames=name == "dbot_images")
    assert pretext.teacher(batch, no_mask(pretext, batch, 0)).features.shape[1] == 48
    assert steps(pretext, batch, 12)[-1] < 0.5


def test_a_deeper_first_teacher_hands_over_to_the_student(name):
    content = "faces" if name == "dbot_faces" else "frames"
    deep = {"source": "random", "reads": content, "size": {"dim": 32, "depth": 4, "heads": 2}}
    pretext, batch = student(name, teacher=deep)
    mask = no_mask(pretext, batch, 0)
    assert not torch.equal(pretext.teacher(batch, mask).features, pretext.teacher.network(batch, mask).features)
    pretext.begin_step(10, generator(0, 10))
    assert torch.equal(pretext.teacher(batch, mask).features, pretext.teacher.network(batch, mask).features)
