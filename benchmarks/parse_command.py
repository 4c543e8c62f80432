"""`brep-mae parse`, as it is typed, beside bare reading and beside itself on a Ray cluster.

    python -m benchmarks.parse_command --files FOLDER                    one worker beside bare reading
    python -m benchmarks.parse_command --files FOLDER --cluster          two workers, here and as two nodes of a cluster

Start-up is taken off: a command's time is that on all files less that on a few of them, which is one, or with --cluster
a shard for each node, so that both have started. What runs beside each other takes turns. With --cluster the bytes of
both are compared as well, and the processor time of all their processes, those of Ray among them, since a busy machine
tells nothing by its clock.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_Controller

from benchmarks.compare import spread, table
from benchmarks.parse import bare_read
from brep_mae.brep.read.step import silence
from brep_mae.ingest.chunks import FILES_PER_SHARD

OPTIONS = ("--field-pool", "64", "--field-samples", "8")
LOOK_S = 0.1


def linked(files: list[Path], folder: Path) -> Path:
    folder.mkdir()
    for path in files:
        (folder / path.name).symlink_to(path.resolve())
    return folder


def bare_seconds(files: list[Path]) -> float:
    begun = time.perf_counter()
    for path in files:
        bare_read(path)
    return time.perf_counter() - begun


def parse_seconds(parts: Path, out: Path, *arguments: str) -> tuple[float, float]:
    """By the clock, and of all processors."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "brep_mae", "parse", str(parts), "--out", str(out), *OPTIONS, *arguments]
    with processor_seconds() as spent:
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.perf_counter() - begun, sum(spent.values())


@contextmanager
def processor_seconds() -> Iterator[dict[psutil.Process, float]]:
    """Of every process below this one, looked at now and then: the last moments of one that ends are missed."""
    before: dict[psutil.Process, float] = {}
    spent: dict[psutil.Process, float] = {}
    ended = threading.Event()

    def look() -> None:
        first = True
        while first or not ended.wait(LOOK_S):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    seconds = sum(process.cpu_times()[:2])
                    before.setdefault(process, seconds if first else 0.0)
                    spent[process] = seconds - before[process]
            first = False

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield spent
    finally:
        ended.set()
        looking.join()


@contextmanager
def two_nodes() -> Iterator[str]:
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


def beside_bare(files: list[Path], scratch: Path, repeats: int) -> None:
    """One worker."""
    every, one = linked(files, scratch / "every"), linked(files[:1], scratch / "one")
    silence()
    STEPControl_Controller.Init_s()
    Interface_Static.SetCVal_s("xstep.cascade.unit", "MM")
    bare_read(files[0])
    rows = []
    for repeat in range(repeats):
        bare = bare_seconds(files[1:])
        whole, start = (parse_seconds(of, scratch / f"{of.name}{repeat}", "--workers", "1")[0] for of in (every, one))
        rows.append(_row(len(files) - 1, {"bare": bare, "parse": whole - start}, {"start s": start}))
    _tell("one worker, start-up taken off", rows)


def beside_itself(files: list[Path], scratch: Path, repeats: int) -> None:
    """Two workers, here and on two nodes."""
    few = 2 * FILES_PER_SHARD
    folders = {"few": linked(files[:few], scratch / "few"), "every": linked(files, scratch / "every")}
    rows = []
    with two_nodes() as address:
        ways = {"here": ("--workers", "2"), "cluster": ("--workers", "1", "--cluster", address)}
        for repeat in range(repeats):
            taken = {}
            for way, arguments in list(ways.items())[:: 1 if repeat % 2 == 0 else -1]:
                start, whole = (
                    np.array(parse_seconds(parts, scratch / f"{way} {name} {repeat}", *arguments))
                    for name, parts in folders.items()
                )
                taken[way] = whole - start
            here, cluster = (_bytes(scratch / f"{way} every {repeat}") for way in ways)
            ours, theirs = (float(taken[way][1]) for way in ways)
            more = {"processor time, here / cluster": ours / theirs, "same bytes": str(here == cluster)}
            rows.append(_row(len(files) - few, {way: float(taken[way][0]) for way in ways}, more))
    _tell("two workers, here and as two nodes of a Ray cluster, start-up taken off", rows)


def _row(files: int, seconds: dict[str, float], more: dict[str, object]) -> dict[str, object]:
    below, above = seconds
    rates = {f"{way} files/s": files / taken for way, taken in seconds.items()}
    return {**rates, f"{above} / {below}": seconds[below] / seconds[above], **more}


def _bytes(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def _tell(title: str, rows: list[dict[str, object]]) -> None:
    table(title, rows)
    for name in (name for name in rows[0] if " / " in name):
        print(f"median of {name}: {np.median([row[name] for row in rows]):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, required=True, help="folder with STEP files")
    parser.add_argument("--count", type=int, default=1200, help="files of it, spread over all")
    parser.add_argument("--cluster", action="store_true", help="two workers, here and on a cluster")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    files = spread(sorted(args.files.rglob("*.st*p")), args.count)
    with tempfile.TemporaryDirectory() as scratch:
        (beside_itself if args.cluster else beside_bare)(files, Path(scratch), args.repeats)


if __name__ == "__main__":
    main()
