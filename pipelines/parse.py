"""Stage parse: STEP files -> shards of face graphs, a split, and a report of what was left out."""

import os
from pathlib import Path

from brep_mae.datasets.source import open_source
from brep_mae.ingest import parse_dataset
from pipelines.params import load
from pipelines.stage import run_stage
from pipelines.unfinished import WORK


def main() -> None:
    params = load()
    generated = params.dataset.name == "generated"
    path = "data/source" if generated else params.dataset.path
    source = open_source(params.dataset.name, path, params.dataset.limit, WORK)
    report = parse_dataset(source, Path("data/parsed"), params.parse, params.split, os.cpu_count() or 1)
    left_out = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items()) or "none"
    print(f"{report.solids} solids, {report.faces} faces, {report.arcs} arcs from {report.files} files")
    print(f"left out: {left_out}; {report.solids_per_s:.1f} solids/s")


if __name__ == "__main__":
    run_stage(main)
