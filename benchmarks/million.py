"""What grows with the number of solids that are stored: opening, memory, looking one up, training, and the split.

    python -m benchmarks.million
    python -m benchmarks.million --counts 10000 100000 1000000 --kept FOLDER

A solid has 4 to 6 faces and 6 kB, with a label for each, and 2 views of 16 pixels; others have the same under other
uids: a million are 10 GB on disk, which go with the benchmark unless they are kept. Every row is a process of its own.
Memory is what it holds more than before it opened the folder: `own` cannot be taken back, `mapped` are pages of files,
which the system takes back when it needs them. `look-up` is one of 2,000 solids anywhere, by number or by uid, in
processor time, with one of its arrays, or of labels and frames by uid; `first` is the wall time where its shard has not
been met yet. `making` is done once by the parse: the index and the split.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import torch

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.frames import FrameWriter, open_frames
from brep_mae.datasets.labelling.labels import FOLDER, SolidLabels, labels_of, write_labels
from brep_mae.datasets.lazy.index import open_index, write_index
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards, write_shard
from brep_mae.datasets.splits import make_split, own_split, write_split
from brep_mae.training.loop import train
from tests.synthetic import make_frames, make_graph

COUNTS = (10_000, 100_000, 1_000_000)
PER_SHARD, GRID, SAMPLES, ASKED, STEPS = 256, 4, 4, 2000, 100
METHOD, FRAMES, VIEWS, SIZE = "mae_faces", "frames", 2, 16


def make(folder: Path, count: int) -> None:
    """Shards of copies."""
    folder.mkdir(parents=True, exist_ok=True)
    template, graphs = folder / "template", [make_graph(4 + i % 3, i, GRID, SAMPLES) for i in range(PER_SHARD)]
    write_shard(template, graphs)
    batch = pa.ipc.open_file(pa.memory_map(str(template))).get_batch(0)
    keys = np.random.default_rng(0).permutation(np.arange(count, dtype=np.uint64) * np.uint64(2**63 // count))
    for shard, first in enumerate(range(0, count, PER_SHARD)):
        own = keys[first : first + PER_SHARD]
        columns = dict(zip(batch.schema.names, (column.slice(0, len(own)) for column in batch.columns), strict=True))
        columns["uid"] = pa.array([f"{key:016x}#0" for key in own])
        columns["file"] = pa.array([f"parts/{shard:05d}/{i:03d}.step" for i in range(len(own))])
        copies = pa.record_batch(list(columns.values()), schema=batch.schema)
        with (
            pa.OSFile(str(folder / f"{shard:05d}.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, copies.schema) as writer,
        ):
            writer.write_batch(copies)
    template.unlink()
    drawn = make_frames([graph.n_faces for graph in graphs], VIEWS, SIZE)
    images, faces = (drawn.image.permute(0, 1, 3, 4, 2) * 255).byte().numpy(), drawn.face.numpy().astype(np.int16)
    labels = [SolidLabels(graph.face_label, graph.part_label) for graph in graphs]
    with FrameWriter(folder / FRAMES, VIEWS, SIZE) as writer:
        for i, key in enumerate(keys):
            writer.add(f"{key:016x}#0", images[i % PER_SHARD], faces[i % PER_SHARD])
    labelled = {f"{key:016x}#0": labels[i % PER_SHARD] for i, key in enumerate(keys)}
    write_labels(folder / FOLDER, ("a", "b", "c"), ("p", "q"), labelled, {})
    began = time.perf_counter()
    write_index(folder)
    index = open_index(folder)
    split = make_split(dict(zip(index.uids, index.files, strict=True)), 0.1, 0.1)
    write_split(folder / "split.parquet", split)
    (folder / "made.json").write_text(json.dumps(time.perf_counter() - began))


def _memory() -> tuple[float, float]:
    """MB of this process: its own, and pages of files."""
    held = psutil.Process().memory_info()
    return (held.rss - held.shared) / 2**20, held.shared / 2**20


def _per(count: int, clock: Callable[[], float], work: Callable[[], object]) -> float:
    """Microseconds a piece."""
    began = clock()
    work()
    return 1e6 * (clock() - began) / count


def opened(folder: Path) -> dict[str, float]:
    """Opening as a training does, and 100 steps of it."""
    torch.set_num_threads(1)
    params = settings.load()
    pretext = build(METHOD, params.methods[METHOD] | {"steps": STEPS}, DataSpec(GRID, 64))
    open_index(folder)  # whatever is loaded at first use is loaded
    open_index.__globals__["_mapped"].cache_clear()
    own, mapped = _memory()
    began, used = time.perf_counter(), time.process_time()
    sides = own_split(folder / "split.parquet", open_index(folder))
    data, held = (Solids(folder, None, sides[side], pretext.reads) for side in ("train", "validation"))
    seconds, used = time.perf_counter() - began, time.process_time() - used
    after = _memory()
    budget = params.pretrain.model_copy(update={"log_every": STEPS, "checkpoint_every": STEPS})
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as work:
        train(pretext, data, held, budget, Path(work) / "state", rows.append, torch.device("cpu"))
    trained = _memory()
    return {
        "open, s": seconds,
        "of it busy, s": used,
        "own, MB": after[0] - own,
        "mapped, MB": after[1] - mapped,
        "step, ms": 1000 * float(rows[0]["seconds"]) / STEPS,
        "trained: own, MB": trained[0] - own,
        "trained: mapped, MB": trained[1] - mapped,
    }


def looked_up(folder: Path) -> dict[str, float]:
    shards = open_shards(folder)
    places = np.random.default_rng(0).integers(len(shards), size=ASKED).tolist()
    uids = [shards.uids[i] for i in places]
    first = _per(ASKED, time.perf_counter, lambda: [shards[i].face_grid for i in places])
    again = min(_per(ASKED, time.process_time, lambda: [shards[i].face_grid for i in places]) for _ in range(5))
    by_uid = min(
        _per(ASKED, time.process_time, lambda: [shards.with_uid(uid).face_grid for uid in uids]) for _ in range(5)
    )
    return {"look-up, us": again, "by uid, us": by_uid, "first, us": first}


def _by_uid(
    what: str, folder: Path, open_it: Callable[[], Any], look_up: Callable[[Any, str], object]
) -> dict[str, float]:
    """Opening labels or frames, and one of them by its uid."""
    index = open_index(folder)
    uids = [index.uids[i] for i in np.random.default_rng(0).integers(len(index), size=ASKED).tolist()]
    (own, mapped), used = _memory(), time.process_time()
    opened = open_it()
    look_up(opened, uids[0])
    used = time.process_time() - used
    look_ups = [_per(ASKED, time.process_time, lambda: [look_up(opened, uid) for uid in uids]) for _ in range(5)]
    pa.default_memory_pool().release_unused()
    after = _memory()
    return {
        f"{what}: open, busy s": used,
        f"{what}: own, MB": after[0] - own,
        f"{what}: mapped, MB": after[1] - mapped,
        f"{what}: look-up, us": min(look_ups),
    }


def labels(folder: Path) -> dict[str, float]:
    return _by_uid("labels", folder, lambda: labels_of(folder).solids, lambda solids, uid: solids[uid])


def frames(folder: Path) -> dict[str, float]:
    return _by_uid("frames", folder, lambda: open_frames(folder / FRAMES), lambda store, uid: store.blocks(uid))


ROWS: dict[str, Callable[[Path], dict[str, float]]] = {
    "opened": opened,
    "looked_up": looked_up,
    "labels": labels,
    "frames": frames,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--kept", type=Path, help="folder in which the solids stay")
    parser.add_argument("--row", nargs=2, metavar=("WHAT", "FOLDER"), help="One measurement, as JSON.")
    args = parser.parse_args()
    if args.row:
        print(json.dumps(ROWS[args.row[0]](Path(args.row[1]))))
        return
    for number, count in enumerate(args.counts):
        with tempfile.TemporaryDirectory() as made:
            folder = (args.kept or Path(made)) / str(count)
            if not (folder / "made.json").exists():
                make(folder, count)
            found = {"making, s": json.loads((folder / "made.json").read_text())}
            for what in ROWS:
                command = [sys.executable, "-W", "ignore", "-m", "benchmarks.million", "--row", what, str(folder)]
                out = subprocess.run(command, capture_output=True, text=True, check=True)
                found |= json.loads(out.stdout.splitlines()[-1])
        if not number:
            print("| solids | " + " | ".join(found) + " |\n|---|" + "---|" * len(found))
        print(
            f"| {count:,} | " + " | ".join(f"{value:.{2 if value < 10 else 0}f}" for value in found.values()) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
