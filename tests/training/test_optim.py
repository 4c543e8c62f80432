"""What the loop does to weights, step by step, against the formulas of AdamW, of clipping and of the schedule."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from brep_mae.composition.pretext import MethodParams, Pretext
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Samples
from brep_mae.settings import PretrainParams
from brep_mae.training.loop import train

PEAK, DECAY, STEPS = 0.01, 0.05, 10
SMALL = np.random.default_rng(0).normal(0, 0.1, (STEPS, 2, 2))
"""Gradients of norm well below one, (steps, 2, 2)."""


class Named(Samples):
    """Batches of one empty solid: what is trained here reads none."""

    uids = ("a",)

    def batch(self, uids):
        return Batch(tuple(uids))


class Slope(Pretext):
    """A weight (2, 2) and a bias (2, 2 as one row), whose gradients at every step are given."""

    reads = frozenset()

    def __init__(self, gradients: np.ndarray) -> None:
        super().__init__()
        self.params = MethodParams(steps=len(gradients), batch=1, lr=PEAK)
        self.gradients = torch.tensor(gradients, dtype=torch.float32)
        self.weight = nn.Parameter(torch.tensor([[1.0, -2.0], [3.0, 0.5]]))
        self.bias = nn.Parameter(torch.tensor([1.0, -2.0, 3.0, 0.5]))
        self.step = 0

    def begin_step(self, step: int, rng: torch.Generator) -> bool:
        self.step = step
        return False

    def forward(self, batch: Batch, rng: torch.Generator) -> dict[str, torch.Tensor]:
        now = self.gradients[self.step]
        return {"loss": (self.weight * now).sum() + (self.bias * now.flatten()).sum()}


def trained(gradients: np.ndarray, tmp_path, warmup: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias after training."""
    params = PretrainParams(seed=0, log_every=5, checkpoint_every=5, weight_decay=DECAY, clip_norm=1.0, warmup=warmup)
    slope = Slope(gradients)
    train(slope, Named(), Named(), params, tmp_path / "state.pt", lambda row: None, torch.device("cpu"))
    return slope.weight.detach().numpy(), slope.bias.detach().numpy()


def rates(steps: int, warmup: float) -> list[float]:
    """Up on a line from 0, then half a cosine down to 0."""
    up = round(steps * warmup)
    falling = [PEAK / 2 * (1 + math.cos(math.pi * t / (steps - up))) for t in range(steps - up)]
    return [PEAK * t / up for t in range(up)] + falling


def by_hand(gradients: np.ndarray, warmup: float = 0.0) -> np.ndarray:
    """The weight after AdamW (Loshchilov & Hutter 2019, algorithm 2) with betas 0.9 and 0.95, in double precision."""
    weight = np.array([[1.0, -2.0], [3.0, 0.5]])
    first, second = np.zeros((2, 2)), np.zeros((2, 2))
    for t, (g, rate) in enumerate(zip(gradients, rates(len(gradients), warmup), strict=True), 1):
        first, second = 0.9 * first + 0.1 * g, 0.95 * second + 0.05 * g**2
        moved = (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.95**t)) + 1e-8)
        weight = weight * (1 - rate * DECAY) - rate * moved
    return weight


def test_the_first_step_moves_every_weight_by_the_rate_and_decays_matrices_alone(tmp_path):
    weight, bias = trained(SMALL[:1], tmp_path)
    start, sign = np.array([[1.0, -2.0], [3.0, 0.5]]), np.sign(SMALL[0])
    assert weight == pytest.approx(start * (1 - PEAK * DECAY) - PEAK * sign, abs=1e-6)
    assert bias == pytest.approx((start - PEAK * sign).ravel(), abs=1e-6)


def test_later_steps_follow_adamw_with_the_betas_of_the_paper(tmp_path):
    assert trained(SMALL, tmp_path)[0] == pytest.approx(by_hand(SMALL), abs=1e-6)


def test_a_huge_gradient_is_cut_to_the_norm_and_does_not_rule_the_steps_after_it(tmp_path):
    huge = SMALL.copy()
    huge[2] *= 1e4
    norm = math.sqrt(2 * (huge[2] ** 2).sum())  # of weight and bias together, which have the same
    cut = huge.copy()
    cut[2] /= norm
    assert trained(huge, tmp_path)[0] == pytest.approx(by_hand(cut), abs=1e-6)
    assert np.abs(by_hand(huge) - by_hand(cut)).max() > 1e-3, "control: uncut, the steps after it are other ones"


def test_the_rate_of_every_step_is_on_the_warm_up_s_line_or_the_half_cosine(tmp_path):
    seen: list[float] = []
    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: seen.append(optimizer.param_groups[0]["lr"]))
    try:
        weight, _ = trained(SMALL, tmp_path, warmup=0.4)
    finally:
        handle.remove()
    assert seen == pytest.approx([0, PEAK / 4, PEAK / 2, 3 * PEAK / 4, *rates(6, 0)])
    assert seen[4] == PEAK and seen[7] == pytest.approx(PEAK / 2), "the peak, and half of it half-way down"
    assert weight == pytest.approx(by_hand(SMALL, 0.4), abs=1e-6)
