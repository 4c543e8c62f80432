"""Stage `fewshot`: scratch and every pretrained encoder, with few labelled solids -> results/fewshot."""

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

from brep_mae import settings
from brep_mae.checkpoints.backbones import WEIGHTS, new_backbone
from brep_mae.datasets.loader import Solids
from brep_mae.evaluation.problem import labelled_order, tasks
from brep_mae.fewshot.fewshot import MAJORITY, EncoderSource, compare, reads
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.output.folder import output_folder
from brep_mae.output.note import sha256
from brep_mae.pretraining.unfinished import unfinished
from brep_mae.report.tables import SCORES, summarise
from brep_mae.tracking import tracking
from pipelines.shared.jobs import Rows, run_jobs
from pipelines.shared.params import load
from pipelines.shared.parsed_dataset import parsed_dataset
from pipelines.shared.places import LABELS, MODELS, RESULTS
from pipelines.shared.stage import run_stage

MASKS_ONLY = "encoder.fill."
"""Prefix of what an encoder puts in the place of hidden tokens: no part of what it makes of a whole solid."""


def network(backbone: FeatureExtractor) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights; equal for encoders that are the same network."""
    return {k: tuple(v.shape) for k, v in backbone.state_dict().items() if not k.startswith(MASKS_ONLY)}


def sources(methods: list[str]) -> list[EncoderSource]:
    """Every pretrained encoder, and every network once from scratch; `kind` is the first method of a network."""
    found: list[EncoderSource] = []
    networks: dict[str, dict[str, tuple[int, ...]]] = {}
    for method in methods:
        folder = MODELS / method
        own = network(new_backbone(folder))
        kind = next((known for known, other in networks.items() if other == own), method)
        if kind == method:
            networks[method] = own
            found.append(EncoderSource.stored(f"scratch_{method}", kind, folder, pretrained=False))
        found.append(EncoderSource.stored(method, kind, folder, pretrained=True))
    return found


@cache
def solids(reads: frozenset[str]) -> Solids:
    """All solids that any encoder meets, held by every process once."""
    return parsed_dataset(labels=LABELS).solids(reads, "train", "test")


def one(source: EncoderSource, modes: Sequence[str], seed: int) -> Rows:
    """Rows of one encoder and seed."""
    params, data = settings.load(), parsed_dataset(labels=LABELS)
    todo = tasks(len(data.face_classes), len(data.part_classes))
    order = labelled_order(data.split["train"], seed)
    return list(compare(source, modes, seed, todo, solids(reads(source)), order, data.split["test"], params.fewshot))


def nested(rows: Rows) -> dict[str, Any]:
    """task -> encoder -> mode -> shots -> score mean and sd, the form `dvc metrics show` prints."""
    tree: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for row in summarise(rows, ("task", "encoder", "mode", "shots"), tuple(SCORES)):
        numbers = {f"{s}_{k}": round(row[f"{s}_{k}"], 4) for s in SCORES for k in ("mean", "sd") if row[f"{s}_n"]}
        tree[row["task"]][row["encoder"]][row["mode"]][str(row["shots"])] = numbers
    return tree


def main() -> None:
    params, data = load(), parsed_dataset(labels=LABELS)
    heads = params.fewshot.heads
    labelled = bool(data.face_classes or data.part_classes)
    encoders = sources([method for method in params.methods if (MODELS / method).is_dir() and labelled])
    hashes = {s.name: sha256(MODELS / s.name / WEIGHTS) for s in encoders if (MODELS / s.name).is_dir()}
    flat = settings.flat({"fewshot": params.fewshot}) | {"data.digest": data.digest, "data.labels": data.labels_digest}
    out, inputs = RESULTS / "fewshot", (params.fewshot.model_dump(), data.digest, data.labels_digest, hashes)
    with (
        output_folder(out) as claim,
        unfinished("pipelines.fewshot", out, *inputs) as work,
        tracking.run("fewshot", "fewshot", flat, description=__doc__, id_file=work / "run") as tracker,
    ):
        if not labelled:
            print("few-shot: this data set has no labels, so there is nothing to score")
        jobs: dict[str, tuple[Any, ...]] = {
            f"{source.name}-{seed}": (source, modes, seed)
            for seed in range(params.fewshot.seeds)
            for source, modes in (*((encoder, heads) for encoder in encoders), MAJORITY)
            if labelled
        }
        found = run_jobs(one, jobs, work, params.fewshot.workers, "few-shot")
        rows = [row for rows in found.values() for row in rows]
        with claim.filled() as new:
            (new / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            (new / "metrics.json").write_text(json.dumps(nested(rows), indent=1) + "\n")
        groups: dict[tuple[str, int, int], Rows] = defaultdict(list)
        for row in rows:
            groups[row["encoder"], row["shots"], row["seed"]].append(row)
        for (encoder, shots, seed), group in groups.items():
            with tracker.child(f"{encoder}, {shots} labelled, draw {seed}", {"encoder": encoder}) as child:
                child.log_params({"encoder": encoder, "shots": shots, "seed": seed})
                child.log_metrics(
                    {f"{r['task']}/{r['mode']}/{s}": float(r[s]) for r in group for s in SCORES if s in r}
                )


if __name__ == "__main__":
    run_stage(main)
