"""Stage `continual`: face classes as a sequence of tasks, on supermasks and on the baselines -> results/continual."""

import json
from typing import Any

import numpy as np
import torch

from brep_mae import settings
from brep_mae.checkpoints.backbones import WEIGHTS, load_backbone, new_backbone
from brep_mae.continual.class_tasks import TaskFeatures, class_groups, face_tasks
from brep_mae.models.embed import readable
from brep_mae.output.folder import output_folder
from brep_mae.output.note import sha256
from brep_mae.pretraining.unfinished import unfinished
from brep_mae.schema import UNLABELLED
from brep_mae.tracking import tracking
from pipelines.shared.jobs import Rows, run_jobs
from pipelines.shared.params import load
from pipelines.shared.parsed_dataset import parsed_dataset
from pipelines.shared.places import LABELS, MODELS, RESULTS
from pipelines.shared.stage import run_stage
from pipelines.studies.continual.learn import BASELINES, SUPERMASKS, Learner, learn


def row_of(mode: Learner, seed: int) -> Rows:
    """The row of one mode and seed."""
    params, data = settings.load(), parsed_dataset(labels=LABELS)
    p = params.continual
    folder = MODELS / p.encoder
    torch.manual_seed(seed)
    backbone = load_backbone(folder) if p.base == "pretrained" else new_backbone(folder)
    sides = {side: data.solids(readable(backbone), side) for side in ("train", "validation", "test")}
    sides["train"] = train = sides["train"].first(p.solids)
    labels = torch.cat([train.faces(uid).label for uid in train.uids]).numpy()
    counts = np.bincount(labels[labels != UNLABELLED], minlength=len(data.face_classes))
    stock = [i for i, name in enumerate(data.face_classes) if name == "stock"]
    tasks = face_tasks(sides, class_groups(counts, stock, p.tasks), data.face_classes, p.batch)
    return [{"mode": mode, **learn(mode, TaskFeatures(backbone), tasks, p, p.base, p.density, seed)}]


def main() -> None:
    params, data = load(), parsed_dataset(labels=LABELS)
    p = params.continual
    weights = sha256(MODELS / p.encoder / WEIGHTS)
    flat = settings.flat({"continual": p}) | {"data.digest": data.digest, "data.labels": data.labels_digest}
    out, inputs = RESULTS / "continual", (p.model_dump(), data.digest, data.labels_digest, weights)
    with (
        output_folder(out) as claim,
        unfinished("pipelines.continual", out, *inputs) as work,
        tracking.run("continual", "continual", flat, {"ckpt_sha256": weights}, __doc__, work / "run") as tracker,
    ):
        modes: tuple[Learner, ...] = (*SUPERMASKS, *BASELINES, "majority") if data.face_classes else ()
        if not modes:
            print("continual: this data set has no face classes, so there are no tasks to learn")
        jobs: dict[str, tuple[Any, ...]] = {f"{m}-{seed}": (m, seed) for seed in range(p.seeds) for m in modes}
        rows = [row for of_job in run_jobs(row_of, jobs, work, p.workers, "continual").values() for row in of_job]
        metrics: dict[str, Any] = {}
        for row in rows:
            numbers = {k: row[k] for k in ("average_accuracy", "forgetting", "bit_identical")}
            metrics.setdefault(row["mode"], {})[str(row["seed"])] = numbers
            with tracker.child(f"{row['mode']}, seed {row['seed']}", {"mode": row["mode"]}) as child:
                child.log_params({"mode": row["mode"], "seed": row["seed"]})
                logged = numbers | {key: row[key] for key in ("written", "overlap")}
                child.log_metrics({k: float(v) for k, v in logged.items() if v is not None})
                for task, (steps, seconds) in enumerate(zip(row["steps_to_95"], row["seconds_each"], strict=True)):
                    child.log_metrics({"steps_to_95": float(steps), "seconds": seconds}, step=task + 1)
        with claim.filled() as new:
            (new / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            (new / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")


if __name__ == "__main__":
    run_stage(main)
