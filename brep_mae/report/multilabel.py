"""Which classes a solid shows: scores of every label rule, and what the learned policy has set for each class."""

import math
from collections.abc import Sequence
from statistics import fmean

from matplotlib.figure import Figure
from scipy.stats import spearmanr

from brep_mae.report.figures import PALETTE
from brep_mae.report.tables import Row, Table, above, interval, percent, points, summarise

POLICY = "policy"
SCORES = {"macro_f1": "macro-F1", "micro_f1": "micro-F1", "map": "mAP", "strict": "strict accuracy"}


def multilabel_tables(rows: Sequence[Row]) -> list[Table]:
    """Scores of all rules, how far the policy is above each of the others, and the policy's numbers of each class."""
    runs = [row for row in rows if row["rule"] == POLICY]
    scores, gains = [], []
    for summary in summarise(rows, ("rule",), tuple(SCORES)):
        scores.append([summary["rule"], *(percent(summary[f"{s}_mean"], summary[f"{s}_sd"]) for s in SCORES)])
        if (rule := summary["rule"]) != POLICY:
            gains.append([rule, *(points(above(rows, POLICY, rule, s)) for s in SCORES)])
    note = (
        f"In % of test solids, mean ± sd over {len(runs)} draws of labelled solids. mAP knows no threshold: it tells "
        "what weights do from what thresholds do. Strict: all classes of a solid are right."
    )
    paired = (
        "Percentage points, paired by draw; mean and 95 % t-interval. An interval that holds 0 is no evidence of a "
        "difference."
    )
    header = ["rule", *SCORES.values()]
    return [
        Table("Which classes does a solid show", header, scores, note),
        Table("The policy above each rule", header, gains, paired),
        _of_classes(runs),
    ]


def by_class(runs: Sequence[Row]) -> dict[str, list[dict[str, float]]]:
    """Class -> frequency, weight, threshold and F1 (NaN where no test solid shows it) in every run that asks for it."""
    found: dict[str, list[dict[str, float]]] = {}
    for run in runs:
        columns = (run[key] for key in ("classes", "frequency", "weights", "thresholds", "f1"))
        for name, frequency, weight, threshold, f1 in zip(*columns, strict=True):
            numbers = {"frequency": frequency, "weight": weight, "threshold": threshold}
            found.setdefault(name, []).append(numbers | {"f1": math.nan if f1 is None else f1})
    return found


def with_frequency(runs: Sequence[Row], key: str) -> list[float]:
    """Spearman's correlation of a run's "weights" or "thresholds" with how frequent classes are, over the classes that
    solids that train show; runs in which either is constant are left out."""
    found = []
    for run in runs:
        pairs = [(f, value) for f, value in zip(run["frequency"], run[key], strict=True) if f > 0]
        if all(len(set(column)) > 1 for column in zip(*pairs, strict=True)) and pairs:
            found.append(float(spearmanr(*zip(*pairs, strict=True)).statistic))
    return found


def _correlation(runs: Sequence[Row], key: str) -> str:
    found = with_frequency(runs, key)
    if not found:
        return "not defined"
    about = interval(found)
    spread = f" [{about['low']:+.2f}, {about['high']:+.2f}]" if math.isfinite(about["low"]) else ""
    return f"{about['mean']:+.2f}{spread}"


def _of_classes(runs: Sequence[Row]) -> Table:
    body = []
    for name, found in sorted(by_class(runs).items(), key=lambda item: -fmean(n["frequency"] for n in item[1])):
        f1 = [numbers["f1"] for numbers in found if math.isfinite(numbers["f1"])]
        means = [fmean(numbers[key] for numbers in found) for key in ("frequency", "weight", "threshold")]
        shares = percent(means[0], math.nan), f"{means[1]:.2f}", f"{means[2]:.2f}"
        body.append([name, *shares, percent(fmean(f1), math.nan) if f1 else "–"])
    note = (
        "Means over draws; frequency among the solids that train, in %. Rank correlation with frequency, mean and 95 % "
        f"t-interval over draws: of weights {_correlation(runs, 'weights')}, of thresholds "
        f"{_correlation(runs, 'thresholds')}. A class that no such solid shows keeps weight 1 and threshold 0.5."
    )
    return Table("What the policy sets", ["class", "frequency", "weight", "threshold", "F1"], body, note)


def policy_figure(rows: Sequence[Row]) -> Figure:
    """Weight and threshold of each class against its frequency, one colour a draw; F1 on held-out solids against
    episodes, every rule."""
    runs = [row for row in rows if row["rule"] == POLICY]
    figure = Figure(figsize=(12.5, 3.6), layout="constrained", dpi=110)
    *scatters, curves = figure.subplots(1, 3)
    for axes, key, neutral in zip(scatters, ("weights", "thresholds"), (1.0, 0.5), strict=True):
        for color, run in zip(PALETTE, runs, strict=False):
            axes.plot([100 * f for f in run["frequency"]], run[key], "o", ms=4, alpha=0.7, color=color)
        axes.axhline(neutral, color="black", linestyle="--", linewidth=0.8)
        axes.set(
            xlabel="solids that show the class, %", ylabel=key, title=f"rank correlation {_correlation(runs, key)}"
        )
    for color, rule in zip(PALETTE, dict.fromkeys(row["rule"] for row in rows), strict=False):
        found = [row["curve"] for row in rows if row["rule"] == rule]
        mean = [100 * fmean(scores) for scores in zip(*found, strict=True)]
        curves.plot(range(1, len(mean) + 1), mean, color=color, linewidth=1, label=rule)
    curves.set(xlabel="episode", ylabel="macro-F1 of held-out solids, %", title="mean over draws")
    curves.legend(fontsize=7)
    for axes in (*scatters, curves):
        axes.grid(alpha=0.3)
    return figure
