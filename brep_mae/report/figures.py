"""Figures from result rows. They are drawn without a display."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from brep_mae.report.tables import Row, summarise

PALETTE = [colormaps["tab20"](i)[:3] for i in (*range(0, 20, 2), *range(1, 20, 2)) if i // 2 != 7]
"""Nine strong colours, then a light one of each; no grey."""


def _figure(columns: int, rows: int = 1, size: tuple[float, float] = (4.2, 3.4)) -> Figure:
    return Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained", dpi=110)


def png(figure: Figure) -> bytes:
    """The figure as a PNG file's bytes, the same for the same input."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def fewshot_curves(rows: Sequence[Row], task: str, score: str) -> Figure:
    """Score against labelled solids: a panel per mode, a band of one sd over seeds, encoders listed best first."""
    summaries = summarise([row for row in rows if row["task"] == task], ("encoder", "mode", "shots"), (score,))
    summaries = [row for row in summaries if row[f"{score}_n"]]
    encoders = sorted({row["encoder"] for row in summaries} - {"majority"})
    modes = list(dict.fromkeys(row["mode"] for row in summaries if row["encoder"] != "majority"))
    figure = _figure(max(1, len(modes)), size=(5.6, 4.4))
    ticks = sorted({row["shots"] for row in summaries})
    for axes, mode in zip(figure.subplots(1, max(1, len(modes)), squeeze=False, sharey=True).flat, modes, strict=False):
        lines: dict[str, list[Row]] = {}
        for row in sorted(summaries, key=lambda row: row["shots"]):
            if row["mode"] == mode or row["encoder"] == "majority":
                lines.setdefault(row["encoder"], []).append(row)
        for encoder, points in sorted(lines.items(), key=lambda item: -item[1][-1][f"{score}_mean"]):
            shots = [row["shots"] for row in points]
            mean = np.array([row[f"{score}_mean"] for row in points])
            sd = np.nan_to_num(np.array([row[f"{score}_sd"] for row in points]))
            if encoder == "majority":
                axes.plot(shots, mean, "--", color="black", label=encoder)
                continue
            color = PALETTE[encoders.index(encoder) % len(PALETTE)]
            axes.plot(shots, mean, ":o" if encoder.startswith("scratch_") else "-o", color=color, ms=4, label=encoder)
            axes.fill_between(shots, mean - sd, mean + sd, color=color, alpha=0.12, linewidth=0)
        axes.set_xscale("log")
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set(xlabel="labelled solids", ylabel=score, title=f"{task}, {mode}")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def continual_matrices(rows: Sequence[Row]) -> Figure:
    """Per mode: accuracy on each task (column) after each step of the sequence (row), averaged over seeds."""
    modes = list(dict.fromkeys(row["mode"] for row in rows))
    figure = _figure(len(modes), size=(3.2, 3.2))
    for axes, mode in zip(figure.subplots(1, len(modes), squeeze=False).flat, modes, strict=True):
        runs = [row["accuracy"] for row in rows if row["mode"] == mode]
        tasks = max(len(line) for run in runs for line in run)
        cube = np.full((len(runs), max(len(run) for run in runs), tasks), np.nan)
        for i, run in enumerate(runs):
            for j, line in enumerate(run):
                cube[i, j, : len(line)] = [np.nan if value is None else value for value in line]
        seen = (~np.isnan(cube)).sum(0)
        mean = np.where(seen > 0, np.nansum(cube, 0) / np.maximum(seen, 1), np.nan)
        axes.imshow(mean, vmin=0, vmax=1, cmap="viridis")
        for (i, j), value in np.ndenumerate(mean):
            if np.isfinite(value):
                axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", color="w" if value < 0.6 else "k")
        axes.set(title=mode, xlabel="task", ylabel="after task")
        axes.set_xticks(range(mean.shape[1]), [str(j + 1) for j in range(mean.shape[1])])
        axes.set_yticks(range(mean.shape[0]), [str(i + 1) for i in range(mean.shape[0])])
    return figure


def continual_capacity(rows: Sequence[Row]) -> Figure:
    """Per mode: share of each weight tensor that some task may write, averaged over seeds."""
    modes = list(dict.fromkeys(row["mode"] for row in rows))
    figure = _figure(1, size=(6.0, 1.0 + 0.16 * len(rows[0]["used"])))
    axes = figure.subplots()
    for number, mode in enumerate(modes):
        used = [row["used"] for row in rows if row["mode"] == mode]
        share = [100 * float(np.mean([each[name] for each in used])) for name in used[0]]
        places = np.arange(len(share)) + (number - (len(modes) - 1) / 2) * 0.8 / len(modes)
        axes.barh(places, share, height=0.8 / len(modes), label=mode, color=PALETTE[number])
        axes.set_yticks(range(len(share)), list(used[0]), fontsize=5)
    axes.invert_yaxis()
    axes.set(xlabel="weights that some task may write, %", xlim=(0, 100))
    axes.legend(fontsize=7)
    return figure
