"""Figures from result rows and from stored reconstructions. They are drawn without a display."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # type: ignore[import-untyped]

from brep_mae.report.tables import Row, summarise
from brep_mae.schema import INSIDE, POINT

GREY = (0.72, 0.72, 0.74)
PALETTE = [colormaps["tab10"](i)[:3] for i in range(10)]


def _figure(columns: int, rows: int = 1, size: tuple[float, float] = (4.2, 3.4)) -> Figure:
    return Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained", dpi=110)


def png(figure: Figure) -> bytes:
    """The figure as a PNG file's bytes, the same for the same input."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def fewshot_curves(rows: Sequence[Row], task: str, score: str) -> Figure:
    """Score against labelled solids; a band of one sd over seeds. Full lines are fine-tuned, dotted ones frozen."""
    figure = _figure(1, size=(7.0, 4.4))
    axes = figure.subplots()
    summaries = summarise([row for row in rows if row["task"] == task], ("encoder", "mode", "shots"), (score,))
    encoders = sorted({row["encoder"] for row in summaries} - {"majority"})
    for encoder, mode in dict.fromkeys((row["encoder"], row["mode"]) for row in summaries):
        points = [row for row in summaries if (row["encoder"], row["mode"]) == (encoder, mode) and row[f"{score}_n"]]
        points.sort(key=lambda row: row["shots"])
        if not points:
            continue
        shots = [row["shots"] for row in points]
        mean = np.array([row[f"{score}_mean"] for row in points])
        sd = np.nan_to_num(np.array([row[f"{score}_sd"] for row in points]))
        if encoder == "majority":
            axes.plot(shots, mean, "--", color="black", label="majority")
            continue
        color = PALETTE[encoders.index(encoder) % len(PALETTE)]
        axes.plot(shots, mean, ":o" if mode == "frozen" else "-o", color=color, ms=4, label=f"{encoder}, {mode}")
        axes.fill_between(shots, mean - sd, mean + sd, color=color, alpha=0.15, linewidth=0)
    ticks = sorted({row["shots"] for row in summaries})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set(xlabel="labelled solids", ylabel=score, title=f"{task}: {score}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def loss_curves(histories: Mapping[str, Sequence[Row]], split: str = "heldout") -> Figure:
    """One panel per loss term, one line per method that has the term."""
    kept = {method: [row for row in rows if row["split"] == split] for method, rows in histories.items()}
    terms = list(dict.fromkeys(key for rows in kept.values() for row in rows for key in row))
    terms = [term for term in terms if term not in ("step", "split")]
    columns = min(3, max(1, len(terms)))
    lines = max(1, -(-len(terms) // columns))
    figure = _figure(columns, lines)
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes, term in zip(panels, terms, strict=False):
        for number, (method, rows) in enumerate(kept.items()):
            points = [(row["step"], row[term]) for row in rows if term in row]
            if points:
                axes.plot(*zip(*points, strict=True), color=PALETTE[number % len(PALETTE)], label=method)
        axes.set(xlabel="step", title=f"{split}: {term}")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    for axes in panels[len(terms) :]:
        axes.remove()
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


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def reconstruction(path: Path) -> Figure | None:
    """The picture of a stored reconstruction: of faces, of image patches, or None for another kind of file."""
    keys = set(_load(path))
    if {"grid", "predicted", "hidden"} <= keys:
        return faces(path)
    return patches(path) if {"image", "masked", "predicted"} <= keys else None


def _draw_face(axes: Any, grid: np.ndarray, color: tuple[float, ...]) -> None:
    """Quads whose four samples lie inside the trimming loops; the inside samples themselves where there is none."""
    inside = grid[..., INSIDE] > 0.5
    point = grid[..., POINT]
    whole = inside[:-1, :-1] & inside[1:, :-1] & inside[1:, 1:] & inside[:-1, 1:]
    quads = np.stack([point[:-1, :-1], point[1:, :-1], point[1:, 1:], point[:-1, 1:]], axis=2)[whole]  # (Q, 4, 3)
    if len(quads):
        dark = tuple(0.6 * channel for channel in color)
        axes.add_collection3d(
            Poly3DCollection(quads, facecolors=(*color, 0.55), edgecolors=(*dark, 0.8), linewidths=0.3)
        )
    else:
        axes.scatter(*point[inside].T, color=[color], s=4)


def faces(path: Path) -> Figure:
    """A solid as it is, as the encoder saw it, and with the hidden faces as they were predicted.

    Shapes of the file's arrays: grid and predicted (F, U, V, 7) in the solid's unit box, hidden (F,) bool.
    """
    stored = _load(path)
    truth, predicted, hidden = stored["grid"], stored["predicted"], stored["hidden"].astype(bool)
    figure = _figure(3, size=(3.6, 3.6))
    samples = truth[..., POINT][truth[..., INSIDE] > 0.5]
    low, high = samples.min(0), samples.max(0)
    colors = {face: PALETTE[number % len(PALETTE)] for number, face in enumerate(np.flatnonzero(hidden).tolist())}
    titles = ("original", f"seen: {int((~hidden).sum())} of {len(hidden)} faces", "seen + reconstructed")
    for column, title in enumerate(titles):
        axes: Any = figure.add_subplot(1, 3, column + 1, projection="3d")
        for face in range(len(truth)):
            if not hidden[face]:
                _draw_face(axes, truth[face], GREY)
            elif column != 1:
                _draw_face(axes, (truth if column == 0 else predicted)[face], colors[face])
        axes.set(title=title, xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
        axes.set_box_aspect(np.maximum(high - low, 1e-3))
        axes.set_axis_off()
    return figure


def patches(path: Path) -> Figure:
    """Frames as they are, as the encoder saw them, and as they were predicted: three rows, one column per frame.

    Shapes of the file's arrays: image, masked and predicted (K, H, W, 3), 0 to 1. At most 8 frames are drawn.
    """
    stored = _load(path)
    count = min(8, len(stored["image"]))
    figure = _figure(count, 3, size=(1.4, 1.5))
    grid = figure.subplots(3, count, squeeze=False)
    titles = {"image": "original", "masked": "seen", "predicted": "predicted"}
    for line, (key, title) in zip(grid, titles.items(), strict=True):
        for column, axes in enumerate(line):
            axes.imshow(np.clip(stored[key][column], 0, 1))
            axes.set(xticks=[], yticks=[], ylabel=title if column == 0 else "")
    return figure
