"""What came of files: counts in report.json, and what was left out in a list beside it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brep_mae.datasets.labelling.labels import LabelReport
from brep_mae.datasets.lazy.listed import LEFT_OUT, REJECTS, read_list, write_list

REPORT = "report.json"


@dataclass(frozen=True)
class ParseReport:
    """What came of files. Only `solids_per_s` is not the same on every run, so it is not in report.json.

    Args:
        files_without_solid: of `files`; every other one gave at least one solid.
        reasons: rejects by reason.
        rejects: one {file, solid, reason, detail} for each; `solid` is its number in the file, None = the whole file.
        solids_per_s: 0 where every shard was already there.
        labels: what became of the labels, where they were joined at once.
    """

    files: int
    files_without_solid: int
    solids: int
    faces: int
    arcs: int
    unbounded_faces: int
    reasons: dict[str, int]
    rejects: list[dict[str, Any]]
    solids_per_s: float = 0.0
    labels: LabelReport | None = None

    def lines(self, most: int = 10) -> list[str]:
        """What was left out, for a person."""
        found = [
            f"{r['file']}{'' if r['solid'] is None else ', solid ' + str(r['solid'])}: {r['reason']}: {r['detail']}"
            for r in self.rejects[:most]
        ]
        more = len(self.rejects) - most
        return [*found, f"and {more} more"] if more > 0 else found


def write_report(folder: Path, report: ParseReport) -> None:
    counts = {name: value for name, value in vars(report).items() if name not in ("rejects", "solids_per_s", "labels")}
    write_json(folder / REPORT, counts | ({"labels": report.labels.counts()} if report.labels else {}))
    write_list(folder / REJECTS, report.rejects, LEFT_OUT)


def read_report(folder: Path) -> ParseReport:
    """What `write_report` wrote, without the labels. Raises OSError or ValueError where it cannot be read."""
    counts = json.loads((folder / REPORT).read_text()) | {"labels": None}
    return ParseReport(**counts, rejects=read_list(folder / REJECTS, LEFT_OUT, "parse again"))


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
