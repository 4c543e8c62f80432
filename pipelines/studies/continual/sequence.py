"""Stage `sequence`: every arm and seed of one sequence of tasks -> rows/SEQUENCE.jsonl of the study."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch

from brep_mae.checkpoints.backbones import WEIGHTS, described, load_backbone, new_backbone
from brep_mae.continual.class_tasks import (
    TaskFeatures,
    class_groups,
    face_tasks,
    multilabel_tasks,
    sample_tasks,
)
from brep_mae.continual.continual_fit import Task
from brep_mae.continual.supermask_roles import Base
from brep_mae.datasets.content import FACES
from brep_mae.datasets.images import Images, read_about, store_images
from brep_mae.datasets.loader import Samples
from brep_mae.datasets.splits import SIDES
from brep_mae.evaluation.problem import labelled_order
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.resnet import ResNet18
from brep_mae.output.files import write_whole
from brep_mae.output.folder import output_file
from brep_mae.output.note import sha256
from brep_mae.pretraining.unfinished import WORK, unfinished
from brep_mae.settings import flat
from brep_mae.tracking import tracking
from pipelines.shared.jobs import Rows, run_jobs
from pipelines.shared.parsed_dataset import parsed_dataset
from pipelines.shared.stage import run_stage
from pipelines.studies.continual.learn import learn
from pipelines.studies.continual.plan import ROWS, TIME, DataParams, SequenceParams, plan

RESNET, RESNET_SIDE = "resnet18", 32
"""The paper's network, and the pixels per side that it takes."""


def network(encoder: str, base: Base) -> FeatureExtractor:
    """The encoder of a sequence, with fresh weights where the base is random."""
    if encoder == RESNET:
        return ResNet18()
    return load_backbone(Path(encoder)) if base == "pretrained" else new_backbone(Path(encoder))


def tasks_of_faces(data: DataParams, count: int, size: int, seed: int) -> list[Task]:
    """The face classes in `count` groups; gone through again, from the training solids that come next."""
    assert data.parsed is not None
    make = partial(face_tasks, others=data.others) if data.kind == "segmentation" else multilabel_tasks
    given = parsed_dataset(data.parsed, frames=None)
    out = [given.face_classes.index(name) for name in data.left_out]
    groups = class_groups(np.ones(len(given.face_classes)), out, count)
    order = labelled_order(given.split["train"], seed)
    heldout = {side: given.solids(FACES, side).first(data.heldout) for side in SIDES[1:]}
    found: list[Task] = []
    for time in range(data.times):
        train = given.solids(FACES, "train")
        train.uids = tuple(order[time * data.solids : (time + 1) * data.solids])
        sides: Mapping[str, Samples] = {"train": train, **heldout}
        made = make(sides, groups, given.face_classes, size)
        found += [replace(task, name=f"{task.name}{TIME}{time + 1}" if data.times > 1 else task.name) for task in made]
    return found


def images(data: DataParams, encoder: str) -> Path:
    """The stored images, as large as the encoder reads them."""
    assert data.images is not None
    side = RESNET_SIDE if encoder == RESNET else described(Path(encoder))[2].frame
    return store_images(data.images, side, 0, data.validation, 0.1, WORK)


def tasks_of_images(data: DataParams, folder: Path, count: int, size: int, seed: int) -> list[Task]:
    """The classes of the images in `count` groups, in their order; the seed draws the validation images and batches."""
    about = read_about(folder)
    test, known = Images(folder, "test"), Images(folder, "train", "validation")
    order = labelled_order(list(known.uids), seed)
    cut = round(data.validation * len(order))
    sides: dict[str, Samples] = {"test": test}
    for side, uids in (("validation", order[:cut]), ("train", order[cut:])):
        sides[side] = known.first(len(known))
        sides[side].uids = tuple(uids)
    groups = class_groups(np.ones(len(about.classes)), [], count)
    return sample_tasks(sides, about.labels, groups, about.classes, size)


def tasks_in_turn(study: SequenceParams, size: int, seed: int) -> list[Task]:
    """The first task of each of the data, then the second of each, and so on."""
    found = [
        tasks_of_images(data, images(data, study.encoder), study.tasks, size, seed)
        if data.parsed is None
        else tasks_of_faces(data, study.tasks, size, seed)
        for data in study.data
    ]
    return [task for turn in zip_longest(*found) for task in turn if task is not None]


def one(sequence: str, arm: str, seed: int) -> Rows:
    """The row of one arm and seed."""
    todo = plan()
    study, how, params = todo.sequences[sequence], todo.arms[arm], todo.params(sequence, arm)
    tasks = tasks_in_turn(study, params.batch, seed)
    torch.manual_seed(seed)
    features = TaskFeatures(network(study.encoder, how.base))
    row = learn(how.way, features, tasks, params, how.base, how.density, seed)
    return [{"sequence": sequence, "arm": arm, "density": how.density, **row}]


def _digest(data: DataParams, encoder: str) -> str:
    """Names the content of what the tasks are made from, and its labels."""
    if data.parsed is None:
        return read_about(images(data, encoder)).digest
    given = parsed_dataset(data.parsed, frames=None)
    return given.digest + given.labels_digest


def main(sequence: str) -> None:
    todo = plan()
    study = todo.sequences[sequence]
    weights = "" if study.encoder == RESNET else sha256(Path(study.encoder) / WEIGHTS)
    digest = "+".join(_digest(data, study.encoder) for data in study.data)
    about = flat({"sequence": study, "budget": todo.budget}) | {"data.digest": digest}
    inputs = study.model_dump(exclude={"arms", "seeds"}), weights, digest
    how = {arm: (todo.arms[arm].model_dump(), todo.params(sequence, arm).model_dump()) for arm in study.arms}
    out = ROWS / f"{sequence}.jsonl"
    jobs = {f"{arm}-{seed}": (sequence, arm, seed) for arm in study.arms for seed in range(study.seeds)}
    with (
        output_file(out),
        unfinished("pipelines.studies.continual.sequence", out, *inputs, how) as work,
        tracking.run("continual", sequence, about, {"ckpt_sha256": weights}, __doc__, work / "run") as tracker,
    ):
        rows = [row for found in run_jobs(one, jobs, work, 0, sequence).values() for row in found]
        write_whole(out, "".join(json.dumps(row) + "\n" for row in rows))
        for row in rows:
            with tracker.child(f"{row['arm']}, seed {row['seed']}", {"arm": row["arm"]}) as child:
                child.log_params({"arm": row["arm"], "seed": row["seed"]})
                keys = ("average_accuracy", "forgetting", "bit_identical", "seconds", "overlap")
                child.log_metrics({key: float(row[key]) for key in keys if row[key] is not None})


if __name__ == "__main__":
    run_stage(main, sys.argv[1])
