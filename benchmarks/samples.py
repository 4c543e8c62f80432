"""Milliseconds of processor time that a sample costs, from the shard to the batch: all content of a solid against what
a method reads.

    python -m benchmarks.samples
    python -m benchmarks.samples --shards data/parsed --count 500

Solids are read once, so that no tensor is there already, and everything takes turns with what is asked for; a round's
figure is its least. Without shards the solids are made of numbers, as many faces each as an MFCAD part has.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.content import FACES
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards, write_shard
from tests.synthetic import make_graph

METHODS = ("mae_faces", "hybrid", "attribute_masking", "hybrid_pure")
BATCH, ROUNDS = 16, 5
FEWEST, MOST = 10, 40
"""Faces of the solids that are made."""


def milliseconds(shards: Path, uids: Sequence[str], reads: frozenset[str]) -> float:
    """Per sample, of solids that nobody has read."""
    solids = Solids(shards, None, uids, reads)
    began = time.process_time()
    for _ in solids.in_order(BATCH):
        pass
    return 1000 * (time.process_time() - began) / len(uids)


def make(folder: Path, count: int, grid: int, samples: int) -> None:
    span = MOST - FEWEST + 1
    write_shard(folder / "00000.arrow", [make_graph(FEWEST + i % span, i, grid, samples) for i in range(count)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, help="folder that the parse stage wrote")
    parser.add_argument("--count", type=int, default=200, help="solids")
    args = parser.parse_args()
    torch.set_num_threads(1)
    params = settings.load()
    with tempfile.TemporaryDirectory() as made:
        shards = args.shards or Path(made)
        if args.shards is None:
            make(shards, args.count, params.parse.grid, params.parse.field_samples)
        uids = open_shards(shards).uids[: args.count]
        asked = {"everything": FACES}
        for method in METHODS:
            asked[method] = build(method, params.methods[method], DataSpec(params.parse.grid, 64)).reads
        rounds = [{name: milliseconds(shards, uids, reads) for name, reads in asked.items()} for _ in range(ROUNDS)]
    least = {name: min(each[name] for each in rounds) for name in asked}
    print("| content | ms a sample | everything / this |\n|---|---|---|")
    for name, ms in least.items():
        print(f"| {name} | {ms:.2f} | {least['everything'] / ms:.1f} |")


if __name__ == "__main__":
    main()
