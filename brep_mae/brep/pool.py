"""Many files over many processes, where one bad file costs that file alone.

A worker takes one file at a time. CAD kernels crash, hang and eat memory inside C++ where no exception is raised, so
the only safe limit is on the process: past its deadline a worker is killed and replaced, its address space is capped,
and it is renewed every RENEW files. Results come in the order of the input whatever the number of workers.
"""

import hashlib
import importlib
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol, TypeVar

from brep_mae.brep.reject import Reject
from brep_mae.brep.system import explain
from brep_mae.schema import FaceGraph

RENEW = 500
"""Files after which a worker is replaced, against memory the kernel does not give back."""
AHEAD = 4
"""Files per worker that may be begun before the oldest unfinished one is handed out."""
START_S = 300.0
"""A fresh worker must have imported the CAD kernel within this time."""


@dataclass(frozen=True)
class ParseOptions:
    """How to parse one file.

    Args:
        root: records name their file relative to this folder.
        grid: samples per side of a grid.
        field_pool: points drawn per face, of which `field_samples` are kept.
        deadline_s: wall time for one file.
        memory_mb: address space a file may take on top of the loaded libraries.
    """

    root: Path
    grid: int
    field_pool: int
    field_samples: int
    deadline_s: float
    memory_mb: int

    def __post_init__(self) -> None:
        if self.field_samples > self.field_pool:
            raise ValueError(f"field_samples {self.field_samples} is more than field_pool {self.field_pool}")


Solids = list[FaceGraph | Reject]
"""What comes of one file: its solids in the file's order, each as a record or with the reason why not."""


class Limits(Protocol):
    """What one file may take: wall time, and address space on top of the loaded libraries."""

    @property
    def deadline_s(self) -> float: ...

    @property
    def memory_mb(self) -> int: ...


Options = TypeVar("Options", bound=Limits)
Result = TypeVar("Result")


def file_key(path: Path) -> str:
    """First 16 hex digits of the SHA-256 of the file's bytes; part of every uid."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def parse_file(path: Path, options: ParseOptions) -> Solids:
    """All solids of one file in this process. Raises Reject where the file as a whole cannot be used."""
    from brep_mae.brep.graph import face_graph
    from brep_mae.brep.step import read_solids

    solids = read_solids(path)
    key = file_key(path)
    name = path.relative_to(options.root).as_posix()
    sizes = options.grid, options.field_pool, options.field_samples
    found: Solids = []
    for solid in solids:
        try:
            found.append(face_graph(solid, f"{key}#{solid.index}", name, *sizes))
        except Reject as reject:
            found.append(Reject(reject.reason, f"solid {solid.index}: {reject.detail}"))
    return found


def parse_files(files: Sequence[Path], options: ParseOptions, workers: int) -> Iterator[tuple[Path, Solids | Reject]]:
    """Yields every file with its solids, or the reason why it gave none, in the order given."""
    return run_files(files, options, workers, parse_file, preload="brep_mae.brep.graph")


def run_files(
    files: Sequence[Path],
    options: Options,
    workers: int,
    task: Callable[[Path, Options], Result],
    preload: str = "brep_mae.brep.step",
) -> Iterator[tuple[Path, Result | Reject]]:
    """Yields every file with what `task` returned for it, or the reason why there is nothing, in the order given.

    Args:
        workers: processes, at least 1.
        task: what a worker does with one file; a function at the top of a module, for processes find it by name.
        preload: module that a worker imports before its clock and its memory cap start.

    Raises:
        RuntimeError: workers cannot even start.
    """
    crew = [_Worker(task, options, preload) for _ in range(min(max(workers, 1), len(files)))]
    done: dict[int, Any] = {}
    started = given = 0
    try:
        while given < len(files):
            for worker in crew:
                if worker.idle and started < min(len(files), given + AHEAD * len(crew)):
                    worker.begin(started, files[started])
                    started += 1
            for worker in _ready(crew):
                number = worker.file
                result = worker.collect()
                if number is not None:
                    done[number] = result
            while given in done:
                yield files[given], done.pop(given)
                given += 1
    finally:
        for worker in crew:
            worker.stop()


def _ready(crew: list["_Worker"]) -> list["_Worker"]:
    """Waits until a worker has spoken, died or run out of time."""
    busy = [worker for worker in crew if not worker.idle]
    left = min(worker.due for worker in busy) - time.monotonic()
    spoken = wait([worker.pipe for worker in busy], timeout=max(0.0, left))
    return [worker for worker in busy if worker.pipe in spoken or worker.due <= time.monotonic()]


class _Worker:
    """One process and what it is busy with. `idle` is True when it can be given a file."""

    def __init__(self, task: Callable[[Path, Any], Any], options: Limits, preload: str) -> None:
        self._job, self._options = (task, options, preload), options
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy the parent's threads and locks
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *self._job), daemon=True)
        self._process.start()
        theirs.close()
        self.idle, self._count = False, 0
        self.file: int | None = None
        self._path = Path()
        self.due = time.monotonic() + START_S

    def begin(self, number: int, path: Path) -> None:
        self.pipe.send(path)
        self.idle, self.file, self._path = False, number, path
        self.due = time.monotonic() + self._options.deadline_s

    def collect(self) -> Any:
        """The result of the file at hand; None after a start. Replaces the process where it is dead, late or old."""
        try:
            if not self.pipe.poll():
                raise TimeoutError
            kind, value = self.pipe.recv()
        except (EOFError, OSError) as error:  # TimeoutError is an OSError
            late = isinstance(error, TimeoutError)
            if self.file is None:
                self.stop()
                raise RuntimeError("a worker died while it was starting") from None
            if not late:
                self._process.join(5)  # its end of the pipe closes a moment before it is gone
            code = self._process.exitcode
            self.stop()
            self._start()
            if late:
                return Reject("timeout", f"{self._path.name}: not done within {self._options.deadline_s:g} s")
            how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
            return Reject("crash", f"{self._path.name}: the process ended by {how}")
        if kind == "start failed":
            raise RuntimeError(value)
        self.idle, self.file, self.due = True, None, float("inf")
        self._count += kind != "started"
        if self._count >= RENEW or (isinstance(value, Reject) and value.reason == "memory"):
            self.stop()
            self._start()
        return value

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _serve(pipe: Connection, task: Callable[[Path, Any], Any], options: Limits, preload: str) -> None:
    """Body of a worker: one file in, one result out, until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        importlib.import_module(preload)
    except ImportError as error:
        pipe.send(("start failed", explain(error)))
        return
    _quiet()
    _cap_memory(options.memory_mb)
    pipe.send(("started", None))
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, 2 * options.deadline_s + 1)  # ends a worker whose parent was killed
        result = _guarded(task, path, options)
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            pipe.send(("done", result))
        except BrokenPipeError:
            return


def _guarded(task: Callable[[Path, Any], Any], path: Path, options: Limits) -> Any:
    try:
        return task(path, options)
    except Reject as reject:
        return reject
    except MemoryError:
        return Reject("memory", f"{path.name}: more than {options.memory_mb} MB")
    except Exception as error:
        if type(error).__name__ == "Standard_OutOfMemory":
            return Reject("memory", f"{path.name}: more than {options.memory_mb} MB")
        return Reject("internal", f"{path.name}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")


def _quiet() -> None:
    """OCCT writes to the terminal from C++; what matters comes back through the pipe."""
    sink = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(sink, descriptor)
    os.close(sink)


def _cap_memory(memory_mb: int) -> None:
    """Linux only: elsewhere the size of the loaded libraries is not to be had, and there is no cap."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except FileNotFoundError:
        return
    limit = pages * resource.getpagesize() + memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
