"""Stage parse: STEP files -> shards of face graphs, a split, and a report of what was left out."""

import os

from brep_mae.ingest.dataset import parse_dataset
from pipelines.shared.dataset import opened
from pipelines.shared.params import load
from pipelines.shared.places import PARSED
from pipelines.shared.stage import run_stage


def main() -> None:
    params = load()
    source = opened(params.dataset)
    report = parse_dataset(source, PARSED, params.parse, params.split, os.cpu_count() or 1)
    left_out = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items()) or "none"
    print(f"{report.solids} solids, {report.faces} faces, {report.arcs} arcs from {report.files} files")
    print(f"left out: {left_out}; {report.solids_per_s:.1f} solids/s")


if __name__ == "__main__":
    run_stage(main)
