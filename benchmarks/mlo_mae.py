"""MLO-MAE against an MAE that gets the same labels: does a mask that learns from labels earn more than these?

    python -m benchmarks.mlo_mae --mfcad ../shared/data/mfcad.tar.xz --cifar10 ../shared/data/cifar10.tar --kept FOLDER

On faces of generated machined and modelled parts and of MFCAD, and on images of CIFAR-10. MLO-MAE reads the labels of
some training samples while it is pretrained; then all encoders learn from the labels of these same samples, frozen
under a linear layer and fine-tuned, and are scored on test samples. Each seed is another pretraining and another draw
of labelled samples.
"""

import argparse
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.compare import table
from benchmarks.label_policy import parsed
from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.content import FACES
from brep_mae.datasets.images import Images, store_images
from brep_mae.datasets.loader import Samples, Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.splits import read_split
from brep_mae.evaluation.problem import labelled_order, tasks
from brep_mae.fewshot.fewshot import EncoderSource, compare
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.report.tables import interval, percent, points, summarise
from brep_mae.training.loop import train

SETS = ("generated", "mfcad", "modelled", "cifar10")
ARMS: dict[str, tuple[str, dict[str, float]]] = {
    "scratch": ("mae", {}),
    "mae": ("mae", {}),
    "fixed_mask": ("mlo_mae", {"mask_lr": 1e-12}),
    "mlo_mae": ("mlo_mae", {}),
}
"""Row -> method and changed numbers. `scratch` takes no step. The masking network of `fixed_mask` stays as it was
drawn: what it gains is not owed to labels."""
HEADS = ("frozen", "finetuned")
IMAGE, PATCH = 32, 4


@dataclass(frozen=True)
class Learned:
    """What is learned from, and how.

    Args:
        kind: of samples, as the names of methods end: "faces" or "images".
        samples: (content that is read, sides of the split) -> samples.
        labelled, steps, batch: labelled samples; steps of a pretraining, and samples in each.
        reads: content that the labelled samples are learned from with.
        changed: numbers of both methods other than those of params.yaml.
    """

    name: str
    kind: str
    samples: Callable[..., Samples]
    spec: DataSpec
    labelled: int
    steps: int
    batch: int
    reads: frozenset[str]
    changed: dict[str, Any] = field(default_factory=dict)


def of_solids(name: str, asked: argparse.Namespace) -> Learned:
    data = parsed(name, asked.mfcad, asked.solids, asked.kept)
    split, classes = read_split(data / "split.parquet"), len(open_shards(data).labels.face_classes)

    def samples(reads: frozenset[str], *sides: str) -> Samples:
        return Solids(data, None, [uid for side in sides for uid in split[side]], reads)

    spec = DataSpec(settings.load().parse.grid, 0, classes)
    return Learned(name, "faces", samples, spec, asked.labelled, asked.steps, 32, FACES)


def of_images(name: str, asked: argparse.Namespace) -> Learned:
    store = store_images(Path(asked.cifar10), IMAGE, asked.images, 0.05, 0.2, asked.kept)

    def samples(reads: frozenset[str], *sides: str) -> Samples:
        return Images(store, *sides, read=reads)

    spec = DataSpec(0, IMAGE, 0, len(Images(store).about.classes))
    reads, changed = frozenset({"frames", "faces"}), {"patch": PATCH}
    return Learned(name, "images", samples, spec, asked.labelled_images, asked.image_steps, 64, reads, changed)


def told(samples: Samples, labelled: Collection[str]) -> Samples:
    """The samples, of which those alone have labels as far as a pretraining is concerned."""
    samples.labelled = lambda uids: np.array([uid in labelled for uid in uids])  # type: ignore[method-assign]
    return samples


def pretrained(arm: str, of: Learned, labelled: list[str], seed: int, work: Path) -> tuple[Any, float]:
    """The network after its training, and the seconds that a step took."""
    params, (kind, changed) = settings.load(), ARMS[arm]
    method = f"{kind}_{of.kind}"
    values = params.methods[method] | {"steps": of.steps, "batch": of.batch} | of.changed | changed
    torch.manual_seed(seed)
    pretext = build(method, values, of.spec)
    if arm == "scratch":
        return pretext, 0.0
    learned, held_out = (of.samples(pretext.reads, side) for side in ("train", "validation"))
    once = {"seed": seed, "log_every": of.steps, "checkpoint_every": of.steps}
    state, rows = work / f"{of.name}-{arm}-{seed}.pt", list[dict[str, Any]]()
    state.unlink(missing_ok=True)
    budget, cpu = params.pretrain.model_copy(update=once), torch.device("cpu")
    train(pretext, told(learned, set(labelled)), held_out, budget, state, rows.append, cpu)
    return pretext, next(row["seconds"] for row in rows if row["split"] == "train") / of.steps


def scored(of: Learned, seed: int, work: Path) -> list[dict[str, Any]]:
    """Rows of one set and one seed."""
    params = settings.load().fewshot.model_copy(update={"shots": [of.labelled]})
    data, test = of.samples(of.reads, "train", "test"), list(of.samples(of.reads, "test").uids)
    order = labelled_order(list(of.samples(of.reads, "train").uids), seed)[: of.labelled]
    todo = tasks(of.spec.face_classes, of.spec.part_classes)
    found = []
    for arm in ARMS:
        pretext, seconds = pretrained(arm, of, order, seed, work)
        backbone: FeatureExtractor = pretext.backbone().eval()
        source = EncoderSource(arm, "mae", lambda made=backbone: made)  # type: ignore[misc]
        for row in compare(source, HEADS, seed, todo, data, order, test, params):
            found.append({**row, "set": of.name, "step_s": seconds})
            print(of.name, seed, arm, row["mode"], f"{row['micro']:.4f}", f"{seconds:.3f} s a step", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--mfcad", default="", help="folder or archive of MFCAD")
    parser.add_argument("--cifar10", default="", help="folder or archive of images, a subfolder per class")
    parser.add_argument("--kept", type=Path, required=True, help="folder for shards that a next call takes up")
    parser.add_argument("--solids", type=int, default=640, help="of each set")
    parser.add_argument("--labelled", type=int, default=100, help="solids")
    parser.add_argument("--steps", type=int, default=300, help="of 32 solids")
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--labelled-images", type=int, default=1000)
    parser.add_argument("--image-steps", type=int, default=600, help="of 64 images")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    began, rows = time.perf_counter(), list[dict[str, Any]]()
    for name in asked.sets:
        of = (of_images if name == "cifar10" else of_solids)(name, asked)
        for seed in range(asked.seeds):
            rows += scored(of, seed, asked.kept)
    score = {(r["set"], r["encoder"], r["mode"], r["seed"]): r["micro"] for r in rows}
    cost = {(r["set"], r["encoder"], r["seed"]): r["step_s"] for r in rows}
    printed = []
    for row in summarise(rows, ("set", "encoder", "mode"), ("micro",)):
        name, arm, mode = row["set"], row["encoder"], row["mode"]
        line = {"set": name, "encoder": arm, "head": mode, "right": percent(row["micro_mean"], row["micro_sd"])}
        gains = [score[name, arm, mode, s] - score[name, "mae", mode, s] for s in range(asked.seeds)]
        dearer = [cost[name, arm, s] / cost[name, "mae", s] for s in range(asked.seeds)]
        line["points above mae"] = "" if arm == "mae" else points(interval(gains))
        printed.append(line | {"cost of a step": " ".join(f"{ratio:.2f}" for ratio in dearer)})
    table(f"{', '.join(asked.sets)}: {time.perf_counter() - began:.0f} s", printed)


if __name__ == "__main__":
    main()
