"""Stage `tables`: the rows of all sequences -> tables.md and metrics.json of the study."""

import json
import math
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from brep_mae.output.files import write_whole
from brep_mae.report.tables import Row, Table, interval, percent, points, summarise
from pipelines.shared.stage import run_stage
from pipelines.studies.continual.plan import ROWS, STUDY, TIME, plan

TRANSFERS = ("exssnet_best", "exssnet_all")
HEADER = [
    "",
    "average accuracy",
    "to joint",
    "forgetting",
    "bit-identical",
    "overlap",
    "weights written",
    "steps to 95 %",
    "s",
]


def derived(row: Row) -> Row:
    """What the tables print of a row beside what it holds.

    `late_steps` leaves out the first task, which has no earlier one to start from.
    """
    return {**row, "late_steps": fmean(row["steps_to_95"][1:] or [math.nan])}


def gain(rows: Sequence[Row], arm: str, base: str, key: str = "average_accuracy") -> list[float]:
    """Differences to another arm at the same seed."""
    of = {row["seed"]: row[key] for row in rows if row["arm"] == base}
    return [row[key] - of[row["seed"]] for row in rows if row["arm"] == arm and row["seed"] in of]


def table(sequence: str, rows: Sequence[Row]) -> Table:
    """One row per arm, mean and spread over seeds."""
    body = []
    keys = ("average_accuracy", "forgetting", "overlap", "written", "late_steps", "seconds")
    for row in summarise([derived(row) for row in rows], ("arm",), keys):
        own = [each for each in rows if each["arm"] == row["arm"]]
        known = [each["bit_identical"] for each in own]
        far = gain(rows, row["arm"], "joint")
        body.append(
            [
                row["arm"],
                percent(row["average_accuracy_mean"], row["average_accuracy_sd"]),
                points(interval(far)) if far else "–",
                percent(row["forgetting_mean"], row["forgetting_sd"]) if row["arm"] != "joint" else "–",
                "–" if None in known else "yes" if all(known) else "**no**",
                *(percent(row[f"{key}_mean"], math.nan) for key in ("overlap", "written")),
                f"{row['late_steps_mean']:.0f}" if row["late_steps_mean"] == row["late_steps_mean"] else "–",
                f"{row['seconds_mean']:.0f}",
            ]
        )
    tasks = len(rows[0]["tasks"])
    note = (
        f"{tasks} tasks, {max(row['seed'] for row in rows) + 1} seeds, mean ± sd, in %. To joint: points to learning "
        "all tasks at once, paired by seed, 95 % interval. Overlap: of a mask with one earlier mask. Weights written: "
        "that some task may write. Steps to 95 % of a task's final validation accuracy, from the second task on."
    )
    return Table(sequence, HEADER, body, note)


def densities(sequence: str, rows: Sequence[Row]) -> Table:
    """exssnet against supsup, at every density."""
    arms = sorted({row["arm"] for row in rows if row["arm"].startswith("exssnet_")}, key=lambda a: int(a.split("_")[1]))
    body = []
    for arm in arms:
        other = arm.replace("exssnet", "supsup")
        means = {each["arm"]: each for each in summarise(rows, ("arm",), ("average_accuracy",))}
        cells = [percent(means[a]["average_accuracy_mean"], means[a]["average_accuracy_sd"]) for a in (arm, other)]
        body.append([f"{arm.split('_')[1]} %", *cells, points(interval(gain(rows, arm, other)))])
    note = "Points, paired by seed; mean and 95 % interval. Published: +8.3 on average over 2 to 10 %."
    return Table(f"{sequence}: exclusive training of weights", ["density", "exssnet", "supsup", "gain"], body, note)


def transfers(sequence: str, rows: Sequence[Row]) -> Table:
    """What starting from earlier masks saves, on tasks met for the first time and on those met before."""
    body = []
    for arm in (arm for arm in TRANSFERS if arm in {row["arm"] for row in rows}):
        for title, again in (("for the first time", False), ("again", True)):
            part = [{**row, **_of(row, again)} for row in rows]
            steps = interval(gain(part, arm, "exssnet", "steps"))
            plain, own = (fmean(row["steps"] for row in part if row["arm"] == each) for each in ("exssnet", arm))
            started = fmean(row["started"] for row in part if row["arm"] == arm)
            fewer = f"{steps['mean']:+.1f} [{steps['low']:+.1f}, {steps['high']:+.1f}]"
            body.append([arm, title, f"{plain:.1f}", f"{own:.1f}", fewer, percent(started, math.nan)])
    note = (
        "Steps until 95 % of a task's final validation accuracy, without and with transfer, and their difference, "
        "paired by seed, with its 95 % interval. Started: tasks for which an earlier mask passed the bar. The very "
        "first task has none to start from and is left out."
    )
    header = ["", "tasks met", "steps without", "with", "difference", "started, %"]
    return Table(f"{sequence}: start from an earlier mask", header, body, note)


def _of(row: Row, again: bool) -> dict[str, float]:
    """Mean steps and share of tasks with a start, over the tasks of the first time or of any later one."""
    tasks = [t for t, name in enumerate(row["tasks"]) if t and name.endswith(f"{TIME}1") != again]
    return {
        "steps": fmean(row["steps_to_95"][t] for t in tasks),
        "started": fmean(bool(row["chosen"][t]) for t in tasks),
    }


def hundred(found: dict[str, Any]) -> Table:
    """How time and disk grow over many tasks."""
    each, body = found["each"], []
    for first in range(0, len(each), 20):
        part = each[first : first + 20]
        test, own, size = (fmean(row[key] for row in part) for key in ("test", "own", "bytes"))
        seconds = median(row["seconds"] for row in part)
        body.append(
            [
                f"{first + 1} to {first + len(part)}",
                percent(test, math.nan),
                f"{seconds:.1f}",
                f"{own:.0f}",
                f"{size / 1e3:.0f}",
            ]
        )
    note = (
        f"{found['unmoved']} of {found['tasks']} tasks answer in a new process as when they were learned, bit for "
        f"bit. The base takes {found['base_bytes'] / 1e3:.0f} kB."
    )
    return Table(
        "Tasks in a row", ["tasks", "test accuracy", "s a task, median", "weights it owns", "kB a task"], body, note
    )


def main() -> None:
    todo = plan()
    tables, metrics, left = [], {}, []
    for name in todo.sequences:
        if not (file := ROWS / f"{name}.jsonl").exists():
            left.append(name)
            continue
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        tables.append(table(name, rows))
        arms = {row["arm"] for row in rows}
        if "supsup_2" in arms:
            tables.append(densities(name, rows))
        if arms & set(TRANSFERS):
            tables.append(transfers(name, rows))
        keys = ("average_accuracy", "forgetting", "seconds", "late_steps")
        metrics[name] = {
            row["arm"]: {k: round(v, 4) for k, v in row.items() if k.endswith(("_mean", "_sd")) and v == v}
            for row in summarise([derived(row) for row in rows], ("arm",), keys)
        }
    if (file := STUDY / "hundred.json").exists():
        tables.append(hundred(json.loads(file.read_text())))
    else:
        left.append("hundred")
    text = [found.markdown() for found in tables] + ([f"Not run yet: {', '.join(left)}.\n"] if left else [])
    write_whole(STUDY / "tables.md", "\n".join(text))
    write_whole(STUDY / "metrics.json", json.dumps(metrics, indent=1) + "\n")


if __name__ == "__main__":
    run_stage(main)
