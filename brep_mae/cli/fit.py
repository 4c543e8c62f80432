"""`brep-mae fit`: a few labelled parts -> a model in a folder."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brep_mae.cli.shared import encoder_folder, existing, limits, print_values

if TYPE_CHECKING:
    from brep_mae.datasets.source import Source
    from brep_mae.fitted.model import Unit

UNITS = ("face", "solid", "file")


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--labels", type=click.Path(path_type=Path), help="Table of labels; else each labels.csv in the folders.")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="New folder for the model."
)
@click.option("--of", "unit", type=click.Choice(UNITS), help="What has a class; else as the labels have it.")
@click.option(
    "--encoder",
    "named",
    default="label_free",
    show_default=True,
    help="Whose codes are read beside plain features: one that `models` lists, a folder, or none.",
)
@click.option(
    "--unlabelled",
    default=100,
    type=click.IntRange(0),
    show_default=True,
    help="Most files without a label that are learned from as well.",
)
@click.option("--seed", default=0, show_default=True, help="Of all that is drawn.")
@click.option("--workers", default=os.cpu_count() or 1, type=click.IntRange(1), show_default=True, help="Processes.")
@limits
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def fit(
    inputs: tuple[Path, ...],
    labels: Path | None,
    out: Path,
    unit: "Unit | None",
    named: str,
    unlabelled: int,
    seed: int,
    workers: int,
    deadline: float,
    memory: int,
    as_json: bool,
) -> None:
    """Learn from a few labelled CAD files (or a folder of shards), say what to expect, and keep the model."""
    import shutil

    from brep_mae.fitted import fit as fitting
    from brep_mae.fitted.model import save_model
    from brep_mae.output.folder import output_folder
    from brep_mae.tracking import tracking

    encoder = encoder_folder(named)
    settings = {"of": unit, "encoder": named, "unlabelled": unlabelled, "seed": seed}
    try:
        with output_folder(out) as claim:
            shards = claim.work / "shards"
            try:
                if (parsed := existing(inputs[0]) / "dataset.json").is_file() and len(inputs) == 1 and labels is None:
                    shards = parsed.parent
                else:
                    _parse(inputs, labels, encoder, unlabelled, shards, workers, deadline, memory)
                model, reads_codes = fitting.fit(shards, unit, encoder, seed, _echo_fold)
            finally:
                shutil.rmtree(claim.work / "shards", ignore_errors=True)
            with claim.filled() as folder:
                save_model(model, folder, encoder if reads_codes else None)
        report = model.report
        scores = {"expected": report["expected"], "test": report["test"], **report["scores"]}
        with tracking.run("fit", str(out), settings) as tracker:
            tracker.log_metrics({name: score for name, score in scores.items() if score is not None})
    except (ValueError, RuntimeError, OSError) as error:
        raise click.ClickException(str(error)) from None
    print_values({"model": str(out), **report} if as_json else {"model": str(out), **_told(report)}, as_json)


def _parse(
    inputs: tuple[Path, ...],
    labels: Path | None,
    encoder: Path | None,
    unlabelled: int,
    shards: Path,
    workers: int,
    deadline: float,
    memory: int,
) -> None:
    """Fills `shards` with the labelled files and a sample of the others; tells of labels that fit nothing."""
    from brep_mae.checkpoints.backbones import described
    from brep_mae.datasets.adapters import solids
    from brep_mae.ingest import parse_dataset
    from brep_mae.settings import ParseParams, SplitParams

    given = [Path(os.path.abspath(existing(path))) for path in inputs]  # a link keeps its own name
    source = solids.given(given, labels and Path(os.path.abspath(existing(labels))))
    if not source.rows:
        raise click.ClickException(
            f"{source.root}: no labels; write them with `brep-mae labels template` and name the table with --labels"
        )
    grid = described(encoder)[2].grid if encoder else ParseParams().grid
    settings = ParseParams(grid=grid, field_pool=16, field_samples=1, deadline_s=deadline, memory_mb=memory)
    split = SplitParams(validation=0.1, test=0.1)
    report = parse_dataset(_sampled(source, unlabelled), shards, settings, split, workers, labelled=True)
    for reject in report.rejects[:10]:
        click.echo(f"left out: {reject['file']}: {reject['reason']}: {reject['detail']}", err=True)
    for line in report.labels.lines() if report.labels else ():
        click.echo(f"label not used: {line}", err=True)


def _sampled(source: "Source", unlabelled: int) -> "Source":
    """The labelled files, and of the others those whose names hash lowest."""
    from dataclasses import replace

    named = {row.file for row in source.rows if not row.problem}
    by_name = {path.relative_to(source.root).as_posix(): path for path in source.files}
    others = sorted(by_name.keys() - named, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
    kept = (by_name.keys() & named) | set(others[:unlabelled])
    return replace(source, files=[path for name, path in by_name.items() if name in kept])


def _echo_fold(done: int, folds: int) -> None:
    click.echo(f"ways to learn compared on {done} of {folds} folds", err=True)


def _told(report: dict[str, Any]) -> dict[str, str]:
    """The report for a person."""
    unit = report["unit"]
    learned = f"{_count(report['rows'], unit)} with a class"
    if unit == "face":
        learned += f", of {_count(report['files'], 'file')}"
    if report["unlabelled"]:
        learned += f", and {_count(report['unlabelled'], 'file')} without"
    values = {"learned from": learned, "head": report["head"]}
    if report["scores"]:
        values["compared"] = ", ".join(f"{name} {_percent(score)}" for name, score in report["scores"].items())
    if report["expected"] is None:
        values["expected"] = "can't be told: no class is shown by two files with labels"
    else:
        values["expected"] = (
            f"{_percent(report['expected'])} of {unit}s right on parts like these, ± {_percent(report['spread'])} from "
            f"fold to fold; always saying the commonest class: {_percent(report['commonest'])}"
        )
    if report["test"] is not None:
        values["on test parts"] = f"{_percent(report['test'])} of {unit}s right"
    for one in report["classes"]:
        shown = _count(one["rows"], unit) + (f" of {_count(one['files'], 'file')}" if unit == "face" else "")
        right = "too few files to check: label more" if one["right"] is None else f"{_percent(one['right'])} right"
        values[one["name"]] = f"{shown}, {right}"
    if report["next"]:
        values["label next"] = ", ".join(report["next"])
    return values


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
