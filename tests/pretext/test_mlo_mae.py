"""MLO-MAE's acceptance checks, by their numbers (Guo et al. 2025, arXiv:2402.18128); the second is in tests/masking."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import ttest_1samp
from torch import Tensor, nn

from brep_mae.composition.guided import GuidedMAE, evaluated
from brep_mae.composition.multilevel import Levels, hop, hypergradient
from brep_mae.composition.optim import drop_paths
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.composition.step import Step
from brep_mae.datasets.batch import Batch, Faces, Frames
from brep_mae.datasets.loader import Samples
from brep_mae.masking.mask import Mask
from brep_mae.masking.random import RandomMask
from brep_mae.models.encoder import Latent, TokenEncoder
from brep_mae.schema import UNLABELLED
from brep_mae.seeds import generator
from brep_mae.settings import PretrainParams
from brep_mae.training.loop import train
from tests.contracts.test_methods import batch_for, block, small
from tests.stored import solids, store

NAMES = ["mlo_mae_faces", "mlo_mae_images"]
PARAMS = PretrainParams(seed=3, log_every=4, checkpoint_every=4, weight_decay=0.0, clip_norm=1.0, warmup=0.2)


def cosine(one: list[Tensor], other: list[Tensor]) -> float:
    a, b = (torch.cat([part.flatten() for part in each]) for each in (one, other))
    return float(a @ b / (a.norm() * b.norm()))


def toy(seed: int = 0) -> Levels:
    """Three nested quadratics of 6, 5 and 4 numbers."""
    rng = generator(seed)
    weights, head, mask = (torch.randn(n, generator=rng).requires_grad_() for n in (6, 5, 4))
    by_mask, by_weights = torch.randn(6, 4, generator=rng), torch.randn(5, 6, generator=rng)
    best_weights, best_head = torch.randn(6, generator=rng), torch.randn(5, generator=rng)
    return Levels(
        pretrain=lambda: (weights - by_mask @ mask).square().sum(),
        finetune=lambda: (head - by_weights @ weights).square().sum(),
        validate=lambda: (weights - best_weights).square().sum() + 3 * (head - best_head).square().sum(),
        weights=[weights],
        head=[head],
        mask=[mask],
    )


def exact_hop(loss: Tensor, lower: list[Tensor], direction: list[Tensor], upper: list[Tensor]) -> list[Tensor]:
    """The mixed second derivative by autograd, with the identity for the inverse of the Hessian."""
    slope = torch.autograd.grad(loss, lower, create_graph=True)
    along = sum((a * v).sum() for a, v in zip(slope, direction, strict=True))
    return [-g for g in torch.autograd.grad(along, upper)]


def exact(levels: Levels, through_head: bool = True) -> list[Tensor]:
    (by_weights, by_head) = torch.autograd.grad(levels.validate(), [*levels.weights, *levels.head])
    found = exact_hop(levels.pretrain(), levels.weights, [by_weights], levels.mask)
    if not through_head:
        return found
    back = exact_hop(levels.finetune(), levels.head, [by_head], levels.weights)
    return [a + b for a, b in zip(found, exact_hop(levels.pretrain(), levels.weights, back, levels.mask), strict=True)]


def test_check_1_the_hypergradient_of_a_quadratic_toy_is_that_of_exact_second_derivatives():
    for seed in range(5):
        levels = toy(seed)
        found, expected = hypergradient(levels), exact(levels)
        assert torch.allclose(found[0], expected[0], rtol=1e-2, atol=1e-3) and cosine(found, expected) > 0.9999
        without = hypergradient(replace(levels, finetune=lambda: torch.zeros(())))
        assert cosine(without, exact(levels, through_head=False)) > 0.9999
        assert cosine(without, expected) < 0.99, "control: the path through the head counts"


def test_check_1_of_a_real_network_too():
    """Where the third derivative is not 0."""
    torch.manual_seed(0)
    net, head, mask = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)), nn.Linear(3, 2), nn.Linear(4, 3)
    x, y = torch.randn(3, 20, 4), torch.randn(3, 20, 2)
    levels = Levels(
        pretrain=lambda: (mask(x[0]).sigmoid() * (net(x[0]) - x[0, :, :3]).square()).mean(),
        finetune=lambda: (head(net(x[1])) - y[1]).square().mean(),
        validate=lambda: (head(net(x[2])) - y[2]).square().mean(),
        weights=list(net.parameters()),
        head=list(head.parameters()),
        mask=list(mask.parameters()),
    )
    by = torch.autograd.grad(levels.validate(), [*levels.weights, *levels.head])
    by_weights, by_head = list(by[: len(levels.weights)]), list(by[len(levels.weights) :])
    back = exact_hop(levels.finetune(), levels.head, by_head, levels.weights)
    direction = [a + b for a, b in zip(by_weights, back, strict=True)]
    expected = exact_hop(levels.pretrain(), levels.weights, direction, levels.mask)
    assert cosine(hypergradient(levels), expected) > 0.99
    drops = nn.Dropout(0.1)
    dropped = lambda: (mask(x[0]).sigmoid() * (drops(net(x[0])) - x[0, :, :3]).square()).mean()  # noqa: E731
    noisy = hop(dropped, levels.weights, direction, levels.mask)
    assert cosine(noisy, expected) < 0.9, "control: with dropout in it a difference is that of two draws"


def test_a_hop_leaves_the_weights_bit_for_bit_and_one_along_nothing_is_nothing():
    levels = toy()
    before = levels.weights[0].detach().clone()
    hypergradient(levels)
    assert torch.equal(levels.weights[0], before)
    for size in (0.0, 1e-20):
        tiny = [torch.full_like(levels.weights[0], size)]
        assert torch.equal(hop(levels.pretrain, levels.weights, tiny, levels.mask)[0], torch.zeros(4))
    small_one = [torch.full_like(levels.weights[0], 1e-9)]
    assert cosine(*(hop(levels.pretrain, levels.weights, v, levels.mask) for v in (small_one, [torch.ones(6)]))) > 0.999

    def breaks() -> Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hop(breaks, levels.weights, [torch.ones(6)], levels.mask)
    assert torch.equal(levels.weights[0], before), "an error in between is no reason to keep the move"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    return folder, store(folder)


def fresh(name: str, steps: int = 8, **changed) -> GuidedMAE:
    torch.manual_seed(0)
    pretext = small(name, steps=steps, batch=4, **changed)
    assert isinstance(pretext, GuidedMAE)
    return pretext


def trained(pretext: GuidedMAE, stored, tmp_path, params: PretrainParams = PARAMS) -> list[dict[str, float | str]]:
    folder, uids = stored
    data, held = (solids(folder, some, *pretext.reads) for some in (uids[:12], uids[12:]))
    return train(pretext, data, held, params, tmp_path / "state.pt", lambda row: None, torch.device("cpu"))


def digests(pretext: GuidedMAE) -> dict[str, bytes]:
    """Of every part's weights."""
    parts = {name.split(".")[0] for name, _ in pretext.named_parameters()}
    return {
        part: b"".join(p.detach().numpy().tobytes() for p in pretext.get_submodule(part).parameters())
        for part in sorted(parts)
    }


@pytest.mark.parametrize("name", NAMES)
def test_check_3_each_level_moves_its_own_weights_alone(stored, tmp_path, monkeypatch, name):
    pretext, moved, update = fresh(name), [], Step.update
    start = digests(pretext)

    def watched(step: Step, optimizer: str) -> None:
        before = digests(pretext)
        assert before == state[0], "between updates nothing moves, finite differences included"
        update(step, optimizer)
        state[0] = digests(pretext)
        moved.append((step.number, optimizer, {part for part in before if before[part] != state[0][part]}))

    state = [start]
    monkeypatch.setattr(Step, "update", watched)
    trained(pretext, stored, tmp_path)
    own = {"weights": {"tokens", "encoder", "decoder", "targets"}, "head": {"head"}, "mask": {"mask"}}
    assert set().union(*own.values()) == set(start)
    # The rate of step 0 is 0.
    assert all(parts == own[optimizer] for number, optimizer, parts in moved if number)
    levels = [optimizer for _, optimizer, _ in moved]
    assert levels == ["weights", "weights", "head", "mask"] * 4, "the mask moves once in two steps of the encoder"


@pytest.mark.parametrize("name", NAMES)
def test_check_3_without_a_say_of_the_third_level_the_mask_stays_bit_for_bit(stored, tmp_path, monkeypatch, name):
    pretext, asked = fresh(name), GuidedMAE.levels
    before = digests(pretext)
    constant = lambda self, *given: replace(asked(self, *given), validate=lambda: torch.ones(()))  # noqa: E731
    with monkeypatch.context() as patched:
        patched.setattr(GuidedMAE, "levels", constant)
        trained(pretext, stored, tmp_path / "constant")
    after = digests(pretext)
    assert after["mask"] == before["mask"] and after["encoder"] != before["encoder"] and after["head"] != before["head"]
    trained(pretext, stored, tmp_path / "asked")
    assert digests(pretext)["mask"] != before["mask"], "control"


@pytest.mark.parametrize("name", NAMES)
def test_check_4_the_hypergradient_of_a_batch_is_one_and_the_same_although_there_is_dropout(name):
    pretext = fresh(name).train()
    drop_paths(pretext, 0.5)
    batches = [batch_for(name, seed) for seed in (0, 20, 40)]
    levels = pretext.levels(*batches, generator(0))
    before = digests(pretext)
    with evaluated(pretext):
        first, again = hypergradient(levels), hypergradient(levels)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)) and any(bool(g.any()) for g in first)
    assert digests(pretext) == before and pretext.training
    first, again = hypergradient(levels), hypergradient(levels)
    assert not all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), "control: in training mode it is not"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_hidden_and_what_the_mask_reads_stay_while_the_encoder_is_moved(monkeypatch, name):
    pretext, seen, run = fresh(name).eval(), [], GuidedMAE.run

    def watched(self, batch: Batch, rng: torch.Generator, mask: Mask | None = None):
        seen.append(mask)
        return run(self, batch, rng, mask)

    monkeypatch.setattr(GuidedMAE, "run", watched)
    with torch.no_grad():  # scores so near to one another that a move of the encoder turns their order
        for weight in pretext.mask.parameters():
            weight.mul_(1e-6)
    hypergradient(pretext.levels(*(batch_for(name, seed) for seed in (0, 20, 40)), generator(0)))
    ahead, behind = seen
    assert torch.equal(ahead.hidden, behind.hidden) and torch.equal(ahead.weight, behind.weight)
    assert ahead.weight.requires_grad


class Planted(Samples):
    """Images of 3 x 3 patches of noise; the class of an image shows in a region of two patches, in nothing else."""

    side, patch = 3, 4

    def __init__(self, count: int, region: tuple[int, int], seed: int, told: bool) -> None:
        self.uids = tuple(f"{number:04x}" for number in range(count))
        rng, size = generator(seed), self.side * self.patch
        shown = torch.randint(2, (count,), generator=rng)
        self.image = torch.rand(count, 1, 3, size, size, generator=rng)
        for place in region:
            rows, columns = (slice(p * self.patch, (p + 1) * self.patch) for p in divmod(place, self.side))
            own = self.image[:, 0, :, rows, columns]
            self.image[:, 0, :, rows, columns] = 0.3 * shown.view(-1, 1, 1, 1) + 0.7 * own
        self.label = shown if told else shown[torch.randperm(count, generator=rng)]

    def labelled(self, uids) -> np.ndarray:
        return np.ones(len(uids), bool)

    def batch(self, uids) -> Batch:
        row, none = torch.tensor([int(uid, 16) for uid in uids]), torch.full((len(uids),), UNLABELLED)
        faces = Faces(solid=torch.arange(len(uids)), label=none, part=self.label[row])
        return Batch(tuple(uids), faces, Frames(self.image[row], torch.full(self.image[row, :, 0].shape, -1)))


class Bottleneck(TokenEncoder):
    """All that is seen in one code, which is what the head reads, and all that the decoder has."""

    residual = False

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.dim = self.read_dim = dim
        self.mix = nn.Linear(length * dim, dim)

    def forward(self, tokens, mask=None, final_norm=True) -> Latent:
        x = tokens.x if mask is None else tokens.x.masked_fill(mask.hidden[..., None], 0.0)
        ids, valid = torch.arange(x.shape[1]).expand(x.shape[:2]), torch.ones(len(x), 1 + x.shape[1]).bool()
        return Latent(torch.cat([self.mix(x.flatten(1))[:, None], x], 1), valid, ids)


class FromCode(nn.Module):
    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.spread = nn.Linear(dim, (1 + length) * dim)

    def forward(self, latent: Latent, tokens) -> Tensor:
        return self.spread(latent.x[:, 0]).view(len(latent.x), -1, latent.x.shape[-1])


def frequency(seed: int, tmp_path, told: bool) -> tuple[float, float]:
    """How often the region of a toy is hidden in the end, by the learned mask and by a random one."""
    region, length, dim = (seed, seed + 4), Planted.side**2, 8
    tiny = {"dim": dim, "depth": 1, "heads": 2}
    changed = {"steps": 60, "batch": 64, "lr": 0.01, "head_lr": 0.02, "mask_lr": 0.01, "mask_hidden": 16}
    changed |= {"size": tiny, "decoder": tiny, "patch": Planted.patch, "mask_ratio": 0.5}
    torch.manual_seed(seed)
    spec = DataSpec(grid=8, frame=Planted.side * Planted.patch, part_classes=2)
    pretext = build("mlo_mae_images", block("mlo_mae_images") | changed, spec)
    pretext.encoder, pretext.decoder = Bottleneck(length, dim), FromCode(length, dim)
    data = Planted(128, region, seed, told)
    params = PARAMS.model_copy(update={"seed": seed, "log_every": 60, "checkpoint_every": 60})
    train(pretext, data, data.first(8), params, tmp_path / f"{seed}.pt", lambda row: None, torch.device("cpu"))
    with torch.no_grad():
        tokens = pretext.tokens(data.batch(data.uids))
    drawn = (mask(tokens, generator(seed)).hidden for mask in (pretext.mask.eval(), RandomMask(0.5)))
    learned, random = (float(hidden[:, list(region)].float().mean()) for hidden in drawn)
    return learned, random


def test_check_5_the_region_that_tells_the_class_is_found(tmp_path):
    """The region has two patches: one alone could not be told from noise around it, and hiding it would teach nothing.
    Whether two of nine patches are hidden as often as all, 5 of 9, over seeds that start from other scores each."""
    share, seeds = 5 / 9, range(5)
    found = [frequency(seed, tmp_path, told=True) for seed in seeds]
    learned, random = zip(*found, strict=True)
    assert ttest_1samp(learned, share).pvalue < 0.01 and min(learned) > share
    assert ttest_1samp(random, share).pvalue > 0.01
    untold = [frequency(seed, tmp_path / "untold", told=False)[0] for seed in seeds]
    assert ttest_1samp(untold, share).pvalue > 0.01, "control: labels that tell nothing of the image"
