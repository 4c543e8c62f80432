"""What a training costs, kept in a file as it goes, so that one that was cut off and resumed knows of all its parts."""

import json
import resource
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch

from brep_mae.composition.pretext import Pretext
from brep_mae.output.files import write_whole


def peak_mb() -> dict[str, float]:
    """Most memory that this process has held so far, and most of the GPU's where there is one."""
    found = {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    if torch.cuda.is_available():
        found["peak_gpu_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return found


class Costs:
    """Speed, time and memory of every stretch between two rows of the history.

    Args:
        path: where they are kept. A stretch that is trained again after a kill takes the place of its first time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict[str, float]] = json.loads(path.read_text()) if path.exists() else {}

    def add(self, step: int, row: Mapping[str, Any]) -> None:
        """Takes note of a train row that the loop reports."""
        kept = {"samples_per_s": row["solids_per_s"], "seconds": row["seconds"]}
        self.rows[str(step)] = kept | peak_mb()
        write_whole(self.path, json.dumps(self.rows))

    def total(self, pretext: Pretext) -> dict[str, float]:
        """Median speed, minutes and peak memory of training alone, evaluation left out; numbers of parameters, all of
        them with a teacher's copies."""
        rows = list(self.rows.values())
        peaks = {key: round(max(row.get(key, 0.0) for row in rows)) for key in peak_mb()}
        return {
            "samples_per_s": round(median(row["samples_per_s"] for row in rows), 1),
            "minutes": round(sum(row["seconds"] for row in rows) / 60, 3),
            **peaks,
            "backbone_parameters": sum(p.numel() for p in pretext.backbone().parameters()),
            "parameters": sum(p.numel() for p in pretext.parameters()),
        }
