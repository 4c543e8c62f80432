"""Independent pieces of a stage on several processes; a piece that is finished is never done again."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brep_mae.output.files import write_whole
from brep_mae.processes import REASON, leave_a_copy, process_pool
from brep_mae.progress import progress

Rows = list[dict[str, Any]]


THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What torch, scikit-learn and the linear algebra of numpy read when they are loaded. With a thread per core in each of
a process per core they wait for one another, and a stage takes up to twice as long."""


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """For all processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_jobs(
    function: Callable[..., Rows], jobs: Mapping[str, tuple[Any, ...]], work: Path, workers: int, title: str
) -> dict[str, Rows]:
    """The rows of every job, in the order of `jobs`.

    Args:
        function: importable; called as function(*arguments) in a fresh process with one thread, so that results do
            not depend on the number of workers.
        jobs: name -> arguments.
        work: folder that keeps each job's rows from one start of the stage to the next.
        workers: processes; 0 = one per core.
    """
    leave_a_copy()
    files = {name: work / f"{name}.json" for name in jobs}
    todo = [name for name in jobs if not files[name].exists()]
    with progress(len(jobs), title) as advance, _one_thread_each():
        done = len(jobs) - len(todo)
        advance(done, "")
        with process_pool(workers or None) as pool:
            left = {pool.submit(function, *jobs[name]): name for name in todo}
            try:
                for future in as_completed(left):
                    file = files[left[future]]
                    write_whole(file, json.dumps(future.result()))
                    done += 1
                    advance(done, left[future])
            except BrokenProcessPool as error:
                raise RuntimeError(f"a process died: there was too little memory, or {REASON}") from error
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return {name: json.loads(file.read_text()) for name, file in files.items()}
