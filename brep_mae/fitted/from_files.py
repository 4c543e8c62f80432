"""CAD files and a table of labels -> a fitted model in a folder: parse, compare, keep."""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from brep_mae.answers import Unit
from brep_mae.datasets.adapters import solids
from brep_mae.datasets.source import Source
from brep_mae.fitted.fit import FitError, fit
from brep_mae.fitted.model import FittedModel, save_model
from brep_mae.fitted.start import grid_of
from brep_mae.ingest.dataset import parse_dataset
from brep_mae.output.folder import output_folder
from brep_mae.settings import ParseParams, SplitParams

TOLD = 10
"""Most files that are told of as left out."""


@dataclass(frozen=True)
class FitOptions:
    """How to fit.

    Args:
        unit: what has a class; None = as the labels have it.
        encoder: folder of an encoder whose codes are read beside plain features, or of a fitted model to start from;
            None = plain features alone.
        unlabelled: most files without a label that are learned from as well.
        fine_tune: True = a network is compared as well, the encoder trained on the labelled parts.
        seed: of all that is drawn.
        workers: processes that read files.
        deadline_s, memory_mb: what one file may take, as in `brep.workers`.
    """

    unit: Unit | None
    encoder: Path | None
    unlabelled: int = 100
    fine_tune: bool = False
    seed: int = 0
    workers: int = os.cpu_count() or 1
    deadline_s: float = ParseParams().deadline_s
    memory_mb: int = ParseParams().memory_mb


def fit_files(
    inputs: Sequence[Path],
    labels: Path | None,
    out: Path,
    options: FitOptions,
    tell: Callable[[str], None] = lambda text: None,
) -> FittedModel:
    """Fills the folder `out` with a model that learned from the labelled ones of the files, in place of an earlier one.

    Args:
        inputs: CAD files and folders of them; or one folder of labelled shards, and no `labels`.
        labels: a table of labels; None = every labels.csv in the folders.
        tell: is told what was left out, and how far the work has come.

    Raises:
        FitError: there is nothing to learn from.
        OutputError: `out` cannot be written, is in use, or holds what this program did not write.
        ValueError: files, labels or encoder cannot be read.
    """
    with output_folder(out) as claim:
        shards = claim.work / "shards"
        try:
            if labels is None and len(inputs) == 1 and (inputs[0] / "dataset.json").is_file():
                shards = inputs[0]
            else:
                _parse(inputs, labels, shards, options, tell)
            model, encoders = fit(
                shards,
                options.unit,
                options.encoder,
                options.seed,
                lambda done, folds: tell(f"ways to learn compared on {done} of {folds} folds"),
                options.fine_tune,
            )
        finally:
            shutil.rmtree(claim.work / "shards", ignore_errors=True)
        with claim.filled() as folder:
            save_model(model, folder, *encoders)
    return model


def _parse(
    inputs: Sequence[Path], labels: Path | None, shards: Path, options: FitOptions, tell: Callable[[str], None]
) -> None:
    """Fills `shards` with the labelled files and a sample of the others."""
    given = [Path(os.path.abspath(path)) for path in inputs]  # a link keeps its own name
    source = solids.given(given, labels and Path(os.path.abspath(labels)))
    if not source.rows:
        raise FitError(
            f"{source.root}: no labels; write them with `brep-mae labels template` and name the table with --labels"
        )
    settings = ParseParams(
        grid=grid_of(options.encoder),
        field_pool=16,
        field_samples=1,
        deadline_s=options.deadline_s,
        memory_mb=options.memory_mb,
    )
    split = SplitParams(validation=0.1, test=0.1)
    sampled = _sampled(source, options.unlabelled)
    report = parse_dataset(sampled, shards, settings, split, options.workers, labelled=True)
    for reject in report.rejects[:TOLD]:
        tell(f"left out: {reject['file']}: {reject['reason']}: {reject['detail']}")
    for line in report.labels.lines() if report.labels else ():
        tell(f"label not used: {line}")


def unlabelled(source: Source) -> list[Path]:
    """The files that no table names a class for, those whose names hash lowest first."""
    named = {row.file for row in source.rows if not row.problem}
    others = {path: path.relative_to(source.root) for path in source.files}
    by_hash = sorted(others, key=lambda path: hashlib.sha256(os.fsencode(others[path])).digest())
    return [path for path in by_hash if others[path].as_posix() not in named]


def _sampled(source: Source, count: int) -> Source:
    """The labelled files, and `count` of the others."""
    left_out = set(unlabelled(source)[count:])
    return replace(source, files=[path for path in source.files if path not in left_out])
