"""Time and memory of reading large solids, from the stored record to the output of each encoder.

Every row is a process of its own, which tells how much its peak rose above what it held before. Growth is the ratio of
times over the ratio of faces, from one size to the next: 1 is linear. The baseline is the table that the numbers were
once read from: all faces' tangent planes by all points of the solid, and the power of a matrix of faces by faces.

    python -m benchmarks.large_parts
    python -m benchmarks.large_parts --sizes 206 3206 12800 --methods mae_faces
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.from_graph import from_graph
from brep_mae.features.invariants import _cloud
from brep_mae.models.extractors.hops import Hops
from brep_mae.schema import POINT, FaceGraph
from tests.plates import plate
from tests.synthetic import make_frames, make_graph

SIZES = (206, 806, 1006, 2006, 3206, 10_000)
METHODS = ("hops", "mae_faces", "attribute_masking", "hybrid_pure", "m3ae")
GRID, FRAME = 8, 64
DENSE = 3206
"""Faces up to which the baseline fits into memory."""
SHAPES: dict[str, Callable[[int], FaceGraph]] = {
    "plate": lambda n: plate(n, grid=GRID),
    "ring": lambda n: make_graph(n, grid=GRID),
}


def peak_mb() -> float:
    return _status("VmHWM") / 1024


def _status(key: str) -> int:
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key))


def dense(graph: FaceGraph) -> None:
    """The tables themselves, without what was then read from them."""
    points = (graph.face_grid[..., POINT]).reshape(graph.n_faces, -1, 3).astype(float)
    (graph.face_axes[:, 2] @ _cloud(graph, points, 1.0).T).max(1)
    adjacency = np.zeros((graph.n_faces, graph.n_faces), np.float32)
    np.add.at(adjacency, tuple(graph.arc_index), 1.0)
    np.linalg.matrix_power(adjacency / np.maximum(adjacency.sum(1), 1.0)[:, None], 8)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and how many MB the peak rose."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before, began = _status("VmRSS") / 1024, time.perf_counter()
    work()
    return time.perf_counter() - began, peak_mb() - before


def row(shape: str, n_faces: int, what: str) -> tuple[float, float]:
    torch.set_num_threads(1)
    from_graph(SHAPES[shape](20))  # whatever is loaded at first use is loaded
    graph = SHAPES[shape](n_faces)
    if what == "dense":
        return measured(lambda: dense(graph))
    if what == "reading":
        return measured(lambda: from_graph(graph))
    batch = Batch((graph.uid,), from_graph(graph), make_frames([n_faces], 1, FRAME) if what == "m3ae" else None)
    backbone = (
        Hops() if what == "hops" else build(what, settings.load().methods[what], DataSpec(GRID, FRAME)).backbone()
    )
    with torch.no_grad():
        return measured(lambda: backbone.eval()(batch))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--shape", choices=SHAPES, default="plate")
    parser.add_argument("--row", nargs=2, metavar=("FACES", "WHAT"), help="One measurement, as JSON.")
    args = parser.parse_args()
    if args.row:
        print(json.dumps(row(args.shape, int(args.row[0]), args.row[1])))
        return
    print(f"{'':>20} {'faces':>6} {'seconds':>8} {'MB':>7} {'growth':>7}")
    for what in ("dense", "reading", *args.methods):
        last: tuple[int, float] | None = None
        for faces in args.sizes:
            if what == "dense" and faces > DENSE:
                continue
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.large_parts", "--shape", args.shape]
            out = subprocess.run([*command, "--row", str(faces), what], capture_output=True, text=True, check=True)
            seconds, megabytes = json.loads(out.stdout)
            growth = "" if last is None else f"{seconds / last[1] / (faces / last[0]):.2f}"
            print(f"{what:>20} {faces:6} {seconds:8.3f} {megabytes:7.0f} {growth:>7}", flush=True)
            last = faces, seconds


if __name__ == "__main__":
    main()
