"""`brep-mae fit`: a few labelled parts -> a model in a folder."""

from pathlib import Path
from typing import Any

import click

from brep_mae.answers import UNITS, Unit
from brep_mae.cli.shared import existing, parts, print_values


@click.command()
@parts
@click.option("--labels", type=click.Path(path_type=Path), help="Table of labels; else each labels.csv in the folders.")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="New folder for the model."
)
@click.option(
    "--of",
    "unit",
    type=click.Choice(UNITS),
    help="What has a class; else as the labels have it. Of labelled faces: solid or file learns which it shows.",
)
@click.option(
    "--encoder",
    "named",
    default="label_free",
    show_default=True,
    help="Whose codes are read beside plain features: one that `models` lists, a folder, or none; or a fitted model to "
    "start from.",
)
@click.option(
    "--unlabelled",
    default=100,
    type=click.IntRange(0),
    show_default=True,
    help="Most files without a label that are learned from as well.",
)
@click.option(
    "--fine-tune",
    is_flag=True,
    help="Train the encoder on the labelled parts as well, and take it where that is better; some minutes.",
)
@click.option("--seed", default=0, show_default=True, help="Of all that is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def fit(
    inputs: tuple[Path, ...],
    labels: Path | None,
    out: Path,
    unit: Unit | None,
    named: str,
    unlabelled: int,
    fine_tune: bool,
    seed: int,
    workers: int,
    deadline: float,
    memory: int,
    as_json: bool,
) -> None:
    """Learn from a few labelled CAD files (or a folder of shards), say what to expect, and keep the model."""
    from brep_mae.fitted.from_files import FitOptions, fit_files
    from brep_mae.tracking import tracking
    from brep_mae.tracking.registry import model_folder

    settings = {"of": unit, "encoder": named, "unlabelled": unlabelled, "fine_tune": fine_tune, "seed": seed}
    try:
        given, table = [existing(path) for path in inputs], labels and existing(labels)
        encoder = None if named == "none" else model_folder(named)
        options = FitOptions(unit, encoder, unlabelled, fine_tune, seed, workers, deadline, memory)
        report = fit_files(given, table, out, options, lambda text: click.echo(text, err=True)).report
        scores = {"expected": report["expected"], "test": report["test"], **report["scores"]}
        with tracking.run("fit", out.name, settings, description=f"Fitted into {out}.") as tracker:
            tracker.log_metrics({name: score for name, score in scores.items() if score is not None})
    except (ValueError, RuntimeError, OSError) as error:
        raise click.ClickException(str(error)) from None
    print_values({"model": str(out), **report} if as_json else {"model": str(out), **_told(report)}, as_json)


def _told(report: dict[str, Any]) -> dict[str, str]:
    """The report for a person."""
    unit = report["unit"]
    measure = f"F1 of the classes that {unit}s show" if report["several"] else f"of {unit}s right"
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
            f"{_percent(report['expected'])} {measure} on parts like these, ± {_percent(report['spread'])} from "
            f"fold to fold; always saying the commonest: {_percent(report['commonest'])}"
        )
    if report["test"] is not None:
        values["on test parts"] = f"{_percent(report['test'])} {measure}"
    word = "F1" if report["several"] else "right"
    for one in report["classes"]:
        shown = _count(one["rows"], unit) + (f" of {_count(one['files'], 'file')}" if unit == "face" else "")
        right = "too few files to check: label more" if one["right"] is None else f"{_percent(one['right'])} {word}"
        values[one["name"]] = f"{shown}, {right}"
    if report["next"]:
        values["label next"] = ", ".join(report["next"])
    return values


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
