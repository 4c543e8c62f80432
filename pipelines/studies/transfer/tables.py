"""Stage `tables`: the rows of all targets -> tables.md and metrics.json of the study."""

import json
import math
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from brep_mae.output.files import write_whole
from brep_mae.report.methods import explained_table
from brep_mae.report.tables import Row, Table, interval, percent, points, shots_title, summarise
from pipelines.shared.stage import run_stage
from pipelines.studies.transfer.plan import Plan, Study, TableParams

DIGITS = 2
Column = tuple[str, int]


def table(about: TableParams, every: Sequence[Row]) -> Table:
    """Arms down, targets and numbers of labels across: mean and spread over seeds, or gains paired by seed."""
    rows = [r for r in every if r["target"] in about.targets and (not about.shots or r["shots"] in about.shots)]
    kept = [row for row in rows if row["encoder"] in about.arms]
    columns = sorted({(r["target"], r["shots"]) for r in kept}, key=lambda c: (about.targets.index(c[0]), c[1]))
    paired = bool(about.against or about.minus)
    if paired:
        base = [r for r in every if r["target"] in (about.minus or about.targets)]
        same = ("shots", "seed") if about.minus else ("shots", "seed", "target")
        cells = gains(kept, base, about.score, same, about.against)
    else:
        cells = means(kept, about.score)
    body = [[arm, *(cells.get((arm, *column), "–") for column in columns)] for arm in about.arms]
    if not paired and about.score == "micro":
        draws = {(r["target"], r["shots"], r["seed"]): {**r, "encoder": "ceiling"} for r in kept}
        best = means(list(draws.values()), "ceiling")
        body.append(["ceiling", *(best.get(("ceiling", *column), "–") for column in columns)])
    for name, known in about.published.items():
        body.append([name, *(percent(known.get(n, math.nan), math.nan, DIGITS) for _, n in columns)])
    several = len(about.targets) > 1
    header = ["", *(f"{target}, {shots_title(n)}" if several else shots_title(n) for target, n in columns)]
    return Table(about.title, header, body, about.note)


def means(rows: Sequence[Row], score: str) -> dict[tuple[str, str, int], str]:
    """(arm, target, shots) -> mean and spread over seeds, in % or seconds."""
    by = ("encoder", "target", "shots")
    cells = {}
    for r in summarise(rows, by, (score,)):
        mean, sd = r[f"{score}_mean"], r[f"{score}_sd"]
        cells[tuple(r[key] for key in by)] = f"{mean:.1f}" if score == "seconds" else percent(mean, sd, DIGITS)
    return cells


def reports(study: Study) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Source -> cost and held-out metrics of each of its seeds, of those that are pretrained."""
    todo = study.plan()
    files = {source: study.report_of(source) for source in todo.sources | todo.taught}
    found = {source: json.loads(file.read_text()) for source, file in files.items() if file.exists()}
    return {source: report for source, report in found.items() if report["cost"]}


def mean_of(values: Sequence[Any]) -> Any:
    """The mean of numbers, leaf by leaf of dictionaries. What some lack has none: held-out samples of one seed may be
    without a type of surface that those of another have."""
    if isinstance(values[0], dict):
        everywhere = [key for key in values[0] if all(key in each for each in values)]
        return {key: mean_of([each[key] for each in values]) for key in everywhere}
    return fmean(values)


def costs(study: Study) -> Table:
    """What every pretraining of the study took, a seed."""
    body = []
    for source, report in reports(study).items():
        cost = mean_of(report["cost"])
        numbers = (f"{cost['minutes']:.1f}", f"{cost['samples_per_s']:.0f}", f"{cost['peak_mb']:.0f}")
        body.append([source, *numbers, f"{cost['backbone_parameters']:,.0f}", f"{cost['weights_mb']:.2f}"])
    header = ["", "minutes", "solids/s", "peak memory, MB", "weights", "file, MB"]
    note = "Means over seeds, on the machine that trained them; memory includes the data."
    return Table("Pretraining: cost of a seed", header, body, note)


def explained(study: Study) -> Table:
    """What every pretraining of the study predicts of held-out samples."""
    return explained_table({source: mean_of(report["metrics"]) for source, report in reports(study).items()})


def gains(
    rows: Sequence[Row], base: Sequence[Row], score: str, same: Sequence[str], against: str | dict[str, str] | None
) -> dict[tuple[str, str, int], str]:
    """(arm, target, shots) -> mean gain over the row of `base` that is of the arm `against` and agrees in the columns
    `same`, with its 95 % interval."""
    reference = {(r["encoder"], *(r[key] for key in same)): r[score] for r in base}
    pairs: dict[tuple[str, str, int], list[float]] = {}
    for r in rows:
        other = against.get(r["encoder"]) if isinstance(against, dict) else against or r["encoder"]
        if (at := (other, *(r[key] for key in same))) in reference:
            pairs.setdefault((r["encoder"], r["target"], r["shots"]), []).append(r[score] - reference[at])
    return {key: points(interval(found)) for key, found in pairs.items()}


def metrics(rows: Sequence[Row]) -> dict[str, Any]:
    """target -> arm -> number of labels -> mean, sd and n, the form `dvc metrics show` prints."""
    tree: dict[str, Any] = {}
    for r in summarise(rows, ("target", "encoder", "shots"), ("micro", "miou", "per_part", "covered", "seconds")):
        numbers = {k: round(v, 4) for k, v in r.items() if k.endswith(("_mean", "_sd")) and v == v}
        tree.setdefault(r["target"], {}).setdefault(r["encoder"], {})[str(r["shots"])] = numbers | {"n": r["n"]}
    return tree


def left_out(todo: Plan, target: str, there: Collection[tuple[str, str]]) -> str:
    """The target if no arm of it has rows, with its arms that have none if some have, nothing if all have."""
    arms = todo.targets[target].arms
    lacking = [arm for arm in arms if (target, arm) not in there]
    return target if lacking == arms else f"{target} ({', '.join(lacking)})" if lacking else ""


def main(folder: str) -> None:
    study = Study(Path(folder))
    todo = study.plan()
    files = [file for target in todo.targets for file in study.rows_of(target)]
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    there = {(row["target"], row["encoder"]) for row in rows}
    scored = {target for target, _ in there}
    tables = [table(about, rows).markdown() for about in todo.tables.values() if scored & set(about.targets)]
    tables += [explained(study).markdown(), costs(study).markdown()]
    if left := [name for target in todo.targets if (name := left_out(todo, target, there))]:
        tables.append(f"Not run yet: {'; '.join(left)}.\n")
    write_whole(study.folder / "tables.md", "\n".join(tables))
    write_whole(study.folder / "metrics.json", json.dumps(metrics(rows), indent=1) + "\n")


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
