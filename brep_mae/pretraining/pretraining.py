"""One pretraining: tracked, resumed where it was cut off, and what every one leaves behind."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from brep_mae import ranks
from brep_mae.checkpoints.backbones import STEPS, WEIGHTS, save_backbone, save_snapshot
from brep_mae.composition.masked import MaskedPretext
from brep_mae.composition.pretext import DataSpec, Pretext
from brep_mae.datasets.loader import Samples
from brep_mae.evaluation.explained import explained_by_surface
from brep_mae.output.files import link_or_copy
from brep_mae.output.folder import Claim
from brep_mae.output.note import sha256
from brep_mae.pretraining.cost import Costs
from brep_mae.pretraining.unfinished import unfinished
from brep_mae.progress import progress
from brep_mae.settings import PretrainParams
from brep_mae.tracking import tracking
from brep_mae.tracking.experiments import DESCRIPTION
from brep_mae.tracking.jsonl import Tracker
from brep_mae.training.loop import train

SAID_OF = 16
"""Batches from which it is told how much of hidden faces is predicted, by the type of their surface."""


@dataclass(frozen=True)
class Pretraining:
    """What is trained, and how it is called.

    Args:
        module: where it is asked for, such as "pipelines.pretrain"; all the code that it runs keys unfinished work.
        kind, name: of the tracked run.
        method, values, spec, digest: what a stored backbone says of itself, see `save_backbone`.
        inputs: all that the result depends on, besides the code.
        settings: logged with the run.
        description: what a person reads of the run.
        snapshots: True = the backbone of every checkpoint is kept in `steps`.
        work: where unfinished work lies, see `unfinished`.
    """

    module: str
    kind: str
    name: str
    method: str
    values: dict[str, Any]
    spec: DataSpec
    digest: str
    budget: PretrainParams
    inputs: tuple[Any, ...]
    settings: dict[str, Any]
    description: str
    snapshots: bool
    work: Path | None = None


@dataclass(frozen=True)
class Pretrained:
    """A finished training: `folder` that becomes the output, on the CPU the network in evaluation mode, `heldout` loss
    and terms after the last step, `cost` as in cost.json, `looked` the folder of what `look` has kept."""

    folder: Path
    heldout: dict[str, float]
    cost: dict[str, float]
    tracker: Tracker
    looked: Path


Look = Callable[[Path, int, Pretext], Mapping[str, float]]
"""(folder, steps done, network) -> numbers that are tracked. What it keeps in the folder outlives a kill."""


@contextmanager
def pretrained(
    job: Pretraining, pretext: Pretext, data: Samples, heldout: Samples, claim: Claim, look: Look | None = None
) -> Iterator[Pretrained]:
    """Trains, or goes on where a run was cut off, and fills the output: backbone, history.jsonl, metrics.json with what
    is predicted of held-out samples, cost.json. What the caller adds to `folder` inside the context is published with
    them.

    Args:
        look: called before the first step, and whenever the loss on held-out samples is taken.
    """
    with (
        unfinished(job.module, claim.out, *job.inputs, work=job.work) as work,
        tracking.run(
            job.kind,
            job.name,
            job.settings | {"device": ranks.device().type},
            {"method": job.method},
            job.description,
            work / "run",
        ) as tracker,
        progress(pretext.params.steps, job.name) as bar,
    ):
        costs, notes = Costs(work / "costs.json"), dict[str, str]()
        tracker.set_tags({"guided_by_labels": str(pretext.reads_labels).lower()})

        def report(row: dict[str, float | str]) -> None:
            step = int(row["step"])
            if row["split"] == "train":
                costs.add(step, row)
            terms = {f"{row['split']}/{k}": float(v) for k, v in row.items() if k not in ("step", "split")}
            tracker.log_metrics(terms, step=step)
            notes[str(row["split"])] = _note(row)
            bar(step, ", ".join(notes.values()))
            if row["split"] == "heldout":
                seen(step)

        def seen(step: int) -> None:
            if look is not None:
                tracker.log_metrics(look(work / "looked", step, pretext), step=step)

        def keep(step: int, now: Pretext) -> None:
            if job.snapshots:
                save_snapshot(work / STEPS, step, now.backbone())
            if step == 0:
                seen(step)

        history = train(pretext, data, heldout, job.budget, work / "state.pt", report, ranks.device(), keep)
        pretext.cpu().eval()
        with claim.filled() as new:
            save_backbone(new, pretext.backbone(), job.method, job.values, job.spec, job.digest)
            (new / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in history))
            last = {str(k): float(v) for k, v in history[-1].items() if k not in ("step", "split")}
            metrics: dict[str, Any] = {"heldout": last, "guided_by_labels": pretext.reads_labels}
            if isinstance(pretext, MaskedPretext):
                size = pretext.params.batch
                known, asked = (side.capped(SAID_OF, size).in_order(size) for side in (data, heldout))
                metrics["r2_by_surface"] = explained_by_surface(pretext, known, asked, job.budget.seed)
            (new / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
            cost = costs.total(pretext) | {"weights_mb": (new / WEIGHTS).stat().st_size / 1e6}
            (new / "cost.json").write_text(json.dumps(cost, indent=1) + "\n")
            tracker.log_metrics({f"cost/{k}": v for k, v in cost.items()}, step=pretext.params.steps)
            end = {DESCRIPTION: f"{job.description}\n\nIn the end: {_note(history[-1])}."}
            tracker.set_tags({"ckpt_sha256": sha256(new / WEIGHTS), **end})
            yield Pretrained(new, last, cost, tracker, work / "looked")
            if job.snapshots:
                shutil.copytree(work / STEPS, new / STEPS, copy_function=link_or_copy)


def _note(row: Mapping[str, Any]) -> str:
    """A row of the history for who watches; R2 is the mean of the terms that have one."""
    if row["split"] == "train":
        return f"{row['steps_per_s']:.1f} steps/s, loss {row['loss']:.3f}"
    explained = [value for key, value in row.items() if key.startswith("r2/")]
    return f"held out {row['loss']:.3f}" + (f", R2 {fmean(explained):.2f}" if explained else "")
