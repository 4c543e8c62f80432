"""Steps per second of a small training, alone and beside processes that burn a core each, by how threads wait.

Every way of waiting and every load runs in a process of its own, in turns; a figure is the median over the rounds. On a
machine that is not idle, `alone` isn't quite alone, and what spinning costs comes out too small.

    python -m benchmarks.busy --beside 1 2 4
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

WAYS = {
    "passive": {},  # what `import brep_mae` sets
    "default": {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"},  # what the libraries do when nothing is set
}


def _burn() -> None:
    while True:
        pass


@contextmanager
def burning(count: int) -> Iterator[None]:
    """So many processes that never wait."""
    others = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(count)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def train(seconds: float, threads: int) -> float:
    """Steps per second of `mae_images` at the sizes of params.yaml, after a warm-up."""
    import torch

    from brep_mae import settings
    from brep_mae.composition.optim import adamw
    from brep_mae.composition.pretext import DataSpec, build
    from brep_mae.datasets.batch import Batch, Frames
    from brep_mae.seeds import generator
    from brep_mae.settings import OptimParams

    torch.set_num_threads(threads)
    block = settings.load().methods["mae_images"]
    pretext = build("mae_images", block, DataSpec(grid=8, frame=64))
    optimizer = adamw(pretext, 1e-3, OptimParams())
    images = torch.rand(block["batch"], 1, 3, 64, 64, generator=generator(0))
    faces = torch.full((block["batch"], 1, 64, 64), -1)
    batch = Batch(uid=[str(i) for i in range(block["batch"])], faces=None, frames=Frames(image=images, face=faces))
    began, steps = 0.0, -5
    while steps <= 0 or time.perf_counter() - began < seconds:
        optimizer.zero_grad(set_to_none=True)
        pretext(batch, generator(steps + 5))["loss"].backward()
        optimizer.step()
        steps += 1
        if steps == 0:
            began = time.perf_counter()
    return steps / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=int, nargs="+", default=[1, 2, 4], help="numbers of busy processes")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(train(args.seconds, args.threads))
        return
    unset = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
    clean = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "-m", "benchmarks.busy", "--one", "--seconds", f"{args.seconds}"]
    found: dict[tuple[str, int], list[float]] = {(way, beside): [] for way in WAYS for beside in (0, *args.beside)}
    for _ in range(args.rounds):
        for way, beside in found:
            with burning(beside):
                done = subprocess.run(
                    [*command, "--threads", str(args.threads)],
                    env=clean | WAYS[way],
                    capture_output=True,
                    text=True,
                    check=True,
                )
            found[way, beside].append(float(done.stdout))
    rate = {key: statistics.median(values) for key, values in found.items()}
    for way in WAYS:
        quiet = rate[way, 0]
        steps = {str(beside): round(rate[way, beside], 2) for beside in (0, *args.beside)}
        slower = {str(beside): round(quiet / rate[way, beside], 2) for beside in args.beside}
        print(json.dumps({"waiting": way, "steps_per_s_beside": steps, "times_slower_than_alone": slower}))


if __name__ == "__main__":
    main()
