"""How far long work has come: a bar with rate and time left on a terminal, a line now and then elsewhere."""

import datetime
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

EVERY_S = 10.0
"""Seconds between two lines where the output is not a terminal."""

Item = TypeVar("Item")
Advance = Callable[[int, str], None]
"""Called with the amount done so far and a short note."""


class _Rate(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.1f}/s")


@contextmanager
def progress(total: int, title: str) -> Iterator[Advance]:
    """Shows the progress of `total` units of work on standard error.

    Work that was done before (a resumed stage) is told by the first call; it does not count into the rate.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        note, both = TextColumn("{task.fields[note]}"), sys.stdout.isatty()  # results that go to a file stay out of it
        with Progress(*columns, note, console=console, redirect_stdout=both) as bar:
            task = bar.add_task(title, total=total, note="")

            def move(done: int, note: str = "") -> None:
                bar.update(task, completed=done, note=note)

            yield move
        return

    first: list[tuple[int, float]] = []
    last = [0.0]

    def line(done: int, note: str = "") -> None:
        now = time.monotonic()
        first[:] = first or [(done, now)]
        if now - last[0] < EVERY_S and done < total:
            return
        last[0] = now
        rate = (done - first[0][0]) / max(now - first[0][1], 1e-9)
        left = f", {datetime.timedelta(seconds=round((total - done) / rate))} left" if rate > 0 and done < total else ""
        tail = f", {note}" if note else ""
        print(f"{title} {done}/{total}, {rate:.1f}/s{left}{tail}", file=sys.stderr, flush=True)

    yield line


def shown(items: Sequence[Item], title: str) -> Iterator[Item]:
    """The items one after the other, with the progress through them."""
    with progress(len(items), title) as advance:
        for done, item in enumerate(items, 1):
            yield item
            advance(done, "")
