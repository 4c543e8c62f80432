"""Stage `policy`: which classes does a solid show? A policy for their weights and thresholds against rules that take no
search -> results/policy."""

import json
from functools import cache
from typing import Any

from brep_mae import settings
from brep_mae.checkpoints.backbones import WEIGHTS, load_backbone
from brep_mae.fewshot.multilabel.comparison import COMPETITORS, POLICY, SCORES, Shown, scored
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.output.folder import output_folder
from brep_mae.output.note import sha256
from brep_mae.pretraining.unfinished import unfinished
from brep_mae.report.tables import above, summarise
from brep_mae.tracking import tracking
from pipelines.shared.jobs import Rows, run_jobs
from pipelines.shared.params import load
from pipelines.shared.parsed_dataset import parsed_dataset
from pipelines.shared.places import LABELS, MODELS, RESULTS
from pipelines.shared.stage import run_stage

LOGGED = 10
"""Points of a run's curve that are tracked, at most."""


@cache
def known() -> tuple[Shown, FeatureExtractor, list[str]]:
    """The solids with their classes, the encoder and the names of the classes, held by every process once."""
    data = parsed_dataset(labels=LABELS)
    backbone = load_backbone(MODELS / settings.load().label_policy.encoder)
    solids = data.solids(readable(backbone), "train", "test")
    return Shown(solids, data.split["train"], data.split["test"], len(data.face_classes)), backbone, data.face_classes


def row_of(rule: str, seed: int) -> Rows:
    """The row of one rule and seed."""
    return [scored(rule, *known(), settings.load().label_policy, seed)]


def compared(rows: Rows) -> dict[str, Any]:
    """Per rule mean and sd of every score, and by how much the policy is above it on the same draws, with a 95 %
    t-interval."""
    found: dict[str, Any] = {}
    for summary in summarise(rows, ("rule",), SCORES):
        rule = summary["rule"]
        found[rule] = {f"{s}_{k}": round(summary[f"{s}_{k}"], 4) for s in SCORES for k in ("mean", "sd")}
        if rule != POLICY:
            gains = {s: above(rows, POLICY, rule, s) for s in SCORES}
            found[rule]["policy_above"] = {s: {k: round(v, 4) for k, v in gain.items()} for s, gain in gains.items()}
    return found


def main() -> None:
    params, data = load(), parsed_dataset(labels=LABELS)
    p = params.label_policy
    weights = sha256(MODELS / p.encoder / WEIGHTS)
    flat = settings.flat({"label_policy": p}) | {"data.digest": data.digest, "data.labels": data.labels_digest}
    out, inputs = RESULTS / "policy", (p.model_dump(), data.digest, data.labels_digest, weights)
    with (
        output_folder(out) as claim,
        unfinished("pipelines.policy", out, *inputs) as work,
        tracking.run("policy", "policy", flat, {"ckpt_sha256": weights}, __doc__, work / "run") as tracker,
    ):
        rules = (POLICY, *COMPETITORS) if data.face_classes else ()
        if not rules:
            print("policy: this data set has no face classes, so there is nothing that a solid could show")
        jobs: dict[str, tuple[Any, ...]] = {f"{rule}-{seed}": (rule, seed) for seed in range(p.seeds) for rule in rules}
        rows = [row for of_job in run_jobs(row_of, jobs, work, p.workers, "policy").values() for row in of_job]
        with claim.filled() as new:
            (new / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            (new / "metrics.json").write_text(json.dumps(compared(rows), indent=1) + "\n")
        for row in rows:
            with tracker.child(f"{row['rule']}, seed {row['seed']}", {"rule": row["rule"]}) as child:
                child.log_params({"rule": row["rule"], "seed": row["seed"]})
                logged = {key: row[key] for key in (*SCORES, "held_out_f1", "seconds")}
                for key in ("weights", "thresholds"):
                    logged |= {f"{key}/{name}": value for name, value in zip(row["classes"], row[key], strict=True)}
                child.log_metrics(logged)
                for episode in range(0, len(row["curve"]), max(1, len(row["curve"]) // LOGGED)):
                    child.log_metrics({"held_out_f1_after": row["curve"][episode]}, step=episode + 1)


if __name__ == "__main__":
    run_stage(main)
