"""Figures of methods: one of each method's training, and one in which all of them are compared."""

import math
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from matplotlib.figure import Figure

from brep_mae.report.figures import PALETTE
from brep_mae.report.methods import PROBES, SCORE, ends, of_tasks
from brep_mae.report.tables import Row, shots_title, summarise

OTHER = (0.35, 0.35, 0.35)
"""Colour of what belongs to no network that is met from scratch."""
SHOTS = 10
"""Labelled solids at which methods are compared, or what was run nearest to that."""

COLUMNS = 4


def method_curves(history: Sequence[Row], probes: Sequence[Row]) -> Figure:
    """One method against its steps: a panel per term of the held-out loss, then one per task with both probes and,
    dashed, what they score at step 0."""
    held = [row for row in history if row["split"] == "heldout"]
    terms = [
        key for key in dict.fromkeys(key for row in held for key in row) if key == "loss" or "." in key
    ]  # no counts
    tasks = of_tasks(probes)
    count = max(1, len(terms) + len(tasks))
    lines = -(-count // COLUMNS)
    figure = Figure(figsize=(3.3 * min(count, COLUMNS), 2.7 * lines), layout="constrained", dpi=110)
    panels = list(figure.subplots(lines, min(count, COLUMNS), squeeze=False).flat)
    for axes, term in zip(panels, terms, strict=False):
        points = [(row["step"], row[term]) for row in held if term in row]
        axes.plot(*zip(*points, strict=True), color=PALETTE[0])
        axes.set(xlabel="step", title=f"held out: {term}")
    for axes, task in zip(panels[len(terms) :], tasks, strict=False):
        for color, (probe, title) in zip(PALETTE[1:], PROBES.items(), strict=False):
            curve = sorted((r["step"], 100 * r["score"]) for r in probes if (r["task"], r["probe"]) == (task, probe))
            if curve:
                axes.plot(*zip(*curve, strict=True), "-o", ms=3, color=color, label=title)
                axes.axhline(curve[0][1], color=color, linestyle="--", linewidth=0.8)
        axes.set(xlabel="step", title=f"{task}: right, %")
        axes.legend(fontsize=7)
    for axes in panels[:count]:
        axes.grid(alpha=0.3)
    for axes in panels[len(terms) + len(tasks) :]:
        axes.remove()
    return figure


def comparison(probes: Sequence[Row], fewshot: Sequence[Row]) -> Figure:
    """All methods: a line of panels per task, a row per method, best at the top.

    Linear probe and kNN run from step 0 (hollow) to the last step (full), the gain beside them; few-shot accuracy is
    fine-tuned (full) and frozen (hollow), mean ± sd over seeds. A colour is a network, whose score from scratch is the
    dashed line.
    """
    tasks = of_tasks(probes, fewshot)
    colors = network_colors(fewshot)
    methods = {task: _ranked(task, probes, fewshot) for task in tasks}
    height = sum(0.27 * len(found) + 1.1 for found in methods.values())
    figure = Figure(figsize=(12.5, max(2.5, height)), layout="constrained", dpi=110)
    ratios = [0.27 * len(methods[task]) + 1.1 for task in tasks]
    for line, task in zip(
        figure.subplots(len(tasks), 3, squeeze=False, sharey="row", height_ratios=ratios), tasks, strict=True
    ):
        names = methods[task]
        for axes, (probe, title) in zip(line, PROBES.items(), strict=False):
            _probe_panel(axes, names, {name: ends(probes, name, task, probe) for name in names}, colors)
            axes.set_title(f"{task}: {title}, step 0 → last, %", fontsize=10)
        _fewshot_panel(line[2], task, names, fewshot, colors)
        line[0].set_yticks(range(len(names)), names, fontsize=9)
        line[0].set_ylim(-0.7, len(names) - 0.3)
        for axes in line:
            axes.grid(axis="x", alpha=0.3)
            axes.margins(x=0.18)
    baselines, labels = line[2].get_legend_handles_labels()
    figure.legend(baselines, labels, fontsize=8, loc="outside lower right", ncols=max(1, len(labels)))
    return figure


def network_colors(fewshot: Sequence[Row]) -> dict[str, tuple[float, ...]]:
    """Encoder -> colour of its network."""
    kinds = {row["encoder"]: row["kind"] for row in fewshot if row["kind"] != "none"}
    color = dict(zip(dict.fromkeys(kinds.values()), cycle(PALETTE), strict=False))
    return {encoder: color[kind] for encoder, kind in kinds.items()}


def _nearest(shots: Sequence[int]) -> int:
    return min(set(shots), key=lambda count: (abs(math.log(count / SHOTS)), count), default=SHOTS)


def _ranked(task: str, probes: Sequence[Row], fewshot: Sequence[Row]) -> list[str]:
    """Methods from worst to best: by few-shot accuracy after fine-tuning, those without any by the linear probe."""
    of_task = [row for row in fewshot if row["task"] == task and row["mode"] == "finetuned"]
    count = _nearest([row["shots"] for row in of_task])
    means = summarise([row for row in of_task if row["shots"] == count], ("encoder",), (SCORE,))
    tuned = {row["encoder"]: row[f"{SCORE}_mean"] for row in means if not row["encoder"].startswith("scratch_")}
    linear = {row["method"]: ends(probes, row["method"], task, "linear") for row in probes if row["task"] == task}
    names = dict.fromkeys([*linear, *tuned])
    last = {name: found[1] for name, found in linear.items() if found is not None}
    return sorted(names, key=lambda name: (name in tuned, tuned.get(name, last.get(name, 0.0)), name))


def _probe_panel(
    axes: Any,
    names: Sequence[str],
    scores: dict[str, tuple[float, float] | None],
    colors: dict[str, tuple[float, ...]],
) -> None:
    for place, name in enumerate(names):
        if (found := scores[name]) is None:
            continue
        first, last = (100 * score for score in found)
        color = colors.get(name, OTHER)
        axes.plot([first, last], [place, place], color=color, linewidth=1.5, alpha=0.6)
        axes.plot(first, place, "o", color=color, markerfacecolor="white", ms=5)
        axes.plot(last, place, "o", color=color, ms=5)
        beside = max(first, last), place
        axes.annotate(f"{last - first:+.1f}", beside, (6, 0), textcoords="offset points", fontsize=7, va="center")


def _fewshot_panel(
    axes: Any, task: str, names: Sequence[str], fewshot: Sequence[Row], colors: dict[str, tuple[float, ...]]
) -> None:
    count = _nearest([row["shots"] for row in fewshot if row["task"] == task])
    chosen = [row for row in fewshot if row["task"] == task and row["shots"] == count]
    for row in summarise(chosen, ("encoder", "mode"), (SCORE,)):
        if not row[f"{SCORE}_n"]:
            continue
        name, mean, sd = row["encoder"], 100 * row[f"{SCORE}_mean"], 100 * row[f"{SCORE}_sd"]
        color = colors.get(name, OTHER)
        if name in names:
            tuned = row["mode"] == "finetuned"
            axes.errorbar(
                mean,
                names.index(name) + (0.12 if tuned else -0.16),
                xerr=None if math.isnan(sd) else sd,
                fmt="o" if tuned else "s",
                color=color,
                markerfacecolor=color if tuned else "white",
                ms=5 if tuned else 4,
                linewidth=1,
                capsize=2,
            )
        elif row["mode"] == "finetuned" or name == "majority":
            axes.axvline(mean, color=color, linestyle="--" if name != "majority" else ":", linewidth=1, label=name)
    axes.set_title(f"{task}: {shots_title(count)}, tuned ● frozen □, %", fontsize=10)
