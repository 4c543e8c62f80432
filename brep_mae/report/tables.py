"""Result rows to tables: mean and spread over seeds, and paired gains over training from scratch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtrit

Row = Mapping[str, Any]

SCORES = {
    "micro": "share of right answers",
    "per_part": "accuracy over faces, averaged over solids",
    "macro": "recall averaged over classes",
    "miou": "intersection over union averaged over classes",
}
BUDGET = {
    "covered": "share of the classes that occur among the labelled solids",
    "ceiling": "best score without an example of the other classes",
}


@dataclass(frozen=True)
class Table:
    """Text cells under a header. `note` says what the numbers are."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """As GitHub shows it; the first column is left-aligned, the others right."""
        cells = [
            [str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in (self.header, *self.rows)
        ]
        rule = [":--", *["--:"] * (len(self.header) - 1)]
        body = ["| " + " | ".join(row) + " |" for row in (cells[0], rule, *cells[1:])]
        return "\n".join([f"### {self.title}", "", *body, *(["", self.note] if self.note else [])]) + "\n"


def summarise(rows: Iterable[Row], by: Sequence[str], values: Sequence[str]) -> list[dict[str, Any]]:
    """Groups rows by the columns `by`, in order of first appearance.

    Returns: per group the `by` columns, `n` rows, and `<value>_mean`, `<value>_sd`, `<value>_n` over the rows that have
    the value as a finite number. The sd is the sample's (n - 1); it is NaN for one row, as the mean is for none.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in by), []).append(row)
    result = []
    for key, members in groups.items():
        summary: dict[str, Any] = {**dict(zip(by, key, strict=True)), "n": len(members)}
        for value in values:
            have = [float(row[value]) for row in members if isinstance(row.get(value), int | float)]
            have = [number for number in have if math.isfinite(number)]
            summary[f"{value}_mean"] = fmean(have) if have else math.nan
            summary[f"{value}_sd"] = stdev(have) if len(have) > 1 else math.nan
            summary[f"{value}_n"] = len(have)
        result.append(summary)
    return result


def percent(mean: float, sd: float, digits: int = 1) -> str:
    """Shares as percent: `71.3 ± 2.1`; without a spread where there was one seed; a dash for nothing."""
    if not math.isfinite(mean):
        return "–"
    return f"{100 * mean:.{digits}f}" + (f" ± {100 * sd:.{digits}f}" if math.isfinite(sd) else "")


def _seeds(counts: Iterable[int]) -> str:
    found = sorted(set(counts) - {0})
    return f"n = {found[0]}" if len(found) == 1 else f"n = {found[0]} to {found[-1]}" if found else "n = 0"


def shots_title(count: int) -> str:
    return f"{count} shot" + ("s" if count > 1 else "")


def _pivot(title: str, note: str, summaries: Sequence[Row], label: Sequence[str], value: str) -> Table:
    """One row per `label`, one column per number of shots."""
    shots = sorted({row["shots"] for row in summaries})
    cells: dict[tuple[str, ...], dict[int, str]] = {}
    for row in summaries:
        key = tuple(str(row[column]) for column in label)
        cells.setdefault(key, {})[row["shots"]] = percent(row[f"{value}_mean"], row[f"{value}_sd"])
    body = [[*key, *(by_shots.get(count, "–") for count in shots)] for key, by_shots in cells.items()]
    return Table(title, [*label, *map(shots_title, shots)], body, note)


def fewshot_tables(rows: Sequence[Row]) -> list[Table]:
    """Per task: one table for each score that occurs, then what the labelled solids cover."""
    tables = []
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        for score, meaning in SCORES.items():
            summaries = summarise(of_task, ("encoder", "mode", "shots"), (score,))
            if not any(row[f"{score}_n"] for row in summaries):
                continue
            note = f"In %: {meaning}; mean ± sd over seeds, {_seeds(row[f'{score}_n'] for row in summaries)}."
            tables.append(_pivot(f"{task}: {score}", note, summaries, ("encoder", "mode"), score))
        # every encoder sees the same draws of labelled solids, so one row per draw is enough
        draws = {(row["shots"], row["seed"]): row for row in of_task}.values()
        for share, meaning in BUDGET.items():
            summaries = [{"draw": "all encoders", **row} for row in summarise(draws, ("shots",), (share,))]
            if any(row[f"{share}_n"] for row in summaries):
                note = f"In %: {meaning}; mean ± sd over seeds, {_seeds(row[f'{share}_n'] for row in summaries)}."
                tables.append(_pivot(f"{task}: {share}", note, summaries, ("draw",), share))
    return tables


def gains(rows: Sequence[Row], task: str, score: str) -> list[dict[str, Any]]:
    """Differences to the same network from scratch, for the same labelled solids, seed and mode.

    Where scratch was not run in that mode (a frozen random network is not always of interest), fine-tuned scratch is
    what a row is paired with; `against` says which.

    Returns: encoder, mode, against, shots, n pairs, mean, and low and high, the 95 % t-interval of the mean (NaN for
    one pair).
    """
    scores = {
        (row["encoder"], row["mode"], row["shots"], row["seed"]): float(row[score])
        for row in rows
        if row["task"] == task and isinstance(row.get(score), int | float)
    }
    kinds = {row["encoder"]: f"scratch_{row['kind']}" for row in rows if row.get("kind", "none") != "none"}
    modes = {key[:2] for key in scores}
    pairs: dict[tuple[str, str, str, int], list[float]] = {}
    for (encoder, mode, shots, seed), value in scores.items():
        base = kinds.get(encoder)
        if base is None or encoder.startswith("scratch_"):
            continue
        base_mode = mode if (base, mode) in modes else "finetuned"
        reference = scores.get((base, base_mode, shots, seed))
        if reference is not None:
            pairs.setdefault((encoder, mode, f"{base} {base_mode}", shots), []).append(value - reference)
    result = []
    for (encoder, mode, against, shots), differences in pairs.items():
        found = {"encoder": encoder, "mode": mode, "against": against, "shots": shots, "n": len(differences)}
        result.append(found | interval(differences))
    return result


def interval(differences: Sequence[float]) -> dict[str, float]:
    """mean, and low and high of its 95 % t-interval (NaN for one difference)."""
    mean, half = fmean(differences), math.nan
    if (n := len(differences)) > 1:
        half = float(stdtrit(n - 1, 0.975)) * stdev(differences) / math.sqrt(n)
    return {"mean": mean, "low": mean - half, "high": mean + half}


def above(rows: Sequence[Row], ours: str, rule: str, score: str) -> dict[str, float]:
    """How far label rule `ours` is above another: `interval` of the differences on the same draws, seed by seed."""
    own = {row["seed"]: row[score] for row in rows if row["rule"] == ours}
    return interval([own[row["seed"]] - row[score] for row in rows if row["rule"] == rule])


def points(gain: Row) -> str:
    """An interval in percentage points: `+1.2 [+0.3, +2.1]`."""
    text = f"{100 * gain['mean']:+.1f}"
    return text + (f" [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]" if math.isfinite(gain["low"]) else "")


def gain_tables(rows: Sequence[Row]) -> list[Table]:
    """Per task and score: what pretraining adds, in percentage points."""
    tables = []
    for task in dict.fromkeys(row["task"] for row in rows):
        for score in SCORES:
            found = gains(rows, task, score)
            shots = sorted({row["shots"] for row in found})
            cells: dict[tuple[str, str, str], dict[int, str]] = {}
            for row in found:
                cells.setdefault((row["encoder"], row["mode"], row["against"]), {})[row["shots"]] = points(row)
            body = [[*key, *(by_shots.get(count, "–") for count in shots)] for key, by_shots in cells.items()]
            if body:
                header = ["encoder", "mode", "against", *map(shots_title, shots)]
                note = (
                    "Percentage points over the same network from scratch, paired by seed; mean and 95 % t-interval, "
                    f"{_seeds(row['n'] for row in found)}. An interval that holds 0 is no evidence of a gain."
                )
                tables.append(Table(f"{task}: gain in {score}", header, body, note))
    return tables


def continual_table(rows: Sequence[Row]) -> Table:
    """One row per way of learning the tasks one after the other."""
    body = []
    summaries = summarise(rows, ("mode",), ("average_accuracy", "forgetting", "written", "overlap", "seconds"))
    for row in summaries:
        known = [each["bit_identical"] for each in rows if each["mode"] == row["mode"] and "bit_identical" in each]
        body.append(
            [
                str(row["mode"]),
                percent(row["average_accuracy_mean"], row["average_accuracy_sd"]),
                percent(row["forgetting_mean"], row["forgetting_sd"]),
                "–" if not known or None in known else "yes" if all(known) else "no",
                percent(row["written_mean"], math.nan),
                percent(row["overlap_mean"], math.nan),
                f"{row['seconds_mean']:.0f}" if math.isfinite(row["seconds_mean"]) else "–",
            ]
        )
    note = (
        "Accuracy over all tasks after the last one, forgetting, weights that some task may write, and overlap of a "
        "mask with one earlier mask, in %; mean ± sd over seeds, "
        f"{_seeds(row['n'] for row in summaries)}. Bit-identical: the outputs on every earlier task stayed the same, "
        "bit for bit, in every run."
    )
    header = ["mode", "average accuracy", "forgetting", "bit-identical", "weights written", "overlap", "seconds"]
    return Table("Continual learning", header, body, note)
