"""What the loader costs a training: milliseconds a sample, how long a step waits for its batch, and the share of
held-out passes.

    python -m benchmarks.loader
    python -m benchmarks.loader --methods mae_faces --heldout 100 10000

Solids have as many faces as MFCAD's. No solid is drawn twice and none is kept, as at a million, so that every sample is
read from its shard. `wait` is how long the loop waits for a batch, `without` how long it would if the batch were read
when it is asked for, both as shares of a step. `held out` is the time of held-out passes over that of training at
`log_every` of params.yaml, for validation sides of the sizes given.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.samples import make, milliseconds
from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets import loader
from brep_mae.datasets.lazy.ahead import Ahead
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.training import loop

METHODS = ("mae_faces", "hybrid")
SOLIDS, CPU = 1600, torch.device("cpu")


class Timed:
    """Calls a function and adds up how long that took."""

    def __init__(self, function: Any) -> None:
        self.function, self.seconds = function, list[float]()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        result = self.function(*arguments, **named)
        self.seconds.append(time.perf_counter() - began)
        return result


def trained(method: str, shards: Path, steps: int, heldout: int) -> dict[str, float]:
    """Seconds of the training's steps, of reading and waiting for their batches, and of held-out passes."""
    params = settings.load()
    torch.manual_seed(0)
    pretext = build(method, params.methods[method] | {"steps": steps}, DataSpec(params.parse.grid, 64))
    uids = open_shards(shards).uids
    data, held = Solids(shards, None, uids, pretext.reads), Solids(shards, None, uids, pretext.reads)
    held.uids = [uids[i % len(uids)] for i in range(heldout)]
    read, wait, passes = Timed(data.at_step), Timed(Ahead.__getitem__), Timed(loop.heldout_terms)
    data.at_step = read  # type: ignore[method-assign]
    rows: list[dict[str, Any]] = []
    waited, evaluated = Ahead.__getitem__, loop.heldout_terms
    Ahead.__getitem__ = lambda self, number: wait(self, number)  # type: ignore[method-assign]
    loop.heldout_terms = passes
    try:
        with tempfile.TemporaryDirectory() as work:
            loop.train(pretext, data, held, params.pretrain, Path(work) / "state", rows.append, CPU)
    finally:
        Ahead.__getitem__, loop.heldout_terms = waited, evaluated  # type: ignore[method-assign]
    return {
        "steps": sum(row["seconds"] for row in rows if row["split"] == "train"),
        "wait": sum(wait.seconds),
        "read": sum(read.seconds),
        "held out": sum(passes.seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--heldout", type=int, nargs="+", default=(64, 1000, 100_000), help="solids held out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    loader.KEEP = 0
    parse = settings.load().parse
    with tempfile.TemporaryDirectory() as made:
        make(shards := Path(made), SOLIDS, parse.grid, parse.field_samples)
        uids = list(open_shards(shards).uids[:320])
        print(
            f"| method | ms a sample | wait, % | without, % | {' | '.join(f'held out {n}, %' for n in args.heldout)} |"
        )
        print("|---|" + "---|" * (3 + len(args.heldout)))
        for name in args.methods:
            reads = build(name, settings.load().methods[name], DataSpec(parse.grid, 64)).reads
            cost = min(milliseconds(shards, uids, reads) for _ in range(5))
            runs = [trained(name, shards, args.steps, heldout) for heldout in args.heldout]
            wait, read = (statistics.median(100 * run[key] / run["steps"] for run in runs) for key in ("wait", "read"))
            shares = " | ".join(f"{100 * run['held out'] / run['steps']:.1f}" for run in runs)
            print(f"| {name} | {cost:.2f} | {wait:.1f} | {read:.1f} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
