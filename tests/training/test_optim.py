"""What the loop does to weights, step by step, against the formulas of AdamW, of clipping and of the schedule."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from brep_mae.checks import SettingsError
from brep_mae.composition.optim import adamw, drop_paths
from brep_mae.composition.pretext import MethodParams, Pretext
from brep_mae.composition.step import Step
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Samples
from brep_mae.settings import OptimParams, PretrainParams
from brep_mae.training.loop import train
from tests.contracts.test_methods import small

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


def test_what_a_method_says_of_its_optimiser_counts_before_what_all_share(tmp_path):
    """Clip at 0.02, as ST-MAE's code has it, and another second beta: half of a recipe, the rest is shared."""
    shared = PretrainParams(seed=0, log_every=5, checkpoint_every=5, weight_decay=DECAY, clip_norm=1.0, warmup=0.0)
    own = OptimParams(clip_norm=0.02, betas=[0.9, 0.999])
    assert shared.optim(own) == OptimParams(betas=[0.9, 0.999], weight_decay=DECAY, clip_norm=0.02, warmup=0.0)
    weights = []
    for optim in (OptimParams(), OptimParams(clip_norm=0.02)):
        slope = Slope(SMALL)
        slope.params = MethodParams(steps=STEPS, batch=1, lr=PEAK, optim=optim)
        train(
            slope, Named(), Named(), shared, tmp_path / f"{optim.clip_norm}.pt", lambda row: None, torch.device("cpu")
        )
        weights.append(slope.weight.detach().numpy())
    norms = np.sqrt(2 * (SMALL**2).sum((1, 2)))
    cut = SMALL * np.minimum(1, 0.02 / norms)[:, None, None]
    assert weights[0] == pytest.approx(by_hand(SMALL), abs=1e-6)
    assert weights[1] == pytest.approx(by_hand(cut), abs=1e-5)


def test_a_layer_s_rate_is_a_share_of_that_of_the_layer_above():
    pretext = small("mae_faces")  # two blocks, and a decoder
    rate = {}
    for group in adamw(pretext, 1.0, OptimParams(layer_decay=0.5)).param_groups:
        rate |= {id(weight): group["peak"] for weight in group["params"]}
    found = {name: rate[id(weight)] for name, weight in pretext.named_parameters()}
    assert found["encoder.stack.blocks.1.mlp.fc1.weight"] == found["encoder.stack.messages.1.conv.nn.0.bias"] == 0.5
    assert found["encoder.stack.blocks.0.mlp.fc1.weight"] == 0.25
    assert {found[name] for name in found if name.startswith("tokens.")} == {found["encoder.class_token"]} == {0.125}
    above = [name for name in found if name.startswith(("decoder.", "targets.", "encoder.stack.norm"))]
    assert {found[name] for name in above} == {1.0}
    with pytest.raises(SettingsError, match="layer_decay: this network has no layers"):
        adamw(Slope(SMALL), 1.0, OptimParams(layer_decay=0.5))


def test_drop_path_skips_blocks_in_training_alone_and_the_last_ones_most():
    pretext = small("mae_images")
    drop_paths(pretext, 0.6)
    rates = [block.drop_path1.drop_prob for block in pretext.encoder.stack.blocks]
    assert rates == [0.0, 0.6] and pretext.decoder.stack.blocks[-1].drop_path1.__class__ is nn.Identity
    x, valid = torch.randn(64, 5, 32), torch.ones(64, 5, dtype=torch.bool)
    block = pretext.encoder.stack.blocks[1]
    torch.manual_seed(0)
    kept = (block(x) != x).any(-1).any(-1).float().mean()  # both of its halves skipped: 0.36
    assert kept == pytest.approx(1 - 0.6**2, abs=0.15)
    pretext.eval()
    assert torch.equal(pretext.encoder.stack(x, valid), pretext.encoder.stack(x, valid))
    with pytest.raises(SettingsError, match="drop_path: this method's network has no transformer blocks"):
        drop_paths(small("attribute_masking"), 0.1)


class TwoProblems(Slope):
    """A method with a loop and two optimisers of its own: the weight follows the bias, which moves twice a step."""

    def optimizers(self, optim: OptimParams) -> dict[str, torch.optim.Optimizer]:
        makers = (("inner", torch.optim.SGD, self.weight), ("outer", torch.optim.Adam, self.bias))
        return {name: kind([{"params": [weight], "peak": PEAK}], lr=PEAK) for name, kind, weight in makers}

    def train_step(self, step: Step) -> dict[str, float]:
        for _ in range(2):
            for batch in step.batches():
                step.backward((self.bias * self.gradients[step.number].flatten()).sum(), batch)
            step.update("outer")
        for batch in step.batches():
            step.backward((self.weight * self.bias.detach().view(2, 2)).sum(), batch)
        step.update("inner")
        return {"loss": float(self.weight.detach().sum())}


class Killed(Exception):
    pass


def test_a_method_may_bring_its_own_loop_and_its_optimisers_are_resumed(tmp_path):
    params = PretrainParams(seed=0, log_every=2, checkpoint_every=4, weight_decay=0, clip_norm=1e9, warmup=0.2)

    def run(name: str, cut_at: int = 0) -> tuple[TwoProblems, list]:
        method = TwoProblems(SMALL)

        def report(row: dict) -> None:
            if cut_at and row["step"] == cut_at:
                raise Killed

        return method, train(method, Named(), Named(), params, tmp_path / name, report, torch.device("cpu"))

    whole, history = run("whole.pt")
    with pytest.raises(Killed):
        run("cut.pt", 6)
    again, resumed = run("cut.pt")
    assert resumed == history
    assert torch.equal(again.bias, whole.bias) and torch.equal(again.weight, whole.weight)
    assert not torch.equal(whole.bias, Slope(SMALL).bias), "control: it has moved"


@pytest.mark.parametrize("most, last", [(64, 12), (7, 7), (1, 1)])
@pytest.mark.parametrize("held_out", [100, 20_000])
def test_held_out_passes_read_a_fourteenth_of_what_is_trained_on_and_always_the_same(tmp_path, held_out, most, last):
    class Many(Named):
        uids = tuple(f"{i / held_out:.5f}" for i in range(held_out))

    met: list[tuple[str, ...]] = []

    class Watched(Slope):
        def forward(self, batch: Batch, rng: torch.Generator) -> dict[str, torch.Tensor]:
            if not self.training:
                met.append(batch.uid)
            return super().forward(batch, rng)

    params = PretrainParams(seed=0, log_every=56, checkpoint_every=56, warmup=0.0, heldout_batches=most)
    model = Watched(np.resize(SMALL, (280, 2, 2)))
    train(model, Named(), Many(), params, tmp_path / "state.pt", lambda row: None, torch.device("cpu"))
    passes = [[float(uid) for (uid,) in met[at : at + min(2, most)]] for at in range(0, 4 * min(2, most), min(2, most))]
    assert len(met) == 4 * min(2, most) + last <= 280 / 14 and all(each == passes[0] for each in passes)
    end = [float(uid) for (uid,) in met[-last:]]
    assert end == sorted(set(end)) and end[0] == 0 and end[-1] == pytest.approx(1 - 1 / last, abs=0.02), (
        "spread over all"
    )
