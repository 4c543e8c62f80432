"""What parsing and training give on fixed inputs, in numbers few enough to be kept: see `test_golden`.

python -m tests.golden.measured              records everything in values.json, minutes
python -m tests.golden.measured --digests    prints a SHA-256 over every byte instead, to compare two versions
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.generate.generate import generate
from brep_mae.plugins import METHODS, known
from brep_mae.schema import FaceGraph
from brep_mae.settings import PretrainParams
from brep_mae.training.loop import train
from tests.contracts.test_methods import small
from tests.double import Double
from tests.stored import solids, store

VALUES = Path(__file__).parent / "values.json"
SHARED = Path(__file__).parents[3] / "shared" / "data"
KINDS = ("letters", "machined", "milled", "modelled")
SAMPLING = Sampling(8, 256, 32, True, False)
STEPS, EVERY = 50, 10

Sums = dict[str, list[float]]


def summed(graphs: Iterable[FaceGraph]) -> Sums:
    """Of every array of the records: entries, sum, sum of sizes, and a sum that depends on the order."""
    total: Sums = {}
    for graph in graphs:
        for name, array in _arrays(graph):
            flat = array.astype(np.float64).ravel()
            weights = np.cos(np.arange(flat.size))
            sums = [flat.size, flat.sum(), np.abs(flat).sum(), flat @ weights]
            total[name] = [a + float(b) for a, b in zip(total.get(name, [0.0] * 4), sums, strict=True)]
    return total


def digest(graphs: Iterable[FaceGraph]) -> str:
    """SHA-256 over names, types and bytes of every array."""
    total = hashlib.sha256()
    for graph in graphs:
        total.update(graph.uid.encode())
        for name, array in _arrays(graph):
            total.update(f"{name} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _arrays(graph: FaceGraph) -> Iterator[tuple[str, np.ndarray]]:
    for field in fields(graph):
        value = getattr(graph, field.name)
        if isinstance(value, np.ndarray):
            yield field.name, value


def parsed(files: Iterable[Path]) -> Iterator[FaceGraph]:
    """Every solid of the files."""
    for file in files:
        for entry in file_graphs(file, file.stem, file.name, SAMPLING):
            if not isinstance(entry, Reject):
                yield entry


def generated(kind: str, count: int, folder: Path) -> list[Path]:
    """STEP files of the first parts of a kind."""
    generate(folder, kind, count, seed=0)
    return sorted((folder / "step").glob("*.step"))


def losses(method: str, folder: Path) -> list[dict[str, float | str]]:
    """The history of a short training on synthetic solids: a row every EVERY steps, trained and held out. In double
    precision: in single precision 50 steps make 1e-6 of what two processors round differently."""
    uids, usual = store(folder), torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(0)
        pretext = small(method, steps=STEPS, batch=4).double()
        numbers = {"seed": 3, "weight_decay": 0.05, "clip_norm": 1.0, "warmup": 0.2}
        params = PretrainParams(**numbers, log_every=EVERY, checkpoint_every=STEPS)
        data, held = (Double(solids(folder, some, *pretext.reads)) for some in (uids[:12], uids[12:]))
        return train(pretext, data, held, params, folder / "state.pt", lambda row: None, torch.device("cpu"))
    finally:
        torch.set_default_dtype(usual)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digests", action="store_true")
    parser.add_argument("--mfcad", type=Path, help="folder of MFCAD's STEP files, for the digests")
    parser.add_argument("--count", type=int, default=100, help="generated parts of each kind, for the digests")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if args.digests:
            _print_digests(Path(folder), args.mfcad, args.count)
            return
        values = {
            "generated": {k: summed(parsed(generated(k, FEW, Path(folder) / k))) for k in KINDS},
            "losses": {name: losses(name, Path(folder) / f"l_{name}") for name in known(METHODS)},
        }
    VALUES.write_text(json.dumps(values, indent=1) + "\n")


FEW = 6


def _print_digests(folder: Path, mfcad: Path | None, count: int) -> None:
    for kind in KINDS:
        print(kind, digest(parsed(generated(kind, count, folder / kind))), flush=True)
    print("step_samples", digest(parsed(sorted((SHARED / "step_samples").glob("*.st*p")))), flush=True)
    if mfcad is not None:
        print("mfcad", digest(parsed(sorted(mfcad.rglob("*.st*p"))[:2000])), flush=True)
    for name in known(METHODS):
        history = json.dumps(losses(name, folder / f"l_{name}"))
        print(name, hashlib.sha256(history.encode()).hexdigest(), flush=True)


if __name__ == "__main__":
    main()
