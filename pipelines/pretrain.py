"""Stage `pretrain`: one method on the training solids -> models/METHOD: backbone and its snapshots, history, metrics,
cost, reconstructions."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

from brep_mae import settings
from brep_mae.checkpoints.backbones import STEPS, WEIGHTS, save_backbone, save_snapshot
from brep_mae.checkpoints.pretexts import save_pretext
from brep_mae.composition.pretext import Pretext, build
from brep_mae.datasets.images import Images, store_images
from brep_mae.datasets.loader import Samples
from brep_mae.output.files import link_or_copy
from brep_mae.output.folder import Claim, output_folder
from brep_mae.output.note import sha256
from brep_mae.progress import progress
from brep_mae.report import drawings
from brep_mae.tracking import tracking
from brep_mae.training.loop import train
from pipelines.shared.cost import Costs
from pipelines.shared.params import load
from pipelines.shared.picture import pictures
from pipelines.shared.places import LABELS, MODELS
from pipelines.shared.stage import run_stage
from pipelines.shared.stored import Stored, stored
from pipelines.shared.unfinished import WORK, unfinished

HELDOUT_IMAGES = 400
"""As many as the frames that a hundred solids would hold out; a folder of images may hold out thousands."""


def samples_for(pretext: Pretext, data: Stored, split: settings.SplitParams) -> tuple[Samples, Samples, str]:
    """What to train on, what to hold out, and a digest of both: the stored solids, or where the method's block names
    natural `images` those, at the size of the frames."""
    images = pretext.params.model_dump().get("images", "")
    if not images:
        solids, heldout = (data.solids(pretext.reads, side) for side in ("train", "validation"))
        return solids, heldout, data.digest + data.labels_digest
    folder = store_images(Path(images), data.spec.frame, 0, split.validation, split.test, WORK)
    natural = Images(folder, "train")
    left_out = ", ".join(f"{count} {reason}" for reason, count in natural.about.reasons.items()) or "none"
    print(f"{images}: {len(natural)} images to train on; left out: {left_out}")
    return natural, Images(folder, "validation").thinned(HELDOUT_IMAGES), natural.about.digest


def main(method: str) -> None:
    params = load()
    with output_folder(MODELS / method) as claim:
        pretrain(method, params, claim)


def pretrain(method: str, params: settings.Params, claim: Claim) -> None:
    """Trains, or goes on where a run was cut off, and fills the output."""
    data = stored()
    values = params.methods.get(method, {})
    torch.manual_seed(params.pretrain.seed)
    pretext = build(method, values, data.spec)
    if pretext.reads_labels:
        data = stored(labels=LABELS)
        torch.manual_seed(params.pretrain.seed)
        pretext = build(method, values, data.spec)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    samples, heldout, digest = samples_for(pretext, data, params.split)
    flat = settings.flat({"method": method, "methods": {method: values}, "pretrain": params.pretrain})
    flat = {key.replace(f"methods.{method}.", "method."): value for key, value in flat.items()}
    facts = {"data.digest": digest, "data.train": len(samples), "device": device.type, "seed": params.pretrain.seed}

    inputs = method, values, params.pretrain.model_dump(), digest
    with (
        unfinished("pretrain", claim.out, *inputs) as work,
        tracking.run("pretrain", method, flat | facts) as tracker,
        progress(pretext.params.steps, method) as bar,
    ):
        costs = Costs(work / "costs.json")

        def report(row: dict[str, float | str]) -> None:
            step = int(row["step"])
            if row["split"] == "train":
                costs.add(step, row)
            terms = {f"{row['split']}/{k}": float(v) for k, v in row.items() if k not in ("step", "split")}
            tracker.log_metrics(terms, step=step)
            bar(step, f"{row['split']} loss {row['loss']:.3f}")

        def keep(step: int, now: Pretext) -> None:
            save_snapshot(work / STEPS, step, now.backbone())

        history = train(pretext, samples, heldout, params.pretrain, work / "state.pt", report, device, keep)

        pretext.cpu().eval()
        with claim.filled() as new:
            save_backbone(new, pretext.backbone(), method, values, data.spec, digest)
            save_pretext(new, pretext)
            (new / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in history))
            last = {str(k): v for k, v in history[-1].items() if k not in ("step", "split")}
            (new / "metrics.json").write_text(json.dumps({"heldout": last}, indent=1) + "\n")
            cost = costs.total(pretext)
            (new / "cost.json").write_text(json.dumps(cost, indent=1) + "\n")
            for name, arrays in pictures(pretext, heldout, params.pretrain.seed).items():
                file = new / f"reconstruction_{name}.npz"
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
                tracker.log_figure(drawings.reconstruction(file), f"figures/{file.stem}.png")

            final = {f"final/{k}": float(v) for k, v in last.items()} | {f"cost/{k}": v for k, v in cost.items()}
            tracker.log_metrics(final, step=pretext.params.steps)
            tracker.set_tags({"ckpt_sha256": sha256(new / WEIGHTS)})
            tracker.log_model(new, name=method, metrics=final)
            shutil.copytree(work / STEPS, new / STEPS, copy_function=link_or_copy)


if __name__ == "__main__":
    run_stage(main, sys.argv[1])
