"""The uids of many solids without a Python object for each."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa


class Uids(Sequence[str]):
    """Some texts of an Arrow column, equal to any sequence of the same ones.

    Args:
        column: all of them, large strings.
        rows: which, in their order.
    """

    def __init__(self, column: pa.Array, rows: np.ndarray | range) -> None:
        self.column, self.rows = column, rows
        # Both give Python's own numbers, which are fast, and no slice leaves them.
        self._rows = rows if isinstance(rows, range) else rows.data
        _, ends, text = column.buffers()
        self._ends, self._text = memoryview(ends).cast("q"), memoryview(text or b"")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return Uids(self.column, self.rows[i])
        row = self._rows[i]
        return str(self._text[self._ends[row] : self._ends[row + 1]], "utf-8")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return all(a == b for a, b in zip(self, other, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self),)  # not with the column of all

    def place(self, uid: str) -> int:
        """Where it is among them, who must be sorted; KeyError where it is not."""
        i = bisect_left(self, uid)
        if i == len(self) or self[i] != uid:
            raise KeyError(uid)
        return i
