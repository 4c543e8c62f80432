"""All methods side by side: what their features hold, what few labels make of them, and what they cost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from brep_mae.report.tables import Row, Table, percent, shots_title, summarise

PROBES = {"linear": "linear probe", "knn": "kNN"}
SCORE = "micro"
"""Share of right answers, which probes have too."""


def ends(rows: Sequence[Row], method: str, task: str, probe: str) -> tuple[float, float] | None:
    """Score of a probe before the first step and after the last; None where there is none."""
    curve = [row for row in rows if (row["method"], row["task"], row["probe"]) == (method, task, probe)]
    curve.sort(key=lambda row: row["step"])
    return (curve[0]["score"], curve[-1]["score"]) if curve else None


def of_tasks(*rows: Sequence[Row]) -> list[str]:
    """Names of the tasks that any of the rows score."""
    return list(dict.fromkeys(row["task"] for found in rows for row in found))


def guided_names(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Method whose pretraining has read labels -> what it is called in tables and figures."""
    return {name: f"{name} (guided by labels)" for name, of in metrics.items() if of.get("guided_by_labels")}


def marked_rows(rows: Sequence[Row], column: str, metrics: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """The rows for a figure, `column` of which names methods, in which guided ones say so."""
    guided = guided_names(metrics)
    return [{**row, column: guided.get(row[column], row[column])} for row in rows]


def marked(tables: Sequence[Table], metrics: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """The tables, in which every method says so whose pretraining has read labels: none of its scores compares with one
    of a method that has not."""
    guided = guided_names(metrics)
    return [replace(table, rows=[[guided.get(row[0], row[0]), *row[1:]] for row in table.rows]) for table in tables]


def quality_tables(probes: Sequence[Row], fewshot: Sequence[Row]) -> list[Table]:
    """Per task a row for every method, and for every baseline: both probes, and few-shot accuracy."""
    return [_quality(task, probes, fewshot) for task in of_tasks(probes, fewshot)]


def _quality(task: str, probes: Sequence[Row], fewshot: Sequence[Row]) -> Table:
    tuned = [row for row in fewshot if row["task"] == task and row["mode"] != "frozen"]
    means = {(row["encoder"], row["shots"]): row for row in summarise(tuned, ("encoder", "shots"), (SCORE,))}
    shots = sorted({count for _, count in means})
    scored = [row["method"] for row in probes if row["task"] == task]
    body = []
    for name in dict.fromkeys([*scored, *(row["encoder"] for row in tuned)]):
        cells = [name]
        for probe in PROBES:
            found = ends(probes, name, task, probe)
            cells.append("–" if found is None else f"{100 * found[1]:.1f} ({100 * (found[1] - found[0]):+.1f})")
        for count in shots:
            row = means.get((name, count))
            cells.append("–" if row is None else percent(row[f"{SCORE}_mean"], row[f"{SCORE}_sd"]))
        body.append(cells)
    note = (
        "In %. Probes read frozen features and are scored on validation solids after the last step; in brackets the "
        "difference to step 0, the same network with the weights it started from."
    )
    if shots:
        note += " Shots: fine-tuned on so many labelled solids, scored on test solids; mean ± sd over seeds."
    return Table(f"{task}: all methods", ["method", *PROBES.values(), *map(shots_title, shots)], body, note)


def explained_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row for every term of every method: R^2 on held-out samples, and on faces of each surface type."""
    kinds = dict.fromkeys(
        kind for of in metrics.values() for terms in of.get("r2_by_surface", {}).values() for kind in terms
    )
    body = []
    for method, values in metrics.items():
        for key, value in values.get("heldout", {}).items():
            if key.startswith("r2/"):
                by_kind = values.get("r2_by_surface", {}).get(key.removeprefix("r2/"), {})
                cells = ["–" if kind not in by_kind else f"{by_kind[kind]:.2f}" for kind in kinds]
                body.append([method, key.removeprefix("r2/"), f"{value:.2f}", *cells])
    note = (
        "R² on held-out samples after the last step: 1 = without an error, 0 = no better than the best predictor that "
        "reads nothing of the sample (a mean; of surfaces a quadratic in u and v; of classes their shares). By surface "
        "type against the best such predictor of faces of that type."
    )
    return Table("How much of what is asked is predicted", ["method", "term", "R²", *kinds], body, note)


COSTS = {
    "samples_per_s": "samples/s",
    "minutes": "minutes",
    "peak_mb": "peak memory, MB",
    "peak_gpu_mb": "peak GPU memory, MB",
    "backbone_parameters": "encoder parameters",
    "parameters": "all parameters",
}


def cost_table(costs: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row per method; a column for every cost that any of them has."""
    columns = {key: title for key, title in COSTS.items() if any(key in cost for cost in costs.values())}
    body = [[method, *(_number(cost.get(key)) for key in columns)] for method, cost in costs.items()]
    note = (
        "Of the training alone, without evaluation: median speed, where a sample is a solid with all that the method "
        "reads of it, or a natural image; minutes; peak memory of the process. All parameters: with decoder, heads and "
        "a teacher's copy."
    )
    return Table("What pretraining costs", ["method", *columns.values()], body, note)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
