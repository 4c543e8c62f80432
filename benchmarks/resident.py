"""Resident memory of a process that does one thing over many files."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from brep_mae.brep.read.step import silence
from brep_mae.brep.reject import Reject
from brep_mae.brep.workers.pool import ParseOptions, parse_file


def in_fresh_process(task: Callable[..., Any], *arguments: Any) -> Any:
    """What `task` returns in a new process, where nothing has been allocated before it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=silence) as pool:
        return pool.submit(task, *arguments).result()


def peak_mb(task: Callable[[Path], object], files: Sequence[Path]) -> tuple[float, float]:
    """High-water mark of this process's resident memory before and after doing the files one by one (Linux)."""
    before = _high_water_mb()
    for path in files:
        task(path)
    return before, _high_water_mb()


def _high_water_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()  # getrusage's figure would carry over the parent's
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def resident_mb(files: Sequence[Path], options: ParseOptions, solids: int, step: int) -> list[tuple[int, float]]:
    """(solids done, resident MB) at 0 and after every `step` solids, the files in turn as often as it takes."""
    process = psutil.Process()
    series, done = [(0, process.memory_info().rss / 2**20)], 0
    for path in cycle(files):
        try:
            done += len(parse_file(path, options))
        except Reject:
            done += 1  # counts, so that files that are all rejected end too
        if done >= series[-1][0] + step:
            series.append((done, process.memory_info().rss / 2**20))
        if done >= solids:
            break
    return series
