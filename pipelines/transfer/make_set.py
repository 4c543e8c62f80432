"""Stage `set`: one data set of the study, made or read, parsed, and drawn where asked -> data/NAME of the study."""

import os
import sys

from brep_mae.brep.render_pool import RenderOptions
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.source import open_source
from brep_mae.ingest import parse_dataset
from pipelines.render import render_dataset
from pipelines.stored import WORK
from pipelines.transfer.plan import SETS, frames_of, plan


def main(name: str) -> None:
    todo = plan()
    one, workers = todo.sets[name], os.cpu_count() or 1
    path = one.dataset.path
    if one.generate is not None:
        from brep_mae.brep.generate import generate, generator

        made = one.generate
        folder = WORK / f"transfer-{made.kind}-{generator(made.kind).version}-{made.seed}-{made.solids}"
        generate(folder, made.kind, made.solids, made.seed, workers)
        path = str(folder)
    source = open_source(one.dataset.name, path, one.dataset.limit, WORK)
    report = parse_dataset(source, SETS / name, todo.parse, one.split, workers, WORK / f"set-{name}")
    left_out = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items()) or "none"
    print(f"{name}: {report.solids} solids, {report.faces} faces; left out: {left_out}")
    if one.render is not None:
        limits = todo.parse.deadline_s, todo.parse.memory_mb, todo.parse.split_closed
        options = RenderOptions(one.render.views, one.render.size, *limits)
        drawn = render_dataset(source.root, open_shards(SETS / name), frames_of(name), options, workers, WORK)
        print(f"{name}: {drawn.solids} solids drawn")


if __name__ == "__main__":
    main(sys.argv[1])
