"""Stage `source`: one pretraining of the study -> models/NAME and pretrained/NAME.json of the study."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import torch

from brep_mae import settings
from brep_mae.checkpoints.backbones import WEIGHTS, weights_named
from brep_mae.composition.pretext import DataSpec, Pretext, build
from brep_mae.datasets.combined import AlternatingDataset, ConcatDataset
from brep_mae.datasets.images import Images, store_images
from brep_mae.datasets.loader import Samples
from brep_mae.output.files import write_whole
from brep_mae.output.folder import output_folder
from brep_mae.pretraining.pretraining import Pretraining, pretrained
from brep_mae.pretraining.unfinished import WORK, unfinished
from pipelines.shared.stage import run_stage
from pipelines.studies.transfer.plan import SEEDS, Study

MODULE = "pipelines.studies.transfer.pretrain"
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


def main(folder: str, name: str) -> None:
    """Trains with every seed, or goes on where a run was cut off, and fills the output: the first seed's encoder, and
    those of the others in the folder SEEDS."""
    study = Study(Path(folder))
    todo = study.plan()
    source = (todo.sources | todo.taught)[name]
    if left_out := study.absent(*source.sets):
        print(f"{name}: pretrained without {', '.join(left_out)}, which is not there")
    if left_out == source.sets:
        (study.models / name).mkdir(parents=True, exist_ok=True)
        write_report(study, name)
        return
    seeds, first = source.seeds, pretraining_of(study, name, 0)
    others = study.models / f"{name}-{SEEDS}"
    with output_folder(study.models / name) as claim, unfinished(MODULE, others, *first[0].inputs) as work:
        for seed in range(1, seeds):
            if not (work / str(seed) / WEIGHTS).exists():
                with output_folder(work / str(seed)) as own, pretrained(*pretraining_of(study, name, seed), own):
                    pass
        with pretrained(*first, claim) as done:
            for seed in range(1, seeds):
                shutil.copytree(work / str(seed), done.folder / SEEDS / str(seed), ignore=shutil.ignore_patterns(".*"))
            print(f"{name}: {done.cost['minutes']:.1f} minutes, {done.cost['weights_mb']:.2f} MB, {seeds} seeds")
    write_report(study, name)


def write_report(study: Study, name: str) -> None:
    """What the tables tell of a pretraining, small enough for git: cost and held-out metrics of every seed that there
    is."""
    seeds = (study.plan().sources | study.plan().taught)[name].seeds
    folders = [folder for seed in range(seeds) if ((folder := study.model_of(name, seed)) / WEIGHTS).exists()]
    told = {kind: [json.loads((each / f"{kind}.json").read_text()) for each in folders] for kind in ("cost", "metrics")}
    file = study.report_of(name)
    file.parent.mkdir(exist_ok=True)
    write_whole(file, json.dumps(told, indent=1) + "\n")


def pretraining_of(study: Study, name: str, seed: int) -> tuple[Pretraining, Pretext, Samples, Samples]:
    """What is trained with the number `seed` of a source's seeds, and on what."""
    todo = study.plan()
    source = (todo.sources | todo.taught)[name]
    budget = todo.pretrain.model_copy(update={"seed": todo.pretrain.seed + seed})
    values = todo.values_of(source)
    there = [each for each in source.sets if not study.absent(each)]
    sizes = {drawn.size for each in there if (drawn := todo.sets[each].render) is not None}
    spec = DataSpec(grid=todo.parse.grid, frame=max(sizes, default=0))
    torch.manual_seed(budget.seed)
    pretext = build(source.method, values, spec)
    sets = [study.stored_set(each, "frames" in pretext.reads) for each in there]

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
        torch.manual_seed(budget.seed)
        shared = {key: values[key] for key in ("steps", "batch", "lr")}
        network = {"method": source.method, "params": values}
        classes = replace(spec, face_classes=solids.face_classes, part_classes=solids.part_classes)
        pretext = build("supervised", shared | {"network": network}, classes)
    job = Pretraining(
        module=MODULE,
        kind=study.folder.name,
        name=f"{name}, seed {seed}",
        method=source.method,
        values=values,
        spec=spec,
        digest=digest,
        budget=budget,
        inputs=(name, source.model_dump(), values, weights_named(values), budget.model_dump(), digest),
        settings=settings.flat({"source": source, "method": values, "pretrain": budget}),
        description=f"Source {name} of the study {study.folder.name}: {source.method} on {', '.join(there)}.",
        snapshots=False,
    )
    return job, pretext, data, heldout


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
