"""`brep-mae parse`, as it is typed, beside bare reading and beside itself on a Ray cluster.

    python -m benchmarks.parse_command --files FOLDER                    one worker beside bare reading
    python -m benchmarks.parse_command --files FOLDER --cluster          two workers, here and as two nodes of a cluster

Start-up is taken off: a command's time is that on all files less that on one of them. What runs beside each other takes
turns. With --cluster the bytes of both are compared as well.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_Controller

from benchmarks.compare import spread, table
from benchmarks.parse import bare_read
from brep_mae.brep.read.step import silence

OPTIONS = ("--field-pool", "64", "--field-samples", "8")


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


def parse_seconds(parts: Path, out: Path, *arguments: str) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "brep_mae", "parse", str(parts), "--out", str(out), *OPTIONS, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.perf_counter() - begun


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
        whole, start = (parse_seconds(of, scratch / f"{of.name}{repeat}", "--workers", "1") for of in (every, one))
        rows.append(_row(len(files) - 1, {"bare": bare, "parse": whole - start}, {"start s": start}))
    _tell("one worker, start-up taken off", rows)


def beside_itself(files: list[Path], scratch: Path, repeats: int) -> None:
    """Two workers, here and on two nodes."""
    every, one = linked(files, scratch / "every"), linked(files[:1], scratch / "one")
    rows = []
    with two_nodes() as address:
        ways = {"here": ("--workers", "2"), "cluster": ("--workers", "1", "--cluster", address)}
        for repeat in range(repeats):
            taken, starts = {}, {}
            for way, arguments in list(ways.items())[:: 1 if repeat % 2 == 0 else -1]:
                out = scratch / f"{way}{repeat}"
                starts[f"start {way} s"] = parse_seconds(one, scratch / f"one {out.name}", *arguments)
                taken[way] = parse_seconds(every, out, *arguments) - starts[f"start {way} s"]
            same = _bytes(scratch / f"here{repeat}") == _bytes(scratch / f"cluster{repeat}")
            rows.append(_row(len(files) - 1, {way: taken[way] for way in ways}, {**starts, "same bytes": str(same)}))
    _tell("two workers, here and as two nodes of a Ray cluster, start-up taken off", rows)


def _row(files: int, seconds: dict[str, float], more: dict[str, object]) -> dict[str, object]:
    below, above = seconds
    rates = {f"{way} files/s": files / taken for way, taken in seconds.items()}
    return {**rates, f"{above} / {below}": seconds[below] / seconds[above], **more}


def _bytes(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def _tell(title: str, rows: list[dict[str, object]]) -> None:
    table(title, rows)
    (name,) = (name for name in rows[0] if " / " in name)
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
