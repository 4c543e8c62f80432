"""The policy: its gradient, its memory, and what its two optimisers touch."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from brep_mae.evaluation.multilabel import macro_f1
from brep_mae.fewshot.label_policy import CLAMP, Baseline, LabelPolicy, PolicyRule, reinforce, returns
from brep_mae.fewshot.multilabel.learning import Classifier, Learned, learn, probabilities
from brep_mae.fewshot.multilabel.rules import LabelRule, TunedThresholds
from tests.fewshot.multilabel.label_sets import params, ten_labels

SAMPLES = 10_000


def policy(classes: int = 4) -> LabelPolicy:
    torch.manual_seed(0)
    return LabelPolicy(torch.ones(classes, dtype=torch.bool), hidden=8, sigma=0.3)


def same(before: dict[str, Tensor], module: nn.Module) -> bool:
    return all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def kept(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def bandit(baseline: float) -> tuple[Tensor, Tensor]:
    """Gradients by mean and log sigma of two arms a and b that earn 1 - (a - 2)² + b: as the estimator has them of each
    sample (SAMPLES, 4), and the analytic ones (4,)."""
    rng = torch.Generator().manual_seed(1)
    mean, log_sigma = torch.tensor([0.5, -1.0]), torch.tensor([0.7, 0.4]).log()
    rows = torch.cat([mean, log_sigma]).repeat(SAMPLES, 1).requires_grad_()
    gaussian = Normal(rows[:, :2], rows[:, 2:].exp())
    drawn = (mean + log_sigma.exp() * torch.randn(SAMPLES, 2, generator=rng)).detach()
    earned = 1 - (drawn[:, 0] - 2) ** 2 + drawn[:, 1] - baseline
    log_prob = gaussian.log_prob(drawn)
    loss = reinforce(log_prob, earned[:, None].expand_as(log_prob), torch.zeros_like(log_prob), 0.0)
    [gradient] = torch.autograd.grad(loss, rows)
    # mean 1 - (m - 2)² - s² + n for arms of means m, n and sd s, t: by m -2 (m - 2), n 1, log s -2 s², log t 0
    return -gradient * SAMPLES, torch.tensor([3.0, 1.0, -2 * 0.49, 0.0])


@pytest.mark.parametrize("baseline", [0.0, -1.0])
def test_the_estimator_agrees_with_the_analytic_gradient_of_a_gaussian_bandit(baseline):
    found, analytic = bandit(baseline)
    error = found.std(0) / SAMPLES**0.5
    assert ((found.mean(0) - analytic).abs() < 3 * error).all()
    assert not ((found.mean(0) + analytic).abs() < 3 * error)[:3].any(), "the other direction is told apart"


def test_without_an_advantage_nothing_moves():
    log_prob = torch.randn(5, 2, 3, requires_grad=True)
    reinforce(log_prob, torch.zeros(5, 2, 3), torch.zeros(5, 2, 3), 0.0).backward()
    assert torch.equal(log_prob.grad, torch.zeros_like(log_prob))


def test_the_entropy_bonus_widens_the_gaussian():
    made = policy()
    action = made(made.start(), torch.Generator().manual_seed(0))
    reinforce(action.log_prob[None], torch.zeros(1, 2, 4), action.entropy[None], 0.1).backward()
    assert (made.log_sigma.grad < 0).all()


def test_a_return_counts_later_steps_less():
    assert returns(torch.tensor([1.0, 0.0, 2.0]), 0.5).tolist() == [1.5, 1.0, 2.0]
    assert returns(torch.tensor([1.0, 0.0, 2.0]), 0.0).tolist() == [1.0, 0.0, 2.0]


def test_an_advantage_is_what_lies_above_the_running_mean_in_running_deviations():
    baseline = Baseline()
    assert baseline.advantage(torch.tensor([5.0, 5.0])).tolist() == [0.0, 0.0], "nothing to be compared with"
    assert torch.allclose(baseline.advantage(torch.tensor([7.0, 3.0])), torch.tensor([2.0, -2.0]) / 0.4**0.5)
    # means 5.2 and 4.8; squares of deviations .9 of .4 and a tenth of the new ones
    third = baseline.advantage(torch.tensor([5.2, 5.8]))
    assert torch.allclose(third, torch.tensor([0.0, 1.0]) / ((0.36 + 0.46) / 2) ** 0.5)


@pytest.mark.parametrize("what", ["weights", "thresholds", "hidden"])
def test_the_next_action_depends_on_the_last_one_and_on_the_memory(what):
    made = policy()
    first = made(made.start())
    changed = replace(first, **{what: torch.zeros_like(getattr(first, what))})
    second, other = made(first), made(changed)
    assert not torch.equal(second.weights, other.weights) and not torch.equal(second.thresholds, other.thresholds)


def test_weights_have_mean_one_thresholds_stay_within_the_clamp_and_the_same_seed_draws_the_same():
    made = policy()
    with torch.no_grad():
        made.log_sigma.fill_(2.0)
    rng = torch.Generator().manual_seed(3)
    drawn = [made(made.start(), rng) for _ in range(50)]
    for action in drawn:
        assert action.weights.mean() == pytest.approx(1, abs=1e-5) and (action.weights >= 0).all()
        assert (action.thresholds >= CLAMP[0]).all() and (action.thresholds <= CLAMP[1]).all()
    ends = torch.stack([action.thresholds for action in drawn])
    assert torch.isclose(ends.min(), torch.tensor(CLAMP[0])) and torch.isclose(ends.max(), torch.tensor(CLAMP[1]))
    again = made(made.start(), torch.Generator().manual_seed(3))
    assert torch.equal(again.weights, drawn[0].weights)
    assert not torch.equal(drawn[0].weights, drawn[1].weights)


def test_a_class_that_never_trains_is_pinned_and_moves_nothing():
    torch.manual_seed(0)
    learnable = torch.tensor([True, False, True])
    made = LabelPolicy(learnable, hidden=8, sigma=0.5)
    action = made(made.start(), torch.Generator().manual_seed(0))
    assert action.weights[1] == 1 and action.thresholds[1] == 0.5
    assert action.weights[learnable].mean() == pytest.approx(1)
    reinforce(action.log_prob[None], torch.ones(1, 2, 3), action.entropy[None], 0.1).backward()
    assert made.log_sigma.grad.view(2, 3)[:, 1].abs().sum() == 0
    assert made.head.weight.grad.view(2, 3, 8)[:, 1].abs().sum() == 0


class Watched(PolicyRule):
    """Asserts that steps of the classifier leave the policy as it is, and the policy's those of the classifier."""

    def __init__(self, *arguments: object, classifier: Classifier) -> None:
        super().__init__(*arguments)
        self.classifier, self.steps, self.episodes = classifier, 0, 0

    def act(self) -> None:
        super().act()
        self.policy_before, self.classifier_before = kept(self.policy), kept(self.classifier)

    def observe(self, held_out) -> None:
        super().observe(held_out)
        assert same(self.policy_before, self.policy) and not same(self.classifier_before, self.classifier)
        assert not self.weights.requires_grad and not self.cut.requires_grad
        self.steps += 1

    def end(self) -> None:
        before, policy_before = kept(self.classifier), kept(self.policy)
        super().end()
        assert same(before, self.classifier) and not same(policy_before, self.policy)
        self.episodes += 1


def run(seed: int = 0, **change: object) -> tuple[Learned, PolicyRule]:
    sides, _ = ten_labels(0, 40, 40, 10)
    p = params(**change)
    torch.manual_seed(seed)
    classifier = Classifier(sides.learned.all(), p.width, 10)
    rule = Watched(sides, p, seed, classifier=classifier)
    return learn(rule, classifier, sides, p, seed), rule


def test_each_step_moves_its_own_weights_alone():
    _, rule = run()
    assert (rule.steps, rule.episodes) == (12, 3)


def test_the_same_seed_is_the_same_search_and_another_is_not():
    (first, rule), (second, again), (third, other) = run(0), run(0), run(1)
    assert first.curve == second.curve and torch.equal(first.thresholds, second.thresholds)
    assert same(kept(first.classifier), second.classifier) and same(kept(rule.policy), again.policy)
    assert not torch.equal(first.weights, third.weights)
    assert rule.rng.initial_seed() == again.rng.initial_seed() != other.rng.initial_seed()


@pytest.mark.parametrize("reward", ["recalled", "balanced"])
def test_the_other_rewards_run_and_teach_something_else(reward):
    chosen, plain = run(reward=reward, episodes=10)[1], run(episodes=10)[1]
    assert not same(kept(plain.policy), chosen.policy)


@pytest.mark.parametrize("seed", range(3))
def test_learned_thresholds_beat_a_half_and_come_near_tuned_ones(seed):
    sides, test = ten_labels(seed, 400, 1500, 3000)
    p = params(episodes=120, batch=64)
    f1 = {}
    for name, rule in (
        ("fixed", LabelRule(sides)),
        ("tuned", TunedThresholds(sides)),
        ("policy", PolicyRule(sides, p, seed)),
    ):
        torch.manual_seed(seed)
        found = learn(rule, Classifier(sides.learned.all(), p.width, 10), sides, p, seed)
        f1[name] = macro_f1(test.shown, probabilities(found.classifier, test) >= found.thresholds)
    assert found.thresholds.std() > 0.05
    assert f1["policy"] >= f1["fixed"] and f1["policy"] > f1["tuned"] - 0.02, f1
