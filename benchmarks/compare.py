"""Times several ways of doing the same beside each other, and says how sure their ratio is."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESAMPLES = 2000


def spread(files: Sequence[Path], count: int) -> list[Path]:
    """`count` of the files at equal steps over all of them, or all where there are no more."""
    chosen = np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)
    return [files[i] for i in chosen.tolist()]


def interleaved(
    items: Sequence[Any], ways: Mapping[str, Callable[[Any], object]], repeats: int
) -> dict[str, np.ndarray]:
    """Wall seconds of every way on every item, all ways on one item before the next, in an order that rotates.

    So a machine that slows down for a while slows all of them down. The first item is done once beforehand, unmeasured.

    Shapes: name of the way -> (items, repeats)
    """
    names = list(ways)
    seconds = {name: np.empty((len(items), repeats)) for name in names}
    for name in names:
        ways[name](items[0])
    for i, item in enumerate(items):
        for repeat in range(repeats):
            for k in range(len(names)):
                name = names[(i + repeat + k) % len(names)]
                start = time.perf_counter()
                ways[name](item)
                seconds[name][i, repeat] = time.perf_counter() - start
    return seconds


def total(seconds: np.ndarray) -> float:
    """Median of the repeats, summed over the items. Shapes: (items, repeats)"""
    return float(np.median(seconds, axis=1).sum())


def ratio(above: np.ndarray, below: np.ndarray, minus: np.ndarray | None = None) -> tuple[float, float, float]:
    """total(above) / (total(below) - total(minus)) with its 95 % bootstrap interval.

    Items are drawn with replacement, and within each item its repeats, the same ones for all arrays, since they were
    measured beside each other.

    Shapes: (items, repeats) each
    """
    rng = np.random.default_rng(0)
    items, repeats = above.shape
    less = np.zeros_like(above) if minus is None else minus
    drawn = []
    for _ in range(RESAMPLES):
        rows = rng.integers(items, size=(items, 1))
        cells = rows, rng.integers(repeats, size=(items, repeats))
        drawn.append(total(above[cells]) / (total(below[cells]) - total(less[cells])))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return total(above) / (total(below) - total(less)), float(low), float(high)


def repeats_for(items: Sequence[Any], least: int) -> int:
    """More repeats where a set has few items, so that at least a dozen measurements stand behind every figure."""
    return max(least, -(-12 // len(items)))


def table(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Prints rows that share their keys under a title."""
    print(f"\n{title}")
    if not rows:
        print("  nothing measured")
        return
    cells = [list(rows[0])] + [[_text(value) for value in row.values()] for row in rows]
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    for row in cells:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)), flush=True)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "{:.3f} [{:.3f}, {:.3f}]".format(*value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
