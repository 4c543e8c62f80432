"""Stage `set`: one data set of the study, made or read, parsed, and drawn where asked -> data/NAME of the study.

Where the files of a set are not there its folder stays empty, and what needs the set is left out with a line.
"""

import os
import shutil
import sys
from pathlib import Path

from brep_mae.brep.render.pool import RenderOptions
from brep_mae.datasets.labelling.join import join_labels
from brep_mae.datasets.labelling.labels import FOLDER
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.source import open_source, renamed
from brep_mae.ingest.dataset import parse_dataset
from brep_mae.output.files import link_or_copy
from brep_mae.output.folder import output_folder
from brep_mae.pretraining.unfinished import WORK, unfinished
from pipelines.render import render_dataset
from pipelines.shared.stage import run_stage
from pipelines.studies.transfer.plan import Plan, Study


def main(folder: str, name: str) -> None:
    study = Study(Path(folder))
    todo = study.plan()
    one, out = todo.sets[name], study.sets / name
    if one.generate is None and not Path(one.dataset.path).exists():
        print(f"{name}: left out, as {one.dataset.path} is not there; get it and run `dvc repro --force set@{name}`")
        out.mkdir(parents=True, exist_ok=True)
        return
    with (
        output_folder(out) as claim,
        unfinished("pipelines.studies.transfer.make_set", out, one.model_dump(), todo.parse) as work,
    ):
        make(todo, name, work, work / "set")
        with claim.filled() as new:
            shutil.copytree(work / "set", new, copy_function=link_or_copy, dirs_exist_ok=True)
            shutil.copytree(work / FOLDER, new / FOLDER)
            if one.render is not None:
                shutil.copytree(work / "frames", new / study.frames_of(name).name, copy_function=link_or_copy)


def make(todo: Plan, name: str, work: Path, parsed: Path) -> None:
    """Fills `parsed`, the folder of labels in `work`, and that of frames where the set is drawn."""
    one, workers = todo.sets[name], os.cpu_count() or 1
    path = one.dataset.path
    if one.generate is not None:
        from brep_mae.generate.generate import generate

        path = str(work / "parts")
        generate(Path(path), one.generate.kind, one.generate.solids, one.generate.seed, workers)
    source = open_source(one.dataset.name, path, one.dataset.limit, WORK)
    if one.face_classes:
        source = renamed(source, one.face_classes)
    report = parse_dataset(source, parsed, todo.parse, one.split, workers)
    shutil.rmtree(work / FOLDER, ignore_errors=True)
    labels = join_labels(source, open_shards(parsed), report.rejects, work / FOLDER)
    left_out = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items()) or "none"
    print(f"{name}: {report.solids} solids, {report.faces} faces; left out: {left_out}; {labels}")
    if one.render is not None:
        limits = todo.parse.deadline_s, todo.parse.memory_mb, todo.parse.split_closed
        options = RenderOptions(one.render.views, one.render.size, *limits)
        drawn = render_dataset(source.root, open_shards(parsed), work / "frames", options, workers)
        print(f"{name}: {drawn.solids} solids drawn")


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
