"""Many files over many processes, where one bad file costs that file alone.

A worker does one file at a time, and holds the one that it does next. CAD kernels crash, hang and eat memory inside C++
where no exception is raised, so the only safe limit is on the process: past its deadline a worker is killed and
replaced, its address space is capped, and it is renewed every RENEW files. Results come in the order of the input
whatever the number of workers.

A file under which a worker died or ran out of memory is tried once more in a fresh one: the damage may be that of the
file before it, or the kill that of a system short of memory, and a result must not hang on its neighbours.
"""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.workers.worker import Limits, Tally, Worker
from brep_mae.cad_files import printable
from brep_mae.processes import leave_a_copy
from brep_mae.schema import FaceGraph

AHEAD = 4
"""Files per worker that may be begun before the oldest unfinished one is handed out."""


@dataclass(frozen=True)
class ParseOptions(Sampling):
    """How to parse one file.

    Args:
        root: records name their file relative to this folder.
        deadline_s: wall time for one file.
        memory_mb: address space a file may take on top of the loaded libraries.
    """

    root: Path
    deadline_s: float
    memory_mb: int


Solids = list[FaceGraph | Reject]
"""What comes of one file: its solids in the file's order, each as a record or with the reason why not."""


Options = TypeVar("Options", bound=Limits)
Result = TypeVar("Result")


def file_key(path: Path) -> str:
    """First 16 hex digits of the SHA-256 of the file's bytes; part of every uid.

    Raises:
        Reject: missing, broken_link, no_access, bad_name, or unreadable where it is no regular file.
    """
    name = printable(path.name)
    if name != path.name:
        raise Reject("bad_name", f"{name}: the name is not UTF-8; rename the file")
    try:
        if path.exists() and not path.is_file():
            raise Reject("unreadable", f"{name}: not a regular file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        if path.is_symlink() and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise Reject(
                "broken_link", f"{name}: a link to {printable(os.readlink(path))}, which can't be reached"
            ) from None
        if isinstance(error, FileNotFoundError):
            raise Reject("missing", f"{name}: no such file") from None
        raise Reject("no_access", f"{name}: {error.strerror or error}") from None


def parse_file(path: Path, options: ParseOptions) -> Solids:
    """All solids of one file in this process. Raises Reject where the file as a whole cannot be used."""
    from brep_mae.brep.graph.file_graphs import file_graphs

    key, name = file_key(path), path.relative_to(options.root).as_posix()
    if name != printable(name):
        raise Reject("bad_name", f"{printable(name)}: the name of its folder is not UTF-8; rename it")
    found = file_graphs(path, key, name, options)
    if not found:
        raise Reject("no_solid", f"{path.name}: holds no solid")
    return found


def parse_files(
    files: Sequence[Path], options: ParseOptions, workers: int, tally: Tally | None = None
) -> Iterator[tuple[Path, Solids | Reject]]:
    """Yields every file with its solids, or the reason why it gave none, in the order given."""
    return run_files(files, options, workers, parse_file, "brep_mae.brep.graph.file_graphs", tally)


def run_files(
    files: Sequence[Path],
    options: Options,
    workers: int,
    task: Callable[[Path, Options], Result],
    preload: str = "brep_mae.brep.read.step",
    tally: Tally | None = None,
) -> Iterator[tuple[Path, Result | Reject]]:
    """Yields every file with what `task` returned for it, or the reason why there is nothing, in the order given.

    Args:
        workers: processes, at least 1.
        task: what a worker does with one file; a function at the top of a module, for processes find it by name.
        preload: module that a worker imports before its clock and its memory cap start.
        tally: is kept up to date.

    Raises:
        RuntimeError: workers cannot even start; or the calling script has no main guard.
    """
    leave_a_copy()
    crew: list[Worker] = []
    done: dict[int, Any] = {}
    again: list[int] = []
    tried: set[int] = set()
    started = given = 0
    try:
        for _ in range(min(max(workers, 1), len(files))):
            crew.append(Worker(task, options, preload, tally or Tally()))
        while given < len(files):
            started = _begin(crew, files, again, started, given + AHEAD * len(crew))
            for worker in _ready(crew):
                numbers, result = worker.collect()
                if not numbers:
                    continue
                number, *lost = numbers
                again += lost
                if isinstance(result, Reject) and result.reason in ("crash", "memory") and number not in tried:
                    tried.add(number)
                    again.append(number)
                else:
                    done[number] = result
            started = _begin(crew, files, again, started, given + AHEAD * len(crew))  # while the caller has its turn
            while given in done:
                yield files[given], done.pop(given)
                given += 1
    finally:
        for worker in crew:
            worker.stop()


def _begin(crew: list[Worker], files: Sequence[Path], again: list[int], started: int, end: int) -> int:
    """Gives each worker a file, and then a next one, of those before number `end`; returns how many have been begun."""
    for given in (0, 1):
        for worker in crew:
            if not worker.takes(given):
                continue
            if again and not given:
                worker.begin(again[-1], files[again.pop()])
            elif started < min(len(files), end):
                worker.begin(started, files[started])
                started += 1
    return started


def _ready(crew: list[Worker]) -> list[Worker]:
    """Waits until a worker has spoken, died or run out of time."""
    busy = [worker for worker in crew if worker.busy]
    left = min(worker.due for worker in busy) - time.monotonic()
    spoken = wait([worker.pipe for worker in busy], timeout=max(0.0, left))
    return [worker for worker in busy if worker.pipe in spoken or worker.due <= time.monotonic()]
