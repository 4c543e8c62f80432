"""Which classes are taken for which, as a matrix, and the solids on which it happens, drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from brep_mae.report.drawings import SEEN, best_view, panel, scene
from brep_mae.report.figures import PALETTE

COLUMNS = 3


def matrix(table: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Counts (C, C), row = truth, as shares of their row in colour, with the counts of what is wrong written in."""
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(8.5, 7.5), layout="constrained", dpi=110)
    axes: Any = figure.subplots()
    axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1)  # the root, so that a few in a thousand are seen
    for i, j in np.argwhere(table):
        right = i == j
        axes.text(j, i, f"{100 * share[i, i]:.1f}%" if right else table[i, j], ha="center", va="center", fontsize=6.5,
                  color="white" if right and share[i, i] > 0.5 else "crimson")  # fmt: skip
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="answer", ylabel="truth", title=title)
    return figure


@dataclass(frozen=True)
class Mistaken:
    """A solid with wrong answers: grid (F, U, V, 7) and edges (E, U, 3) in its unit box, truth and answer (F,)."""

    uid: str
    grid: np.ndarray
    edge: np.ndarray
    truth: np.ndarray
    answer: np.ndarray


def drawn(solids: Sequence[Mistaken], names: Sequence[str]) -> Figure:
    """Each solid with its wrong faces in colour: the title says what they are and what they were taken for."""
    columns = min(COLUMNS, len(solids))
    lines = -(-len(solids) // columns)
    figure = Figure(figsize=(4.2 * columns, 4.0 * lines), layout="constrained", dpi=110)
    for i, solid in enumerate(solids):
        wrong = solid.truth != solid.answer
        pairs = sorted({(int(t), int(a)) for t, a in zip(solid.truth[wrong], solid.answer[wrong], strict=True)})
        color = {pair: PALETTE[k % len(PALETTE)] for k, pair in enumerate(pairs)}
        paint = {
            face: color[int(solid.truth[face]), int(solid.answer[face])] if wrong[face] else SEEN
            for face in range(len(solid.grid))
        }
        view = best_view(solid.grid, wrong)
        title = "\n".join(f"{names[t]} taken for {names[a]}" for t, a in pairs)
        panel(figure, (lines, columns, i + 1), scene(solid.grid, paint, solid.edge, view), solid.grid, view, title)
    return figure
