"""A training step in other ways than the default: memory and processor time of each, over those of the default.

Ways: activations made again in the backward pass, bf16, and `torch.compile`. Times are taken in turns, one step each,
and the median of the ratios between neighbours is told; a peak is that of one step in a process of its own, less what
the process held before.

    python -m benchmarks.training_step
    python -m benchmarks.training_step --method mae_faces --size base --batch 8 --ways recomputed
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.large_parts import measured
from brep_mae import settings
from brep_mae.composition.optim import adamw
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.batch import Batch
from brep_mae.models.blocks import checkpoint_activations
from brep_mae.seeds import generator
from brep_mae.settings import OptimParams
from tests.synthetic import GRID, make_batch, make_frames

FRAME, PATCH = 112, 8
"""14 x 14 patches, as papers have them."""
DECODER = {"dim": 128, "depth": 2, "heads": 4}
WAYS = ("recomputed", "bf16", "compiled")
PLAIN = "plain"
WARM = 2
"""Rounds before those that count."""


def step_of(method: str, size: str, way: str) -> Callable[[Batch, int], None]:
    """A training step of the method with a network of that size."""
    torch.manual_seed(0)
    values = dict(settings.load().methods[method]) | {"size": size, "decoder": DECODER}
    pretext = build(method, values | ({"patch": PATCH} if "patch" in values else {}), DataSpec(GRID, FRAME)).train()
    if way == "recomputed":
        checkpoint_activations(pretext)
    if way == "compiled":
        pretext.compile()
    optimizer = adamw(pretext, 1e-4, OptimParams())

    def step(batch: Batch, number: int) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=way == "bf16"):
            loss = pretext(batch, generator(0, number))["loss"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def batch_of(method: str, count: int, faces: int) -> Batch:
    """One view each of `count` solids; or solids without views, of half as many to one and a half times as many
    faces."""
    if method.endswith("images"):
        batch = make_batch([4] * count)
        return replace(batch, frames=make_frames([4] * count, 1, FRAME))
    return make_batch([faces // 2 + faces * i // max(1, count - 1) for i in range(count)])


def peak(method: str, size: str, way: str, batch: Batch) -> float:
    """MB by which one step raises what the process holds."""
    step = step_of(method, size, way)
    return measured(lambda: step(batch, 0))[1]


def ratios(method: str, size: str, way: str, batch: Batch, rounds: int) -> list[float]:
    """Processor time of a step over that of a plain one, once a round."""
    steps, found = [step_of(method, size, each) for each in (way, PLAIN)], list[float]()
    for number in range(-WARM, rounds):
        seconds = []
        for step in steps:
            began = time.process_time()
            step(batch, number + WARM)
            seconds.append(time.process_time() - began)
        if number >= 0:
            found.append(seconds[0] / seconds[1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="mae_images")
    parser.add_argument("--size", default="tiny", choices=settings.SIZES)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--faces", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--peak", help="Of this way alone, in MB.")
    args = parser.parse_args()
    torch.set_num_threads(1)
    batch = batch_of(args.method, args.batch, args.faces)
    if args.peak:
        print(peak(args.method, args.size, args.peak, batch))
        return

    def peak_of(way: str) -> float:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.training_step", *sys.argv[1:], "--peak", way]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    plain = peak_of(PLAIN)
    print(f"{args.method}, {args.size}, batches of {args.batch}: a step takes {plain:.0f} MB")
    for way in args.ways:
        share, times = peak_of(way) / plain, ratios(args.method, args.size, way, batch, args.rounds)
        spread = f"{min(times):.2f} to {max(times):.2f}"
        print(
            f"{way:>10}: {share:.2f} of the memory, {statistics.median(times):.2f} ({spread}) of the time", flush=True
        )


if __name__ == "__main__":
    main()
