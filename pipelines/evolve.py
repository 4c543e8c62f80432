"""Stage `evolve`: weights of a method's targets, by the Zipf score of short trainings; no label is read
-> results/evolve/METHOD: every candidate, and the weights of the best."""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brep_mae import settings
from brep_mae.checkpoints.backbones import weights_named
from brep_mae.checks import SettingsError
from brep_mae.composition.masked import MaskedPretext
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.evaluation.problem import features_of, in_batches
from brep_mae.evaluation.zipf import ZipfScore, zipf_score
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.output.folder import output_folder
from brep_mae.pretraining.unfinished import unfinished
from brep_mae.report.evolution import EQUAL, search
from brep_mae.tracking import tracking
from brep_mae.training.evolve import CmaEs, best, evolve
from brep_mae.training.loop import train
from pipelines.shared.jobs import Rows, run_jobs
from pipelines.shared.params import load
from pipelines.shared.parsed_dataset import ParsedDataset, parsed_dataset
from pipelines.shared.places import BEST_WEIGHTS, RESULTS
from pipelines.shared.stage import run_stage

CANDIDATES = "candidates.jsonl"


def targets(method: str, values: Mapping[str, Any], spec: DataSpec) -> dict[str, tuple[str, ...]]:
    """Name of every target of the method -> its terms. Raises SettingsError for a method without targets."""
    with torch.device("meta"):
        pretext = build(method, values, spec)
    if not isinstance(pretext, MaskedPretext):
        raise SettingsError(f"evolve: {method} has no targets to weigh; take one that has weights, such as joint")
    return {name: target.terms for name, target in pretext.targets.items()}


def of_terms(point: Sequence[float], targets: Mapping[str, tuple[str, ...]]) -> dict[str, float]:
    """Weights of targets as those of terms, the form in which a method's block has them: all terms of a target share
    its weight evenly, so that a target with many of them counts no more than another."""
    pairs = zip(point, targets.items(), strict=True)
    return {f"{name}.{term}": weight / len(terms) for weight, (name, terms) in pairs for term in terms}


def sides(data: ParsedDataset, p: settings.EvolveParams) -> tuple[Sequence[str], Sequence[str]]:
    """The training solids that candidates learn from, and those whose faces are clustered."""
    uids = data.split["train"]
    if p.solids >= len(uids):
        raise SettingsError(f"params.yaml: evolve.solids {p.solids} leaves none of {len(uids)} to embed; take fewer")
    return uids[: p.solids], uids[p.solids : p.solids + p.embedded]


def trained(
    method: str, weights: Mapping[str, float], params: settings.Params, data: ParsedDataset
) -> tuple[FeatureExtractor, float]:
    """The encoder of a candidate, and its held-out loss at the end. All candidates have the same first weights, batches
    and masks."""
    p = params.evolve
    values = params.methods[method] | {"steps": p.steps, "batch": p.batch, "weights": dict(weights)}
    torch.manual_seed(p.seed)
    pretext = build(method, values, data.spec)
    solids, heldout = data.solids(pretext.reads, "train"), data.solids(pretext.reads, "validation")
    solids.uids = tuple(sides(data, p)[0])
    once = {"seed": p.seed, "log_every": p.steps, "checkpoint_every": p.steps, "heldout_batches": 1}
    budget = params.pretrain.model_copy(update=once)
    with tempfile.TemporaryDirectory() as work:
        history = train(pretext, solids, heldout, budget, Path(work) / "state", lambda row: None, torch.device("cpu"))
    return pretext.backbone().eval(), float(history[-1]["loss"])


def score(backbone: FeatureExtractor, data: ParsedDataset, p: settings.EvolveParams) -> ZipfScore:
    """The fitness of an encoder, from what it makes of faces."""
    solids = data.solids(readable(backbone), "train")
    batches = in_batches(solids, sides(data, p)[1])
    faces = torch.cat([features.face for features in features_of(backbone, batches)])
    return zipf_score(faces.numpy(), p.clusters, p.restarts, p.seed)


def one(method: str, weights: Mapping[str, float]) -> Rows:
    """What came of one candidate."""
    params, data = settings.load(), parsed_dataset()
    backbone, loss = trained(method, weights, params, data)
    return [asdict(score(backbone, data, params.evolve)) | {"loss": loss}]


def main(method: str) -> None:
    params, data = load(), parsed_dataset()
    values, p = params.methods.get(method, {}), params.evolve
    known = targets(method, values, data.spec)
    sides(data, p)
    flat = settings.flat({"evolve": p, "method": method}) | {"data.digest": data.digest}
    inputs = (method, values, weights_named(values), params.pretrain.model_dump(), p.model_dump(), data.digest)
    rows: list[dict[str, Any]] = []
    with (
        output_folder(RESULTS / "evolve" / method) as claim,
        unfinished("pipelines.evolve", claim.out, *inputs) as work,
        tracking.run("evolve", method, flat, {"method": method}, __doc__, work / "run") as tracker,
    ):

        def evaluate(generation: int, points: np.ndarray) -> list[float]:
            """Trains the candidates of a generation, and beside the first one the baseline."""
            tried = {f"{generation:02d}-{number:02d}": point.tolist() for number, point in enumerate(points)}
            tried |= {EQUAL: [1.0] * len(known)} if generation == 0 else {}
            jobs = {name: (method, of_terms(point, known)) for name, point in tried.items()}
            found = run_jobs(one, jobs, work, p.workers, f"evolve, generation {generation + 1} of {p.generations}")
            for name, point in tried.items():
                (scored,) = found[name]
                weights = dict(zip(known, point, strict=True))
                rows.append({"candidate": name, "generation": generation, "weights": weights, **scored})
                with tracker.child(name, {"method": method}) as child:
                    child.log_params({"weights": weights})
                    child.log_metrics(scored, step=generation)
            return [found[name][0]["soft"] for name in tried if name != EQUAL]

        chosen = best(evolve(CmaEs(len(known), p.seed), p.generations, evaluate))
        equal = next(row for row in rows if row["candidate"] == EQUAL)
        found = {
            "targets": dict(zip(known, chosen.weights, strict=True)),
            "weights": of_terms(chosen.weights, known),
        }
        tracker.log_figure(search(rows), "figures/search.png")
        scores = {"best": chosen.fitness, EQUAL: equal["soft"], "sd": equal["sd"]}
        with claim.filled() as new:
            (new / CANDIDATES).write_text("".join(json.dumps(row) + "\n" for row in rows))
            (new / BEST_WEIGHTS).write_text(json.dumps(found, indent=1) + "\n")
            (new / "metrics.json").write_text(json.dumps(scores, indent=1) + "\n")
        tracker.log_metrics(scores)


if __name__ == "__main__":
    run_stage(main, sys.argv[1])
