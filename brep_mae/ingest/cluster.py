"""Shards filled by the tasks of a Ray cluster. Ray gives out work; files pass through folders that all nodes see.

A task fills some shards with the workers of this package, so that a bad file costs itself alone there too, and returns
where they lie and how many they are. Each attempt has a folder of its own: a node that is cut off may go on writing
while others do its work again. What it had finished is kept.
"""

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brep_mae.brep.workers.pool import ParseOptions
from brep_mae.cad_files import Store, printable
from brep_mae.datasets.shards import SUFFIX
from brep_mae.ingest.chunks import DONE, Chunks, fill, read_note
from brep_mae.ingest.origin import code
from brep_mae.output.files import written
from brep_mae.progress import progress

PIECES = 4
"""Pieces for each task that can run at once: a slow node costs little then, and starts are few beside the work."""
ATTEMPTS = 3
"""Attempts in a row that finish no shard, after which a piece is given up."""
POLL_S = 0.5
ANSWER_S = 5.0
"""A cluster that is there answers within this time."""
ATTEMPT = "attempt-"
SHARED = "remedy: keep files and --out where all nodes see them under the same path"


def fill_on_cluster(address: str, chunks: Chunks, options: ParseOptions, workers: int, store: Store | None) -> float:
    """Does on a cluster what `chunks.fill` does here.

    Args:
        address: of a Ray cluster, as `ray.init` takes it.
        workers: processes of a task, which takes as many CPUs of a node.
        store: None, for nodes read files where their paths say.

    Raises:
        OutputError: a shard cannot be written.
        RuntimeError: there is no such cluster; its nodes are too small, have other code or do not see the files; or
            they are lost again and again.
    """
    if store:
        raise RuntimeError("a cluster does not read from object stores; remedy: parse pieces of them with --shard")
    begun = time.monotonic()
    folder = next(iter(chunks)).parent
    for left in folder.glob(f"{ATTEMPT}*"):
        _gather(left, folder)
    todo = _unfinished(chunks)
    if not todo:
        return 0.0
    with _connected(address) as ray, progress(sum(map(len, chunks.values())), "parse") as advance:
        crew = _Crew(ray, folder, options, workers)
        pieces = min(len(todo), PIECES * crew.tasks_at_once())
        for first in range(pieces):
            crew.give_out(dict(list(todo.items())[first::pieces]), vain=0)
        while crew.running:
            advance(*crew.progress(chunks))
            crew.wait()
        advance(*crew.progress(chunks))
    return sum(read_note(done)["solids"] for done in todo) / (time.monotonic() - begun)


@dataclass(frozen=True)
class _Attempt:
    """A task: shards that it fills in a folder of its own, and how many attempts before it finished none of them."""

    folder: Path
    chunks: Chunks
    vain: int


class _Crew:
    """The tasks that run, or wait for a free node."""

    def __init__(self, ray: Any, folder: Path, options: ParseOptions, workers: int) -> None:
        self.running: dict[Any, _Attempt] = {}
        self._ray, self._folder, self._options, self._workers = ray, folder, options, workers
        self._task = ray.remote(num_cpus=workers, max_retries=0)(_filled)
        self._code, self._again = code(), 0

    def tasks_at_once(self) -> int:
        nodes = [int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"]]
        if not (tasks := sum(cpus // self._workers for cpus in nodes)):
            raise RuntimeError(
                f"no node of the cluster has {self._workers} CPUs, the most is {max(nodes, default=0)}; remedy: "
                f"--workers with a smaller number, or start nodes; what is finished is kept in {self._folder}"
            )
        return tasks

    def give_out(self, chunks: Chunks, vain: int) -> None:
        with written(self._folder):
            own = Path(tempfile.mkdtemp(prefix=ATTEMPT, dir=self._folder))
        there = {own / done.name: files for done, files in chunks.items()}
        self.running[self._task.remote(there, self._options, self._workers, self._code)] = _Attempt(own, chunks, vain)

    def wait(self) -> None:
        """Waits a moment for tasks to end; what one that was lost has not finished is given out again."""
        ended, _ = self._ray.wait(list(self.running), timeout=POLL_S)
        for reference in ended:
            attempt = self.running.pop(reference)
            lost = self._lost(reference)
            vain = 0 if _gather(attempt.folder, self._folder) else attempt.vain + 1
            if not (left := _unfinished(attempt.chunks)):
                continue
            if not lost:
                raise RuntimeError(f"{attempt.folder}: what a node wrote there is not seen here; {SHARED}")
            if vain == ATTEMPTS:
                raise RuntimeError(f"a task was lost {vain} times: {lost}; remedy: fewer --workers, or larger nodes")
            self._again += 1
            self.give_out(left, vain)
        if not ended:
            self.tasks_at_once()

    def progress(self, chunks: Chunks) -> tuple[int, str]:
        folders = [self._folder, *(attempt.folder for attempt in self.running.values())]
        finished = {done.name for folder in folders for done in folder.glob(f"*{DONE}")}
        files = sum(len(files) for done, files in chunks.items() if done.name in finished)
        return files, f"lost tasks given out again: {self._again}" if self._again else ""

    def _lost(self, reference: Any) -> str:
        """How a task was lost; "" where it ended well. Raises what the task raised."""
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise RuntimeError(str(error.cause)) from None
        except self._ray.exceptions.RayError as error:
            return " ".join(str(error).split())[:300]
        return ""


def _filled(chunks: Chunks, options: ParseOptions, workers: int, expected: str) -> tuple[str, int]:
    """Body of a task. Returns the folder with the shards, and how many they are."""
    node = f"node {socket.gethostname()}"
    if code() != expected:
        raise RuntimeError(f"{node} has another version of brep-mae or its libraries; remedy: install the same on all")
    for path in (next(iter(chunks)).parent, *(path for files in chunks.values() for path in files)):
        if not os.path.lexists(path):
            raise RuntimeError(f"{printable(str(path))}: not seen by {node}; {SHARED}")
    with _no_script():
        fill(chunks, options, workers)
    return str(next(iter(chunks)).parent), len(chunks)


@contextmanager
def _no_script() -> Iterator[None]:
    """Every process that is started imports the script of this one first. That is Ray's own here, which imports all of
    Ray, and takes as long as some dozens of files."""
    main = vars(sys.modules["__main__"])
    script = main.pop("__file__", None)
    try:
        yield
    finally:
        if script is not None:
            main["__file__"] = script


def _unfinished(chunks: Chunks) -> dict[Path, Any]:
    return {done: files for done, files in chunks.items() if not done.is_file()}


def _gather(attempt: Path, folder: Path) -> int:
    """Moves the finished shards of an attempt into `folder`, removes the rest, and returns how many they were."""
    finished = list(attempt.glob(f"*{DONE}"))
    for done in finished:
        shard = done.with_suffix(SUFFIX)
        with written(folder):
            if shard.is_file():  # none where no file gave a solid
                os.replace(shard, folder / shard.name)
            os.replace(done, folder / done.name)
    shutil.rmtree(attempt, ignore_errors=True)
    return len(finished)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise RuntimeError("--cluster needs Ray, which is not there; remedy: pip install 'brep-mae[cluster]'") from None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if port.isdigit():
            socket.create_connection((host, int(port)), ANSWER_S).close()  # Ray itself would wait for minutes
        context = ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise RuntimeError(
            f"{address}: no Ray cluster answers there ({' '.join(str(error).split())[:200]}); remedy: start one with "
            "`ray start --head`, and name its address"
        ) from None
    with redirect_stdout(sys.stderr), context:  # Ray tells of lost nodes on stdout, where the answer goes
        yield ray
