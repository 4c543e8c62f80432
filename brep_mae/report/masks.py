"""What a learned mask hides, from the first step to the last: a few held-out samples, and shares by kind of token."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure, SubFigure

from brep_mae.report.drawings import Arrays, best_view, panel, scene
from brep_mae.report.figures import PALETTE
from brep_mae.report.tables import Table

MASKS = "masks.npz"
SHOWN = 4
"""Steps that are drawn, evenly from the first to the last."""
IMAGES = 4
"""Images that are drawn at most."""
FEWEST = 20
"""Held-out tokens of a kind, below which nothing is said of it."""
NOTE = (
    "Held-out samples. Orange is hidden and blue is seen (of images: as it is); the darker, the larger sigma among all "
    "that is drawn of a step. The error of what is hidden counts sigma times."
)


def read_masks(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a masks.npz, see `brep_mae/pretraining/masks.py`."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def shares(stored: Arrays) -> dict[str, np.ndarray]:
    """Kind of token, with the number of those held out -> the share of it that is hidden at every step (S,)."""
    hidden, every = stored["number"][:, 0], stored["number"][0, 1]
    return {
        f"{kind} ({every[i]:.0f})": hidden[:, i] / every[i]
        for i, kind in enumerate(stored["kinds"].tolist())
        if every[i] >= FEWEST
    }


def shown_steps(stored: Arrays) -> list[int]:
    """Places of the steps that are drawn."""
    steps = stored["steps"]
    evenly = np.linspace(steps[0], steps[-1], SHOWN)
    return sorted({int(np.abs(steps - step).argmin()) for step in evenly})


def shares_table(method: str, path: Path) -> Table:
    """A row for every kind of token: how much of it is hidden, at the steps that are drawn."""
    stored = read_masks(path)
    places = shown_steps(stored)
    body = [[kind, *(f"{100 * share[i]:.1f}" for i in places)] for kind, share in shares(stored).items()]
    all_hidden, every = stored["number"].sum(2).T
    body.append(["all", *(f"{100 * all_hidden[i] / every[i]:.1f}" for i in places)])
    note = (
        "In % of the held-out tokens of a kind, whose number is in brackets. A random mask hides as much of every kind."
    )
    steps = [f"step {stored['steps'][i]}" for i in places]
    return Table(f"What the mask of {method} hides", ["kind", *steps], body, note)


def mask_figure(path: Path) -> Figure:
    """A row for every drawn sample and a panel for every drawn step; below, the shares of kinds over all."""
    stored = read_masks(path)
    rows = len(np.unique(stored["solid"])) if "solid" in stored else min(IMAGES, len(stored["images"]))
    height = (3.0 if "solid" in stored else 2.2) * rows
    figure = Figure(figsize=(12, height + 3), layout="constrained", dpi=110)
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[height, 3]).flat
    (_solids if "solid" in stored else _images)(upper, stored)
    axes: Any = lower.subplots()
    for color, (kind, share) in zip(PALETTE, shares(stored).items(), strict=False):
        axes.plot(stored["steps"], 100 * share, "-o", ms=3, color=color, label=kind)
    all_hidden, every = stored["number"].sum(2).T
    axes.plot(stored["steps"], 100 * all_hidden / every, "--", color="black", label="all")
    axes.set(xlabel="step", ylabel="hidden, %", title="held out: how much of each kind is hidden")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.grid(alpha=0.3)
    return figure


def _shades(stored: Arrays) -> np.ndarray:
    """Sigma from 0, the least, to 1, the largest of all that is drawn of a step. (S, M)"""
    sigma = stored["sigma"]
    least, most = sigma.min(1, keepdims=True), sigma.max(1, keepdims=True)
    return np.asarray((sigma - least) / np.maximum(most - least, 1e-12))


def _colors(hidden: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """(M,) bool, (M,) -> (M, 3)"""
    orange, blue = colormaps["Oranges"](0.35 + 0.5 * shade), colormaps["Blues"](0.1 + 0.5 * shade)
    return np.asarray(np.where(hidden[:, None], orange, blue)[:, :3])


def _solids(figure: SubFigure, stored: Arrays) -> None:
    places, shades, solids = shown_steps(stored), _shades(stored), np.unique(stored["solid"])
    for line, solid in enumerate(solids):
        rows = np.flatnonzero(stored["solid"] == solid)
        grid, edge = stored["grid"][rows], stored["edge"][np.isin(stored["edge_face"][0], rows)]
        view = best_view(grid, stored["hidden"][-1, rows])
        for column, place in enumerate(places):
            hidden, sigma = stored["hidden"][place, rows], stored["sigma"][place, rows]
            colors = dict(enumerate(_colors(hidden, shades[place, rows]).tolist()))
            title = f"step {stored['steps'][place]}: {hidden.sum()} of {len(rows)} hidden"
            title += f"\nσ {sigma.min():.2f} to {sigma.max():.2f}"
            where = len(solids), len(places), line * len(places) + column + 1
            panel(figure, where, scene(grid, colors, edge, view), grid, view, title)


def _images(figure: SubFigure, stored: Arrays) -> None:
    """The first frame of each."""
    places, shades = shown_steps(stored), _shades(stored)
    images = stored["images"][:IMAGES, 0] / 255
    tokens = stored["hidden"].reshape(len(stored["steps"]), *stored["images"].shape[:2], -1)[:, :IMAGES, 0]
    shade = shades.reshape(len(shades), *stored["images"].shape[:2], -1)[:, :IMAGES, 0]
    side = round(tokens.shape[-1] ** 0.5)
    patch = images.shape[1] // side
    for line, row in enumerate(figure.subplots(len(images), 1 + len(places), squeeze=False)):
        row[0].imshow(images[line])
        row[0].set_title("original", fontsize=9)
        for axes, place in zip(row[1:], places, strict=True):
            hidden = tokens[place, line]
            paint = _colors(hidden, shade[place, line]).reshape(side, side, 3)
            large, over = (np.kron(a, np.ones((patch, patch, 1))) for a in (paint, hidden.reshape(side, side, 1)))
            axes.imshow(images[line] * (1 - 0.8 * over) + large * 0.8 * over)
            axes.set_title(f"step {stored['steps'][place]}", fontsize=9)
        for axes in row:
            axes.set(xticks=[], yticks=[])
