"""The uids of many solids without a Python object for each, and which solid lies where by its uid."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ABSENT = -1
BETWEEN = 64
"""Of sorted uids one in so many is kept as an object, so that most steps of a search are quick."""


class Texts(Sequence[str]):
    """Texts that are made when one is asked for, equal to any sequence of the same ones."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return all(a == b for a, b in zip(self, other, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self),)  # not with all that they are made from


class Uids(Texts):
    """Some texts of an Arrow column.

    Args:
        column: all of them, strings or large ones.
        rows: which, in their order.
    """

    def __init__(self, column: pa.Array, rows: np.ndarray | range) -> None:
        self.column, self.rows = column, rows
        # Both give Python's own numbers, which are fast, and no slice leaves them.
        self._rows = rows if isinstance(rows, range) else rows.data
        _, ends, text = column.buffers()
        width: Literal["q", "i"] = "q" if pa.types.is_large_string(column.type) else "i"
        self._ends, self._text = memoryview(ends or b"").cast(width), memoryview(text or b"")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return Uids(self.column, self.rows[i])
        row = self._rows[i]
        return str(self._text[self._ends[row] : self._ends[row + 1]], "utf-8")

    @cached_property
    def _marks(self) -> list[str]:
        return list(self[::BETWEEN])

    def place(self, uid: str) -> int:
        """Where it is among them, who must be sorted; KeyError where it is not."""
        first = BETWEEN * max(0, bisect_right(self._marks, uid) - 1)
        i = bisect_left(self, uid, first, min(first + BETWEEN, len(self)))
        if i == len(self) or self[i] != uid:
            raise KeyError(uid)
        return i


class Joined(Texts):
    """Those of several sequences one after the other, each with its number before it: 1/UID."""

    def __init__(self, parts: Sequence[Sequence[str]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts), initial=0))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        at = range(len(self))[i]
        number = bisect_right(self._ends, at) - 1
        return f"{number}/{self._parts[number][at - self._ends[number]]}"

    @staticmethod
    def parted(name: str) -> tuple[int, str]:
        """The number of its sequence, and its own text. KeyError where it is none of theirs."""
        number, _, uid = name.partition("/")
        if not uid or not number.isdecimal():
            raise KeyError(name)
        return int(number), uid


@dataclass(frozen=True)
class ByUid:
    """Rows of a table by the uid of each.

    Args:
        uids: of every row, in stored order.
        by_uid: rows in the order of their uids.
    """

    uids: Uids
    by_uid: np.ndarray

    def __len__(self) -> int:
        return len(self.uids)

    def __contains__(self, uid: str) -> bool:
        try:
            self.row(uid)
        except KeyError:
            return False
        return True

    @cached_property
    def sorted(self) -> Uids:
        return self.some(self.by_uid)

    def row(self, uid: str) -> int:
        """KeyError where there is no such solid."""
        return int(self.by_uid[self.sorted.place(uid)])

    def rows(self, uids: Sequence[str]) -> np.ndarray:
        """Rows of many solids, ABSENT = there is none."""
        return rows_in(self.uids.column, uids)

    def known(self, uids: Uids) -> Uids:
        """Those that have a row, in their order."""
        return Uids(uids.column, np.asarray(uids.rows)[self.rows(uids) != ABSENT])

    def some(self, rows: np.ndarray) -> Uids:
        """The uids in these rows."""
        return Uids(self.uids.column, rows)


def by_uid(column: pa.Array) -> ByUid:
    """The rows of a column of uids. A million are sorted in 0.3 s, and their order takes 4 MB."""
    return ByUid(Uids(column, range(len(column))), sorted_rows(column).to_numpy())


def rows_in(column: pa.Array, uids: Sequence[str]) -> np.ndarray:
    """Rows of a column in which many uids are, ABSENT = in none; the column is read once. (len(uids),) int32"""
    if isinstance(uids, Uids) and uids.column is column:
        return np.asarray(uids.rows)
    texts = uids.column.take(pa.array(uids.rows)) if isinstance(uids, Uids) else pa.array(uids, pa.string())
    rows = pc.fill_null(pc.index_in(texts.cast(column.type), value_set=column), ABSENT).to_numpy()
    pa.default_memory_pool().release_unused()
    return rows


def sorted_rows(column: pa.Array) -> pa.Array:
    """Row numbers in the order of the texts there. (N,) uint32"""
    return pc.array_sort_indices(column).cast(pa.uint32())
