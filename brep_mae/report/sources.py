"""All that a report is made from, read from the files the earlier stages wrote. What is missing is empty."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brep_mae.datasets.lazy.listed import LEFT_OUT, REJECTS, read_list
from brep_mae.report.masks import MASKS


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file; empty where there is no file."""
    return _parsed(path, path.read_text()) if path.exists() else {}


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """One object per line; empty where there is no file."""
    if not path.exists():
        return []
    return [_parsed(path, line) for line in path.read_text().splitlines() if line.strip()]


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error}); run the stage that writes it again") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: an object was expected, not {type(value).__name__}")
    return value


def _parse_report(folder: Path) -> dict[str, Any]:
    """The counts and the rejects of a parse."""
    counts = read_json(folder / "report.json")
    return counts and counts | {"rejects": read_list(folder / REJECTS, LEFT_OUT, "run the parse stage again")}


@dataclass(frozen=True)
class Sources:
    """Rows and descriptions of one pipeline.

    Attributes:
        histories: method -> rows {"step", "split", terms...} of its pretraining.
        checkpoints: method -> its config.json.
        probe: rows {"method", "step", "task", "probe", "score"} of every snapshot.
        metrics: method -> its metrics.json.
        costs: method -> its cost.json.
        multilabel: rows {"rule", "seed", "macro_f1", ..., "classes", "weights", "thresholds", ...} of stage policy.
        evolved: method -> rows {"candidate", "generation", "weights", "soft", "hard", "sd", ...} of its search.
        masks: method -> npz file with what its learned mask hides (see `masks.mask_figure`).
        pictures: "method/name" -> npz file with a reconstruction (see `drawings.reconstruction`).
    """

    dataset: dict[str, Any] = field(default_factory=dict)
    parsed: dict[str, Any] = field(default_factory=dict)
    probe: list[dict[str, Any]] = field(default_factory=list)
    fewshot: list[dict[str, Any]] = field(default_factory=list)
    continual: list[dict[str, Any]] = field(default_factory=list)
    multilabel: list[dict[str, Any]] = field(default_factory=list)
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    checkpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    costs: dict[str, dict[str, Any]] = field(default_factory=dict)
    evolved: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    masks: dict[str, Path] = field(default_factory=dict)
    pictures: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def read(cls, data: Path, models: Path, results: Path) -> "Sources":
        """Reads `data/parsed`, every folder of `models`, `results/probe`, `results/fewshot`, `results/continual`,
        `results/policy` and every folder of `results/evolve`."""
        folders = sorted(path for path in models.glob("*") if path.is_dir())
        histories = {folder.name: read_jsonl(folder / "history.jsonl") for folder in folders}
        return cls(
            dataset=read_json(data / "parsed" / "dataset.json"),
            parsed=_parse_report(data / "parsed"),
            probe=read_jsonl(results / "probe" / "curves.jsonl"),
            fewshot=read_jsonl(results / "fewshot" / "runs.jsonl"),
            continual=read_jsonl(results / "continual" / "runs.jsonl"),
            multilabel=read_jsonl(results / "policy" / "runs.jsonl"),
            histories={name: rows for name, rows in histories.items() if rows},
            checkpoints={folder.name: read_json(folder / "config.json") for folder in folders},
            metrics={f.name: found for f in folders if (found := read_json(f / "metrics.json"))},
            costs={f.name: cost for f in folders if (cost := read_json(f / "cost.json"))},
            evolved={path.parent.name: read_jsonl(path) for path in sorted(results.glob("evolve/*/candidates.jsonl"))},
            masks={folder.name: path for folder in folders if (path := folder / MASKS).exists()},
            pictures={f"{f.name}/{path.stem}": path for f in folders for path in sorted(f.glob("reconstruction*.npz"))},
        )
