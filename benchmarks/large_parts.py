"""Time and memory of large solids: from a STEP file and from the kernel's solid to the record, to triangles, from the
stored record to invariants, to a batch, to the output of each encoder, and a step of training.

Every row is a process of its own, which tells its processor time and how much its peak rose above what it held before.
Growth is the ratio of times over the ratio of faces, from the smallest size on: 1 is linear. The baseline is the table
that the numbers were once read from: all faces' tangent planes by all points of the solid, and
the power of a matrix of faces by faces.

    python -m benchmarks.large_parts
    python -m benchmarks.large_parts --sizes 206 3206 --methods mae_faces --parts invariants
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.from_graph import from_graph
from brep_mae.features.invariants import _cloud, invariants
from brep_mae.models.extractors.hops import Hops
from brep_mae.schema import POINT, FaceGraph
from brep_mae.seeds import generator
from tests.plates import plate
from tests.synthetic import make_frames, make_graph

SIZES = (206, 806, 3206, 12_800)
PARTS = ("dense", "file", "measured", "drawn", "invariants", "reading")
METHODS = ("hops", "mae_faces", "attribute_masking", "hybrid_pure", "hybrid", "m3ae")
TRAINED = " trained"
"""After the name of a method: a step forth and back, the second one, where its own name alone is its encoder."""
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
    before, began = _status("VmRSS") / 1024, time.process_time()
    work()
    return time.process_time() - began, peak_mb() - before


def row(shape: str, n_faces: int, what: str) -> tuple[float, float]:
    torch.set_num_threads(1)
    from_graph(SHAPES[shape](206))  # whatever is loaded at first use is loaded
    if what in ("file", "measured", "drawn"):
        return of_kernel(n_faces, what)
    graph = SHAPES[shape](n_faces)
    tables: dict[str, Callable[[], object]] = {
        "dense": lambda: dense(graph),
        "invariants": lambda: invariants(graph),
        "reading": lambda: from_graph(graph),
    }
    if what in tables:
        return measured(tables[what])
    name = what.removesuffix(TRAINED)
    frames = make_frames([n_faces], 1, FRAME) if name == "m3ae" else None
    batch = Batch((graph.uid,), from_graph(graph), frames, (graph,))
    if name == "hops":
        return measured(lambda: Hops()(batch))
    method = build(name, settings.load().methods[name], DataSpec(GRID, FRAME))
    if what != name:
        method(batch, generator(0))["loss"].backward()
        return measured(lambda: method(batch, generator(0))["loss"].backward())
    with torch.no_grad():
        return measured(lambda: method.backbone().eval()(batch))


def of_kernel(n_faces: int, what: str) -> tuple[float, float]:
    """A plate as the kernel has it, of the number of faces or a few more."""
    from benchmarks.plates import plate_of_holes, write_plate
    from brep_mae.brep.graph.file_graphs import file_graphs
    from brep_mae.brep.render.mesh import tessellate
    from brep_mae.brep.sampling import Sampling
    from brep_mae.brep.solid.placing import MeasuredSolids

    sampling = Sampling(grid=GRID, field_pool=600, field_samples=64, curvature=False, split_closed=False)

    def work(rows: int, folder: Path) -> Callable[[], object]:
        if what == "file":
            path = write_plate(folder, rows)
            return lambda: file_graphs(path, "key", path.name, sampling)
        solid = plate_of_holes(rows)
        if what == "drawn":
            return lambda: tessellate(solid, 0.25 / FRAME)
        return lambda: MeasuredSolids(sampling).of(solid, "plate")

    with TemporaryDirectory() as folder:
        work(3, Path(folder))()
        return measured(work(math.ceil(math.sqrt(n_faces - 6)), Path(folder)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--shape", choices=SHAPES, default="plate")
    parser.add_argument("--row", nargs=2, metavar=("FACES", "WHAT"), help="One measurement, as JSON.")
    args = parser.parse_args()
    if args.row:
        print(json.dumps(row(args.shape, int(args.row[0]), args.row[1])))
        return
    print(f"{'':>25} {'faces':>6} {'seconds':>8} {'MB':>7} {'growth':>7}")
    trained = [name + TRAINED for name in args.methods if name != "hops"]
    for what in (*args.parts, *args.methods, *trained):
        first: tuple[int, float] | None = None
        for faces in args.sizes:
            if what == "dense" and faces > DENSE:
                continue
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.large_parts", "--shape", args.shape]
            out = subprocess.run([*command, "--row", str(faces), what], capture_output=True, text=True, check=True)
            seconds, megabytes = json.loads(out.stdout.splitlines()[-1])  # after what the kernel says
            first = first or (faces, seconds)
            growth = seconds / first[1] / (faces / first[0])
            print(f"{what:>25} {faces:6} {seconds:8.3f} {megabytes:7.0f} {growth:7.2f}", flush=True)


if __name__ == "__main__":
    main()
