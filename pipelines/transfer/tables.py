"""Stage `tables`: the rows of all targets -> tables.md and metrics.json of the study."""

import json
import math
from collections.abc import Sequence
from typing import Any

from brep_mae.report.tables import Row, Table, interval, percent, points, shots_title, summarise
from pipelines.transfer.plan import ROWS, STUDY, TableParams, plan

SCORE, DIGITS = "micro", 2
Column = tuple[str, int]


def table(about: TableParams, rows: Sequence[Row]) -> Table:
    """Arms down, targets and numbers of labels across: mean and spread over seeds, or gains paired by seed."""
    rows = [r for r in rows if r["target"] in about.targets and (not about.shots or r["shots"] in about.shots)]
    kept = [row for row in rows if row["encoder"] in about.arms]
    columns = sorted({(r["target"], r["shots"]) for r in kept}, key=lambda c: (about.targets.index(c[0]), c[1]))
    cells = means(kept) if about.against is None else gains(kept, [r for r in rows if r["encoder"] == about.against])
    body = [[arm, *(cells.get((arm, *column), "–") for column in columns)] for arm in about.arms]
    if about.against is None:
        draws = {(r["target"], r["shots"], r["seed"]): {**r, "encoder": "ceiling"} for r in kept}
        best = means(list(draws.values()), "ceiling")
        body.append(["ceiling", *(best.get(("ceiling", *column), "–") for column in columns)])
    for name, known in about.published.items():
        body.append([name, *(percent(known.get(n, math.nan), math.nan, DIGITS) for _, n in columns)])
    several = len(about.targets) > 1
    header = ["", *(f"{target}, {shots_title(n)}" if several else shots_title(n) for target, n in columns)]
    return Table(about.title, header, body, about.note)


def means(rows: Sequence[Row], score: str = SCORE) -> dict[tuple[str, str, int], str]:
    """(arm, target, shots) -> mean and spread over seeds."""
    by = ("encoder", "target", "shots")
    found = summarise(rows, by, (score,))
    return {tuple(r[key] for key in by): percent(r[f"{score}_mean"], r[f"{score}_sd"], DIGITS) for r in found}


def gains(rows: Sequence[Row], base: Sequence[Row]) -> dict[tuple[str, str, int], str]:
    """(arm, target, shots) -> mean gain over `base` at the same seed, with its 95 % interval."""
    reference = {(r["target"], r["shots"], r["seed"]): r[SCORE] for r in base}
    pairs: dict[tuple[str, str, int], list[float]] = {}
    for r in rows:
        if (at := (r["target"], r["shots"], r["seed"])) in reference:
            pairs.setdefault((r["encoder"], *at[:2]), []).append(r[SCORE] - reference[at])
    return {key: points(interval(found)) for key, found in pairs.items()}


def metrics(rows: Sequence[Row]) -> dict[str, Any]:
    """target -> arm -> number of labels -> mean, sd and n, the form `dvc metrics show` prints."""
    tree: dict[str, Any] = {}
    for r in summarise(rows, ("target", "encoder", "shots"), (SCORE, "miou", "per_part", "seconds")):
        numbers = {k: round(v, 4) for k, v in r.items() if k.endswith(("_mean", "_sd")) and v == v}
        tree.setdefault(r["target"], {}).setdefault(r["encoder"], {})[str(r["shots"])] = numbers | {"n": r["n"]}
    return tree


def main() -> None:
    todo = plan()
    files = {target: ROWS / f"{target}.jsonl" for target in todo.targets}
    there = {target: file for target, file in files.items() if file.exists()}
    rows = [json.loads(line) for file in there.values() for line in file.read_text().splitlines()]
    tables = [table(about, rows).markdown() for about in todo.tables.values() if there.keys() & set(about.targets)]
    if left := sorted(files.keys() - there.keys()):
        tables.append(f"Not run yet: {', '.join(left)}.\n")
    (STUDY / "tables.md").write_text("\n".join(tables))
    (STUDY / "metrics.json").write_text(json.dumps(metrics(rows), indent=1) + "\n")


if __name__ == "__main__":
    main()
