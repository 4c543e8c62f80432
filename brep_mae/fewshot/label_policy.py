"""Learning to learn and predict: a recurrent policy that sets each class's weight in the loss and its threshold.

Wu, Xiong and Wang 2019, arXiv:1909.04176. A GRU meets its own last weights and thresholds at every step of a training,
proposes the next ones, and is rewarded for what the classifier then says of held-out solids.

Neither code nor full text of the paper was at hand. Known of it: one recurrent meta-learner gives a training weight
and a prediction threshold per class; the loss is the weighted cross-entropy; the reward comes from the classifier's
probabilities. All else is our reconstruction: what the GRU reads and starts from (weights 1, thresholds 0.5), how
weights and thresholds are squashed, the Gaussian that makes a stochastic policy of them, REINFORCE with a running
baseline and an entropy term, length and number of episodes, a classifier that is not started anew, every size and rate,
and the reward that is called `recalled`.

Departures that are meant: thresholds within CLAMP, for that reward is best at one of their ends; the default reward,
macro-F1; rewards from held-out solids, not from the batch that trains; a threshold is credited with what its own class
earns at its own step, for it changes nothing else there (with the sum over all classes as well the search drowns in
noise), a weight with all that this and the later steps earn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from brep_mae.fewshot.multilabel.rewards import REWARDS
from brep_mae.fewshot.multilabel.rules import THRESHOLD, LabelRule
from brep_mae.fewshot.multilabel.sides import LabelledSides
from brep_mae.seeds import generator
from brep_mae.settings import LabelPolicyParams

CLAMP = (0.05, 0.95)
DISCOUNT, ENTROPY = 0.9, 1e-3
"""Of rewards that come later; what a nat of the policy's entropy is worth."""
KEPT = 0.9
"""Of the running mean and spread of rewards, at each episode."""
NEAR = 0.01
"""Spread of the output layer's first weights: the first episodes stay near weights of 1 and thresholds of 0.5."""
LEAST_SPREAD = 1e-3
"""Of rewards, which are differences of F1: less is no difference."""


@dataclass(frozen=True)
class Action:
    """What a policy sets before a step of the classifier.

    Shapes: weights (C,) with mean 1; thresholds (C,) within CLAMP; log_prob (2, C) of the numbers that were drawn for
    weights and thresholds, entropy (2, C) of what they were drawn from; hidden (1, H), the state of the GRU.
    """

    weights: Tensor
    thresholds: Tensor
    log_prob: Tensor
    entropy: Tensor
    hidden: Tensor


class LabelPolicy(nn.Module):
    """Action -> the next one.

    Args:
        learnable: (C,) True = a solid that trains shows the class; the others stay at weight 1 and threshold 0.5.
        hidden: width of the GRU.
        sigma: standard deviation of the Gaussian on the numbers before they are squashed, at the start; it is learned.
    """

    learnable: Tensor

    def __init__(self, learnable: Tensor, hidden: int, sigma: float) -> None:
        super().__init__()
        classes = len(learnable)
        self.register_buffer("learnable", learnable)
        self.cell = nn.GRUCell(2 * classes, hidden)
        self.head = nn.Linear(hidden, 2 * classes)
        nn.init.normal_(self.head.weight, std=NEAR)
        nn.init.zeros_(self.head.bias)
        self.log_sigma = nn.Parameter(torch.full((2 * classes,), sigma).log())

    def start(self) -> Action:
        """Before the first step."""
        ones = torch.ones(len(self.learnable))
        zeros = torch.zeros(2, len(ones))
        return Action(ones, THRESHOLD * ones, zeros, zeros, torch.zeros(1, self.cell.hidden_size))

    def forward(self, last: Action, rng: torch.Generator | None = None) -> Action:
        """Drawn with `rng`, or the mean where there is none."""
        hidden = self.cell(torch.cat([last.thresholds, last.weights])[None], last.hidden)
        mean, sigma = self.head(hidden)[0], self.log_sigma.exp()
        drawn = (mean if rng is None else mean + sigma * torch.randn(len(mean), generator=rng)).detach()
        gaussian = Normal(mean, sigma)
        log_prob, entropy = (
            each.view(2, -1) * self.learnable for each in (gaussian.log_prob(drawn), gaussian.entropy())
        )
        return Action(*self.squashed(drawn), log_prob, entropy, hidden)

    def squashed(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Both by a sigmoid; weights are then divided by their mean. Shapes: (2 C,) -> (C,), (C,)"""
        weights, thresholds = numbers.sigmoid().chunk(2)
        weights = torch.where(self.learnable, weights / weights[self.learnable].mean(), 1.0)
        thresholds = torch.where(self.learnable, thresholds.clamp(*CLAMP), THRESHOLD)
        return weights, thresholds


def reinforce(log_prob: Tensor, advantage: Tensor, entropy: Tensor, bonus: float) -> Tensor:
    """A loss whose gradient is minus the policy gradient (Williams 1992): the mean over T actions of the sum over the
    numbers that make up each. Shapes: (T, ...) each -> scalar"""
    return -(log_prob * advantage.detach() + bonus * entropy).flatten(1).sum(1).mean()


def returns(rewards: Tensor, discount: float) -> Tensor:
    """What each step and those after it earn, a step `discount` times less than the one before. Shapes: (T,) -> (T,)"""
    found, later = torch.empty_like(rewards), torch.tensor(0.0)
    for t in reversed(range(len(rewards))):
        later = found[t] = rewards[t] + discount * later
    return found


class Baseline:
    """Running mean and spread of what each step of an episode has earned, by which the next episode is judged."""

    def __init__(self) -> None:
        self.mean: Tensor | None = None
        self.square = torch.tensor(0.0)

    def advantage(self, earned: Tensor) -> Tensor:
        """How far it lies above the mean, in standard deviations; 0 the first time. Shapes: (T, ...) -> (T, ...)"""
        if self.mean is None:
            self.mean, self.square = earned, torch.zeros_like(earned)
        above = earned - self.mean
        self.square = KEPT * self.square + (1 - KEPT) * above**2
        self.mean = self.mean + (1 - KEPT) * above
        return above / self.square.mean(0).sqrt().clamp(min=LEAST_SPREAD)


class PolicyRule(LabelRule):
    """Weights and thresholds by a policy that learns after every episode.

    Args:
        seed: of the policy's first weights, and of all that it draws.
    """

    def __init__(self, sides: LabelledSides, params: LabelPolicyParams, seed: int) -> None:
        super().__init__(sides)
        self.reward = REWARDS[params.reward]
        torch.manual_seed(seed)
        self.policy = LabelPolicy(sides.learnable, params.width, params.sigma)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), params.policy_lr)
        self.for_weights, self.for_thresholds = Baseline(), Baseline()
        self.rng = generator(seed, 1)
        self.cut = self.policy.start().thresholds
        self.actions: list[Action] = []
        self.rewards: list[Tensor] = []

    def begin(self, held_out: Callable[[], Tensor]) -> None:
        self.before, self.last = held_out(), self.policy.start()
        self.actions, self.rewards = [], []

    def act(self) -> None:
        self.last = self.policy(self.last, self.rng)
        self.actions.append(self.last)
        self.weights = self.last.weights

    def observe(self, held_out: Callable[[], Tensor]) -> None:
        self.rewards.append(self.reward(self.sides.held_out.shown, self.before, held_out(), self.last.thresholds))

    def end(self) -> None:
        """One step of the policy; what is kept are the weights and thresholds that its mean then leads to."""
        earned = torch.stack(self.rewards)
        whole = self.for_weights.advantage(returns(earned.mean(1), DISCOUNT))
        own = self.for_thresholds.advantage(earned)
        advantage = torch.stack([whole[:, None].expand_as(own), own], 1)
        log_prob = torch.stack([action.log_prob for action in self.actions])
        entropy = torch.stack([action.entropy for action in self.actions])
        self.optimizer.zero_grad(set_to_none=True)
        reinforce(log_prob, advantage, entropy, ENTROPY).backward()
        self.optimizer.step()
        with torch.no_grad():
            action = self.policy.start()
            for _ in self.actions:
                action = self.policy(action)
        self.weights, self.cut = action.weights, action.thresholds

    def thresholds(self, held_out: Tensor) -> Tensor:
        return self.cut
