"""MLO-MAE against a MAE of faces that gets the same labels: does a mask that learns from labels earn more than these?

    python -m benchmarks.mlo_mae --mfcad ../shared/data/mfcad.tar.xz --kept FOLDER

On generated machined parts and on solids of MFCAD. MLO-MAE reads the labels of some training solids while it is
pretrained; then all encoders learn from the labels of these same solids, frozen under a linear layer and fine-tuned,
and are scored on test solids. Each seed is another pretraining and another draw of labelled solids.
"""

import argparse
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from benchmarks.compare import table
from benchmarks.label_policy import parsed
from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.content import FACES
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.splits import read_split
from brep_mae.evaluation.problem import labelled_order, tasks
from brep_mae.fewshot.fewshot import EncoderSource, compare
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.report.tables import interval, percent, points, summarise
from brep_mae.training.loop import train

ARMS = {"scratch": "mae_faces", "mae_faces": "mae_faces", "mlo_mae_faces": "mlo_mae_faces"}
"""Row -> method; `scratch` takes no step."""
HEADS = ("frozen", "finetuned")


class Told(Solids):
    """Solids of which some alone have labels, as far as a pretraining is concerned."""

    labelled: Collection[str] = ()

    def has_label(self, uid: str) -> bool:
        return uid in self.labelled


def pretrained(arm: str, data: Path, labelled: list[str], steps: int, seed: int, work: Path) -> tuple[Any, float]:
    """The network after its training, and the seconds that a step took."""
    params, split = settings.load(), read_split(data / "split.json")
    classes = len(open_shards(data).labels.face_classes)
    values = params.methods[ARMS[arm]] | {"steps": steps, "batch": 32}
    torch.manual_seed(seed)
    pretext = build(ARMS[arm], values, DataSpec(params.parse.grid, 0, classes))
    if arm == "scratch":
        return pretext, 0.0
    learned, held_out = (Told(data, None, split[side], pretext.reads) for side in ("train", "validation"))
    learned.labelled = frozenset(labelled)
    budget = params.pretrain.model_copy(update={"seed": seed, "log_every": steps, "checkpoint_every": steps})
    state, rows = work / f"{data.parent.name}-{arm}-{seed}.pt", list[dict[str, Any]]()
    state.unlink(missing_ok=True)
    train(pretext, learned, held_out, budget, state, rows.append, torch.device("cpu"))
    return pretext, next(row["seconds"] for row in rows if row["split"] == "train") / steps


def scored(name: str, data: Path, count: int, steps: int, seed: int, work: Path) -> list[dict[str, Any]]:
    """Rows of one set and one seed."""
    split, params = read_split(data / "split.json"), settings.load().fewshot.model_copy(update={"shots": [count]})
    order = labelled_order(split["train"], seed)[:count]
    solids = Solids(data, None, [*order, *split["test"]], FACES)
    todo = tasks(len(open_shards(data).labels.face_classes), 0)
    found = []
    for arm in ARMS:
        pretext, seconds = pretrained(arm, data, order, steps, seed, work)
        backbone: FeatureExtractor = pretext.backbone().eval()
        source = EncoderSource(arm, "mae_faces", lambda made=backbone: made)  # type: ignore[misc]
        for row in compare(source, HEADS, seed, todo, solids, order, split["test"], params):
            found.append({**row, "set": name, "step_s": seconds})
            print(name, seed, arm, row["mode"], f"{row['micro']:.4f}", f"{seconds:.3f} s a step", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mfcad", required=True, help="folder or archive of MFCAD")
    parser.add_argument("--kept", type=Path, required=True, help="folder for shards that a next call takes up")
    parser.add_argument("--solids", type=int, default=640, help="of each set")
    parser.add_argument("--labelled", type=int, default=100)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    began, rows = time.perf_counter(), list[dict[str, Any]]()
    for name in ("generated", "mfcad"):
        data = parsed(name, asked.mfcad, asked.solids, asked.kept)
        for seed in range(asked.seeds):
            rows += scored(name, data, asked.labelled, asked.steps, seed, asked.kept)
    score = {(r["set"], r["encoder"], r["mode"], r["seed"]): r["micro"] for r in rows}
    printed = []
    for row in summarise(rows, ("set", "encoder", "mode"), ("micro", "step_s")):
        of, arm, mode = row["set"], row["encoder"], row["mode"]
        gains = [score[of, arm, mode, s] - score[of, "mae_faces", mode, s] for s in range(asked.seeds)]
        line = {"set": of, "encoder": arm, "head": mode, "right faces": percent(row["micro_mean"], row["micro_sd"])}
        line["against mae_faces"] = "" if arm == "mae_faces" else points(interval(gains))
        printed.append(line | {"s a step": row["step_s_mean"]})
    table(f"{asked.labelled} labelled solids, {asked.steps} steps, {time.perf_counter() - began:.0f} s", printed)


if __name__ == "__main__":
    main()
