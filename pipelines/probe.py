"""Stage `probe`: every snapshot of every pretraining, by linear probe and nearest neighbours -> results/probe."""

import json
from collections import defaultdict
from typing import Any

from brep_mae import settings
from brep_mae.checkpoints.backbones import STEPS, new_backbone, snapshots
from brep_mae.evaluation.probe import Sides, probe
from brep_mae.evaluation.problem import tasks
from brep_mae.models.embed import readable
from brep_mae.output.folder import output_folder
from brep_mae.output.note import sha256
from brep_mae.pretraining.unfinished import unfinished
from brep_mae.tracking import tracking
from pipelines.shared.jobs import Rows, run_jobs
from pipelines.shared.params import load
from pipelines.shared.parsed_dataset import parsed_dataset
from pipelines.shared.places import LABELS, MODELS, RESULTS
from pipelines.shared.stage import run_stage


def one(method: str) -> Rows:
    """Rows of one method, step by step."""
    params, data = settings.load(), parsed_dataset(labels=LABELS)
    todo = tasks(len(data.face_classes), len(data.part_classes))
    solids = data.solids(readable(new_backbone(MODELS / method)), "train", "validation")
    sides = Sides.of(solids, data.split["train"], data.split["validation"], params.probe)
    return [
        {"method": method, "step": step, **row}
        for step, backbone in snapshots(MODELS / method)
        for row in probe(backbone, todo, sides, params.probe)
    ]


def ends(rows: Rows) -> dict[str, Any]:
    """method -> task -> probe -> score before the first step and after the last, the form `dvc metrics show` prints."""
    tree: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for row in sorted(rows, key=lambda row: row["step"]):
        scores = tree[row["method"]][row["task"]][row["probe"]]
        scores["last" if scores else "scratch"] = round(row["score"], 4)
    return tree


def main() -> None:
    params, data = load(), parsed_dataset(labels=LABELS)
    labelled = bool(data.face_classes or data.part_classes)
    methods = [method for method in params.methods if (MODELS / method / STEPS).is_dir() and labelled]
    files = [path for method in methods for path in sorted((MODELS / method / STEPS).iterdir())]
    hashes = {str(path): sha256(path) for path in files}
    flat = settings.flat({"probe": params.probe}) | {"data.digest": data.digest, "data.labels": data.labels_digest}
    out, inputs = RESULTS / "probe", (params.probe.model_dump(), data.digest, data.labels_digest, hashes)
    with (
        output_folder(out) as claim,
        unfinished("pipelines.probe", out, *inputs) as work,
        tracking.run("probe", "probe", flat, description=__doc__, id_file=work / "run") as tracker,
    ):
        if not labelled:
            print("probe: this data set has no labels, so there is nothing to score")
        found = run_jobs(one, {method: (method,) for method in methods}, work, params.probe.workers, "probe")
        rows = [row for of_method in found.values() for row in of_method]
        with claim.filled() as new:
            (new / "curves.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            (new / "metrics.json").write_text(json.dumps(ends(rows), indent=1) + "\n")
        for method, of_method in found.items():
            with tracker.child(method, {"method": method}) as child:
                for row in of_method:
                    child.log_metrics({f"{row['task']}/{row['probe']}": row["score"]}, step=row["step"])


if __name__ == "__main__":
    run_stage(main)
