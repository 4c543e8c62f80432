"""Stage `pretrain`: one method on the training solids -> models/METHOD: backbone and its snapshots, history, metrics,
cost, reconstructions, and of a mask that is learned what it hides."""

import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from brep_mae import settings
from brep_mae.checkpoints.backbones import weights_named
from brep_mae.composition.pretext import Pretext, build
from brep_mae.datasets.images import Images, store_images
from brep_mae.datasets.loader import Samples
from brep_mae.output.folder import Claim, output_folder
from brep_mae.pretraining.method import description, pretrain_method, settings_logged
from brep_mae.pretraining.pretraining import Pretraining
from brep_mae.pretraining.unfinished import WORK
from pipelines.shared.params import load
from pipelines.shared.parsed_dataset import ParsedDataset, parsed_dataset
from pipelines.shared.places import LABELS, MODELS
from pipelines.shared.stage import run_stage

HELDOUT_IMAGES = 400
"""As many as the frames that a hundred solids would hold out; a folder of images may hold out thousands."""


def samples_for(pretext: Pretext, data: ParsedDataset, split: settings.SplitParams) -> tuple[Samples, Samples, str]:
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


def pretrain(method: str, params: settings.Params, claim: Claim, about: Mapping[str, str] = {}) -> None:
    """Trains, or goes on where a run was cut off, and fills the output. `about` is logged with the settings."""
    data = parsed_dataset()
    values = params.methods.get(method, {})
    torch.manual_seed(params.pretrain.seed)
    pretext = build(method, values, data.spec)
    if pretext.reads_labels:
        data = parsed_dataset(labels=LABELS)
        torch.manual_seed(params.pretrain.seed)
        pretext = build(method, values, data.spec)
    samples, heldout, digest = samples_for(pretext, data, params.split)
    facts = {"data.digest": digest, "data.train": len(samples), "seed": params.pretrain.seed}
    job = Pretraining(
        module="pipelines.pretrain",
        kind="pretrain",
        name=method,
        method=method,
        values=values,
        spec=data.spec,
        digest=digest,
        budget=params.pretrain,
        inputs=(method, values, weights_named(values), params.pretrain.model_dump(), digest),
        settings={**settings_logged(method, values, params.pretrain), **facts, **about},
        description=description(method, samples, heldout),
        snapshots=True,
    )
    pretrain_method(job, pretext, samples, heldout, claim)


if __name__ == "__main__":
    run_stage(main, sys.argv[1])
