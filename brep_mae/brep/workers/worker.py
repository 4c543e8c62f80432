"""The process in which files meet the CAD kernel, seen from both ends of its pipe.

`Worker` is the parent's end: it gives out files, keeps the deadline, and replaces the process. `_serve` is the child's.
"""

import contextlib
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Protocol

from brep_mae.brep.reject import Reject
from brep_mae.brep.workers.system import explain
from brep_mae.processes import REASON, UNGUARDED

RENEW = 500
"""Files after which a worker is replaced, against memory the kernel does not give back: none over 2,000 files of
MFCAD, but reports of growth on other files exist, and a fresh worker costs 20 ms."""
START_S = 300.0
"""A fresh worker must have imported the CAD kernel within this time."""
STARTS = 3
"""So many failed starts in a row mean that workers cannot run here."""
RAISED = 1
"""Exit code of a worker in which the parent's script, imported again, raised an error."""
GONE_S = 5.0
"""A killed process is waited for so long: one that hangs inside the system cannot even be killed, only left behind."""


_CONTEXT: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
"""Neither copies the parent's threads and locks. The first starts a worker in 20 ms: its server has imported the CAD
kernel once and is copied. A parent has one server; a job with another `preload` than the first imports its own."""


class Limits(Protocol):
    """What one file may take: wall time, and address space on top of the loaded libraries."""

    @property
    def deadline_s(self) -> float: ...

    @property
    def memory_mb(self) -> int: ...


@dataclass
class Tally:
    """What it took to get the results.

    Args:
        replaced: workers replaced, by reason: timeout, memory, crash, start, or renewed.
        late_s: the longest that a worker lived past a deadline.
    """

    replaced: Counter[str] = field(default_factory=Counter)
    late_s: float = 0.0


class Worker:
    """One process, the file that it is at, and the one that it does next, so that it never waits for the parent."""

    def __init__(self, task: Callable[[Path, Any], Any], options: Limits, preload: str, tally: Tally) -> None:
        self._job, self._options, self._tally = (task, options, preload), options, tally
        self._failed_starts = 0
        _CONTEXT.set_forkserver_preload([preload])
        self._start()

    def _start(self) -> None:
        pipe, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_serve, args=(theirs, *self._job), daemon=True)
        try:
            process.start()
        except (OSError, EOFError) as error:
            self._start_again(f"the system starts none: {error or type(error).__name__}")
            return
        finally:
            theirs.close()
        self.pipe, self._process = pipe, process
        self._started, self._count = False, 0
        self._given: list[tuple[int, Path]] = []
        self.due = time.monotonic() + START_S

    @property
    def busy(self) -> bool:
        return not self._started or bool(self._given)

    def takes(self, given: int) -> bool:
        """Whether it can be given a file now that it has `given` of them, 0 or 1."""
        last = self._count + given == RENEW  # of this process: what it would do after that is lost
        return self._started and len(self._given) == given and not last

    def begin(self, number: int, path: Path) -> None:
        with contextlib.suppress(OSError):  # it died while it had nothing to do, which `collect` finds out
            self.pipe.send(path)
        self._given.append((number, path))
        if len(self._given) == 1:
            self.due = time.monotonic() + self._options.deadline_s

    def collect(self) -> tuple[list[int], Any]:
        """Takes in a result. Replaces the process where it is dead, late or old.

        Returns:
            The number of the file, none after a start, and after it that of the next one, if its process was replaced
            and it must be given out again; and the result of the first.
        """
        given = [number for number, _ in self._given]
        result = self._result()
        return given[: len(given) - len(self._given)], result

    def _result(self) -> Any:
        """Of the file at hand; None after a start."""
        if not self.pipe.poll():
            return self._replaced_late()
        try:
            kind, value = self.pipe.recv()
        except Exception:  # it is dead, or so damaged that it no longer writes what can be read
            return self._replaced_dead()
        if kind == "start failed":
            raise RuntimeError(value)
        self._failed_starts = 0
        if kind == "started":
            self._started = True
            return None
        self._count += 1
        self._given.pop(0)
        self.due = time.monotonic() + self._options.deadline_s
        if isinstance(value, Reject) and value.reason == "memory":
            self._replace("memory")
        elif self._count >= RENEW:
            self._replace("renewed")
        return value

    def _replaced_late(self) -> Reject | None:
        due = self.due
        if not self._given:
            self.stop()
            self._start_again(f"not ready within {START_S:g} s")
            return None
        name = self._given[0][1].name
        self._replace("timeout")
        self._tally.late_s = max(self._tally.late_s, self._killed - due)
        return Reject("timeout", f"{name}: not done within {self._options.deadline_s:g} s")

    def _replaced_dead(self) -> Reject | None:
        self._process.join(GONE_S)  # its end of the pipe closes a moment before it is gone
        code = self._process.exitcode
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        if not self._given:
            self.stop()
            if code in (UNGUARDED, RAISED):
                raise RuntimeError(f"a worker ended by {how} while it started: {REASON}")
            self._start_again(f"ended by {how}")
            return None
        name = self._given[0][1].name
        self._replace("crash")
        return Reject("crash", f"{name}: the process ended by {how}")

    def _start_again(self, how: str) -> None:
        self._failed_starts += 1
        self._tally.replaced["start"] += 1
        if self._failed_starts == STARTS:
            raise RuntimeError(f"a worker failed to start {STARTS} times: {how}; remedy: fewer workers, or more memory")
        self._start()

    def _replace(self, reason: str) -> None:
        self._tally.replaced[reason] += 1
        self.stop()
        self._killed = time.monotonic()
        self._start()

    def stop(self) -> None:
        self._process.kill()
        self._process.join(GONE_S)
        self.pipe.close()


def _serve(pipe: Connection, task: Callable[[Path, Any], Any], options: Limits, preload: str) -> None:
    """Body of a worker. Speaks pairs: "start failed" with a text or "started" once, then "done" with a result a file.

    Args:
        task: what to do with a file.
        preload: module to import before the memory cap starts.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is reported, not kept as a file of a gigabyte
    try:
        importlib.import_module(preload)
    except ImportError as error:
        pipe.send(("start failed", explain(error)))
        return
    _quiet()
    _cap_memory(options.memory_mb)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        pipe.send(("started", None))
        while True:
            path = pipe.recv()
            signal.setitimer(signal.ITIMER_REAL, 2 * options.deadline_s + 1)  # ends a worker whose parent was killed
            message = _guarded(task, path, options)
            signal.setitimer(signal.ITIMER_REAL, 0)
            pipe.send_bytes(message)


def _guarded(task: Callable[[Path, Any], Any], path: Path, options: Limits) -> Any:
    """The message for the parent. Made here, since a result that fits into memory once may not fit in twice."""
    try:
        return ForkingPickler.dumps(("done", task(path, options)))
    except Reject as reject:
        found = reject
    except (MemoryError, ImportError):  # a library that is loaded only now finds no room either
        found = _too_big(path, options)
    except Exception as error:
        if type(error).__name__ == "Standard_OutOfMemory":
            found = _too_big(path, options)
        else:
            found = Reject("internal", f"{path.name}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return ForkingPickler.dumps(("done", found))


def _too_big(path: Path, options: Limits) -> Reject:
    return Reject("memory", f"{path.name}: more than {options.memory_mb} MB")


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
