"""Stage `source`: one pretraining of the study -> models/NAME of the study."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.combined import AlternatingDataset, ConcatDataset
from brep_mae.datasets.images import Images, store_images
from brep_mae.datasets.loader import Samples
from brep_mae.output.folder import Claim, output_folder
from pipelines.shared.pretraining import Pretraining, pretrained
from pipelines.shared.stage import run_stage
from pipelines.shared.unfinished import WORK
from pipelines.studies.transfer.plan import SOURCES, plan, stored_set

IMAGES_HELD_OUT = 0.02
"""Share of the natural images; they teach, and are never scored."""


def with_images(path: str, size: int, data: Samples, heldout: Samples) -> tuple[Samples, Samples, str]:
    """Both, in turn with natural images, and a digest of these."""
    folder = store_images(Path(path), size, 0, IMAGES_HELD_OUT, 0.0, WORK)
    natural = Images(folder, "train")
    return (
        AlternatingDataset([data, natural]),
        AlternatingDataset([heldout, Images(folder, "validation")]),
        natural.about.digest,
    )


def main(name: str) -> None:
    with output_folder(SOURCES / name) as claim:
        pretrain(name, claim)


def pretrain(name: str, claim: Claim) -> None:
    """Trains, or goes on where a run was cut off, and fills the output."""
    todo = plan()
    source = (todo.sources | todo.taught)[name]
    values = todo.methods[source.method]
    sizes = {drawn.size for each in source.sets if (drawn := todo.sets[each].render) is not None}
    spec = DataSpec(grid=todo.parse.grid, frame=max(sizes, default=0))
    torch.manual_seed(todo.pretrain.seed)
    pretext = build(source.method, values, spec)
    sets = [stored_set(each, "frames" in pretext.reads) for each in source.sets]

    def side(which: str) -> ConcatDataset:
        return ConcatDataset([(s.solids(pretext.reads, which), len(s.face_classes), len(s.part_classes)) for s in sets])

    solids = side("train")
    data: Samples = solids
    heldout: Samples = side("validation")
    digest = "+".join(each.digest for each in sets)
    if source.images:
        data, heldout, natural = with_images(source.images, spec.frame, data, heldout)
        digest += f"+{natural}"
    if source.labels:
        digest += "+" + "+".join(each.labels_digest for each in sets)
        torch.manual_seed(todo.pretrain.seed)
        shared = {key: values[key] for key in ("steps", "batch", "lr")}
        network = {"method": source.method, "params": values}
        classes = replace(spec, face_classes=solids.face_classes, part_classes=solids.part_classes)
        pretext = build("supervised", shared | {"network": network}, classes)
    job = Pretraining(
        stage="studies.transfer.pretrain",
        kind="transfer",
        name=name,
        method=source.method,
        values=values,
        spec=spec,
        digest=digest,
        budget=todo.pretrain,
        inputs=(name, source.model_dump(), values, todo.pretrain.model_dump(), digest),
        settings=settings.flat({"source": source, "method": values, "pretrain": todo.pretrain}),
        snapshots=False,
    )
    with pretrained(job, pretext, data, heldout, claim) as done:
        print(f"{name}: {done.cost['minutes']:.1f} minutes, {done.cost['weights_mb']:.2f} MB")


if __name__ == "__main__":
    run_stage(main, sys.argv[1])
