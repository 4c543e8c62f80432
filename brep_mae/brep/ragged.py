"""Rows of unequal length in one flat array, and runs of rows of objects that hold arrays."""

import copy
from typing import TypeVar

import numpy as np

Rows = TypeVar("Rows")


def owners(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row of each element, and its place in that row. Shapes: (R,) lengths -> twice (sum of lengths,)"""
    starts = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - starts[owner]


def totals(values: np.ndarray, owner: np.ndarray, rows: int) -> np.ndarray:
    """Sum of the elements of each row. Shapes: (N, ...), (N,) -> (rows, ...)"""
    total = np.zeros((rows, *values.shape[1:]))
    np.add.at(total, owner, values)
    return total


def span(values: np.ndarray, owner: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest element of each row, infinite where a row is empty; `owner` must not decrease.

    Shapes: (N, ...), (N,) -> twice (rows, ...)
    """
    low, high = (np.full((rows, *values.shape[1:]), end) for end in (np.inf, -np.inf))
    if len(owner):
        first = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
        low[owner[first]] = np.minimum.reduceat(values, first, axis=0)
        high[owner[first]] = np.maximum.reduceat(values, first, axis=0)
    return low, high


def take(counts: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Elements of the given rows one after the other: place in `rows`, place in the flat array.

    Shapes: (R,) lengths of all rows, (T,) chosen rows -> twice (sum of the chosen lengths,)
    """
    starts = np.cumsum(counts) - counts
    owner, place = owners(counts[rows])
    return owner, starts[rows][owner] + place


def run(whole: Rows, start: int, stop: int) -> Rows:
    """A shallow copy of an object of which every array has one row per item: rows `start` to before `stop` of each."""
    part = copy.copy(whole)
    for name, value in vars(whole).items():
        if isinstance(value, np.ndarray):
            setattr(part, name, value[start:stop])
    return part
