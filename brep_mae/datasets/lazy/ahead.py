"""The next batch is read while the last one is learned from."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from brep_mae.datasets.batch import Batch


class Ahead:
    """Batches by number, each what `read` makes of its number, whatever was asked for before.

    Args:
        read: makes a batch; called in a thread of its own.
        end: the first number that is not asked for.
    """

    def __init__(self, read: Callable[[int], Batch], end: int) -> None:
        self._read, self._end = read, end
        self._reader = ThreadPoolExecutor(1, "reading ahead")  # ends with this object
        self._waiting: dict[int, Future[Batch]] = {}

    def __getitem__(self, number: int) -> Batch:
        """Raises what reading it raised."""
        batch = self._future(number).result()
        self._waiting = {}
        if number + 1 < self._end:
            self._waiting[number + 1] = self._future(number + 1)
        return batch

    def _future(self, number: int) -> Future[Batch]:
        return self._waiting.get(number) or self._reader.submit(self._read, number)
