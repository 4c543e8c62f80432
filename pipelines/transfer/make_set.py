"""Stage `set`: one data set of the study, made or read, and parsed -> data/NAME of the study."""

import os
import sys

from brep_mae.datasets.source import open_source
from brep_mae.ingest import parse_dataset
from pipelines.stored import WORK
from pipelines.transfer.plan import SETS, plan


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
    report = parse_dataset(source, SETS / name, todo.parse, one.split, workers, WORK)
    left_out = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items()) or "none"
    print(f"{name}: {report.solids} solids, {report.faces} faces; left out: {left_out}")


if __name__ == "__main__":
    main(sys.argv[1])
