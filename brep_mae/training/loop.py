"""The training loop. It knows no method: what happens in a step is the method's own, see `Pretext.train_step`."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from brep_mae import ranks
from brep_mae.checkpoints.state import load_state, save_state
from brep_mae.checks import SettingsError
from brep_mae.composition.optim import drop_paths, lr_at
from brep_mae.composition.pretext import Pretext
from brep_mae.composition.step import Step, stop_unless_finite
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.lazy.ahead import Ahead
from brep_mae.datasets.loader import Samples
from brep_mae.models.blocks import checkpoint_activations
from brep_mae.seeds import generator
from brep_mae.settings import PretrainParams

History = list[dict[str, float | str]]
DROPOUT = 1
"""Tells the draws of dropout, which come from torch's global generators, from those of masks in the same step."""
CALIBRATION = 16
"""Batches from which a method takes the units of its terms."""
PER_HELDOUT = 14
"""Batches that are trained on for each that is held out and evaluated. Without a backward pass a batch takes a third to
two thirds of a step, so that held-out passes stay below 5 % of a training's time."""
HELDOUT_SEED = 1_000_003
"""Seeds the held-out masks, the same at every evaluation so that curves compare."""


def precision(device: torch.device, params: PretrainParams) -> torch.autocast:
    """Weights and losses stay in float32; with bf16 the matrix products are half as wide."""
    return torch.autocast(device.type, torch.bfloat16, enabled=params.precision == "bf16")


@torch.no_grad()
def heldout_terms(
    pretext: Pretext, data: Samples, size: int, device: torch.device, params: PretrainParams, step: int = 0
) -> dict[str, float]:
    """Loss and terms on solids that are not trained on, averaged over batches of `size`.

    Raises NotFinite where the loss is not finite; names `step` and the solids of the batch.
    """
    pretext.eval()
    total: dict[str, float] = {}
    for i, batch in enumerate(data.in_order(size)):
        with precision(device, params):
            parts = pretext(batch.to(device), generator(HELDOUT_SEED, i))
        stop_unless_finite("held-out loss", parts["loss"], step, batch.uid)
        for key, value in parts.items():
            total[key] = total.get(key, 0.0) + float(value) * len(batch.uid) / len(data)
    pretext.train()
    return total


def heldout_batches(params: PretrainParams, steps: int, kinds: int) -> tuple[int, int]:
    """Batches that a held-out pass on the way reads at most, and the last one: of what PER_HELDOUT allows the passes on
    the way take half, and one of each kind of samples is read in any case. They follow from the settings alone."""
    on_the_way = max(kinds, params.log_every // (2 * PER_HELDOUT))
    last = max(on_the_way, steps // PER_HELDOUT - on_the_way * ((steps - 1) // params.log_every))
    return min(on_the_way, params.heldout_batches), min(last, params.heldout_batches)


def train(
    pretext: Pretext,
    data: Samples,
    heldout: Samples,
    params: PretrainParams,
    state_path: Path,
    report: Callable[[dict[str, float | str]], None],
    device: torch.device,
    keep: Callable[[int, Pretext], None] = lambda step, pretext: None,
) -> History:
    """Trains for `pretext.params.steps` steps, or the rest of them where `state_path` holds an earlier state.

    Batch, mask, dropout and learning rate of a step follow from the seed and the step's number, so that a training that
    was cut off and resumed gives the same losses as one that was not; torch's global generators are seeded anew before
    every step. With `params.accumulate` a step's batch is read in
    as many equal parts, whose gradients are averaged. Held-out solids are a fixed sample, spread evenly over all, of
    `heldout_batches`; the row of the last step rests on more of them than those before. Of several processes (`ranks`)
    each reads its share of every part, and all hold the same weights; what the first one saves is gone on from.

    Args:
        data: all of it, in every process.
        state_path: where the state is kept between checkpoints; that of the first process counts.
        report: called with every new row of the history: {"step", "split": "train" | "heldout", "loss", terms...}; a
            train row has the speed in steps and samples and the seconds of its steps besides, without evaluation, and
            of each optimiser the mean norm of its gradients before clipping and the highest rate of the last step.
        keep: called with the steps done and the pretext before the first step, at every checkpoint and at the end, and
            always before that state is saved: what it keeps of each, a resumed training has too.

    Raises:
        SettingsError: a batch does not divide into the parts asked for or among the processes, or the method's step
            cannot be shared, or there are fewer held-out batches than kinds of samples.
        RankError: another process ended before its time.
        NotFinite: a loss, a gradient or a held-out loss is not finite; names the step and the solids of the
            batch. No weight has moved by it then, and what is saved is from before.
    """
    method = pretext.params
    if method.batch % params.accumulate:
        raise SettingsError(f"params.yaml: accumulate {params.accumulate} does not divide batch {method.batch}")
    _check_ranks(pretext, data, method.batch // params.accumulate)
    optim = params.optim(method.optim)
    drop_paths(pretext, optim.drop_path)
    if params.activation_checkpointing:
        checkpoint_activations(pretext)
    pretext.to(device).train()
    optimizers = pretext.optimizers(optim)
    on_the_way, last = (heldout.capped(n, method.batch) for n in heldout_batches(params, method.steps, heldout.kinds))
    start, history = 0, History()
    if (state := ranks.of_first(lambda: load_state(state_path, torch.device("cpu")))) is not None:
        pretext.load_state_dict(state["model"])
        for name, optimizer in optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        start, history = state["step"], json.loads(state["history"])
    else:
        known = data.capped(CALIBRATION, method.batch).in_order(method.batch)
        pretext.eval().calibrate((batch.to(device) for batch in known), generator(params.seed, CALIBRATION))
        pretext.train()
        keep(0, pretext)
    ranks.start_alike(pretext)

    parts = params.accumulate
    own = data if ranks.world() == 1 else Part(data)
    read = partial(_read, own, params.seed, method.batch // parts, device)
    ahead = Ahead(read, method.steps * parts)
    autocast = partial(precision, device, params)
    sums: dict[str, float] = {}
    norms: dict[str, list[torch.Tensor]] = {}
    since, solids, began = 0, 0, time.perf_counter()
    for step in range(start, method.steps):
        rng = generator(params.seed, step)
        apart = (ranks.rank(),) if ranks.rank() else ()  # other samples, other units are dropped
        torch.manual_seed(generator(params.seed, step, DROPOUT, *apart).initial_seed())
        anew = pretext.begin_step(step, rng)
        for optimizer in optimizers.values():
            if anew:
                optimizer.state.clear()
            for group in optimizer.param_groups:
                group["lr"] = lr_at(*pretext.schedule(step), group["peak"], optim.warmup)
            optimizer.zero_grad(set_to_none=True)
        batches = partial(_parts, ahead, step, parts, device)
        draw = partial(_drawn, params.seed, step, method.batch, device)
        now = Step(step, rng, pretext, optimizers, own, batches, draw, parts, autocast, optim.clip_norm)
        with ranks.together():
            terms = pretext.train_step(now)
            whole = ranks.total(torch.tensor(list(terms.values()), dtype=torch.float64, device=device))
        for key, value in zip(terms, whole.tolist(), strict=True):
            sums[key] = sums.get(key, 0.0) + value
        for name, norm in now.norms.items():
            norms.setdefault(name, []).append(norm)
        pretext.after_step(step)

        since += 1
        solids += len(now.uids) * ranks.world()
        done = step + 1
        if done % params.log_every == 0 or done == method.steps:
            seconds = time.perf_counter() - began
            row: dict[str, float | str] = {"step": done, "split": "train", **{k: v / since for k, v in sums.items()}}
            speed = {"steps_per_s": since / seconds, "solids_per_s": solids / seconds, "seconds": seconds}
            moved = {f"grad_norm.{name}": float(torch.stack(each).mean()) for name, each in norms.items()}
            moved |= {f"lr.{name}": max(g["lr"] for g in optimizers[name].param_groups) for name in optimizers}
            history.append(row)
            report({**row, **speed, **moved})
            asked = last if done == method.steps else on_the_way
            held = heldout_terms(pretext, asked, method.batch, device, params, done)
            explained = {f"r2/{name}": value for name, value in pretext.explained(held).items()}
            history.append({"step": done, "split": "heldout", **held, **explained})
            report(history[-1])
            if done % params.checkpoint_every == 0 or done == method.steps:
                keep(done, pretext)
                state = {"optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()}}
                state |= {"model": pretext.state_dict(), "step": done, "history": json.dumps(history)}
                if ranks.rank() == 0:
                    save_state(state_path, state)
            sums, norms, since, solids, began = {}, {}, 0, 0, time.perf_counter()
    return history


class Part(Samples):
    """Of every batch, the part of this process. Raises SettingsError for a batch that does not divide."""

    def __init__(self, whole: Samples) -> None:
        self.whole, self.uids = whole, whole.uids

    def batch(self, uids: Sequence[str]) -> Batch:
        size = _share(len(uids))
        return self.whole.batch(uids[ranks.rank() * size : (ranks.rank() + 1) * size])

    def labelled(self, uids: Sequence[str]) -> np.ndarray:
        return self.whole.labelled(uids)


def _check_ranks(pretext: Pretext, data: Samples, size: int) -> None:
    """Raises SettingsError where batches of `size` samples cannot be shared by the processes that there are."""
    if ranks.world() == 1:
        return
    if data.kinds > 1:
        raise SettingsError("data sets of several kinds take turns here: train on them without torchrun")
    if not pretext.parallel:
        raise SettingsError("a step of this method cannot be shared: train it without torchrun")
    _share(min(size, len(data)))


def _share(size: int) -> int:
    """Samples of a batch of `size` that each process reads."""
    if size % ranks.world():
        raise SettingsError(
            f"a batch of {size} does not divide among {ranks.world()} processes: change the batch or their number"
        )
    return size // ranks.world()


def _read(data: Samples, seed: int, size: int, device: torch.device, number: int) -> Batch:
    """The part of a step's batch of that number, ready to be copied to the device."""
    batch = data.at_step(seed, number, size)
    return batch.pinned() if device.type == "cuda" else batch


def _parts(batches: Ahead, step: int, parts: int, device: torch.device) -> Iterator[Batch]:
    """The batch of a step in as many parts as are asked for."""
    for i in range(step * parts, (step + 1) * parts):
        yield batches[i].to(device)


def _drawn(seed: int, step: int, size: int, device: torch.device, samples: Samples) -> Batch:
    return samples.at_step(seed, step, size).to(device)
