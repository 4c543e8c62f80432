"""Stage `hundred`: tasks in a row, kept on disk, asked again by a new process -> hundred.json of the study."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from brep_mae.checkpoints.weights import fingerprint
from brep_mae.continual.class_tasks import face_tasks
from brep_mae.continual.continual import exact_logits, logits_of
from brep_mae.continual.continual_fit import Task
from brep_mae.continual.task_folder import add_task, new_tasks, open_tasks
from brep_mae.datasets.content import FACES
from brep_mae.datasets.loader import Samples
from brep_mae.datasets.splits import SIDES
from brep_mae.output.files import write_whole
from brep_mae.output.folder import output_file
from brep_mae.pretraining.unfinished import unfinished
from brep_mae.progress import progress
from brep_mae.tracking import tracking
from pipelines.shared.parsed_dataset import parsed_dataset
from pipelines.shared.stage import run_stage
from pipelines.studies.continual.plan import STUDY, HundredParams, plan

SEED = 0
OUT = STUDY / "hundred.json"


def tasks(params: HundredParams) -> list[Task]:
    """Three face classes each, no two the same; every task has training solids of its own."""
    given = parsed_dataset(params.parsed, frames=None)
    rng = np.random.default_rng(SEED)
    groups = list(combinations(range(len(given.face_classes)), 3))
    order = [given.split["train"][i] for i in rng.permutation(len(given.split["train"]))]
    heldout = {side: given.solids(FACES, side).first(params.solids) for side in SIDES[1:]}
    found = []
    for number, group in enumerate(rng.permutation(len(groups))[: params.tasks]):
        train = given.solids(FACES, "train")
        train.uids = tuple(order[number * params.solids : (number + 1) * params.solids])
        sides: dict[str, Samples] = {"train": train, **heldout}
        found += face_tasks(sides, [groups[group]], given.face_classes, params.batch)
    return found


def answers(folder: Path, todo: list[Task]) -> list[str]:
    """Hash of the logits of every task of the folder on its own first test batch."""
    model = open_tasks(folder)
    logits = logits_of(model)
    return [_hash(exact_logits(model, logits, task.test[0][0], t)) for t, task in enumerate(todo)]


def _hash(logits: Tensor) -> str:
    return fingerprint({"logits": logits})


def main() -> None:
    params = plan().hundred
    given = parsed_dataset(params.parsed, frames=None)
    inputs = params.model_dump(), given.digest, given.labels_digest
    with output_file(OUT), unfinished("pipelines.studies.continual.hundred", OUT, *inputs) as work:
        learn(params, work)


def learn(params: HundredParams, work: Path) -> None:
    """Learns the tasks, or those that `work` lacks, and writes what came of them."""
    todo = tasks(params)
    folder, record = work / "tasks", work / "each.jsonl"
    rows = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    for path in sorted(folder.glob("task_*"))[len(rows) :]:  # saved, but cut off before it was recorded
        path.unlink()
    model = open_tasks(folder) if rows else new_tasks(params.encoder, 3, params.density, "pretrained", SEED)
    with tracking.run(
        "continual", "hundred", params.model_dump(mode="json"), description=__doc__, id_file=work / "run"
    ) as tracker:
        with progress(len(todo), "tasks") as bar:
            for number, task in enumerate(todo[len(rows) :], len(rows)):
                added = add_task(model, task, params, folder, params.encoder)
                row = {
                    "test": added.test,
                    "seconds": added.report.seconds,
                    "bytes": added.size,
                    "own": added.report.own,
                    "answer": _hash(exact_logits(model, logits_of(model), task.test[0][0], number)),
                }
                rows.append(row)
                with record.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                bar(number + 1, f"{task.name}: {added.test:.3f}")
        then = [row.pop("answer") for row in rows]
        for number, row in enumerate(rows):
            tracker.log_metrics({k: float(v) for k, v in row.items()}, step=number + 1)
        command = [sys.executable, "-m", "pipelines.studies.continual.hundred", folder.as_posix()]
        now = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found = {
            "tasks": len(todo),
            "unmoved": sum(a == b for a, b in zip(then, now, strict=True)),
            "base_bytes": (folder / "base.safetensors").stat().st_size,
            "each": rows,
        }
        write_whole(OUT, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)  # sums in another order would not be equal bit for bit
    if len(sys.argv) > 1:
        print(json.dumps(answers(Path(sys.argv[1]), tasks(plan().hundred))))
    else:
        run_stage(main)
