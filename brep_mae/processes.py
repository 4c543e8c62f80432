"""What a process and those that it starts owe each other.

Worker processes are not copies of their parent: each imports the parent's script first, to know what it defines. A
script that has no `if __name__ == "__main__":` would so run again in every worker, and start workers of its own: it is
told. And workers never outlive the one that started them.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from threading import Thread

UNGUARDED = 93
"""Exit code of a worker that was about to run its parent's script again."""
ORPHANED = 94
"""Exit code of a worker whose parent is gone."""
REASON = (
    """the calling script runs again in every worker; remedy: put what it does under `if __name__ == "__main__":`"""
)


def leave_a_copy() -> None:
    """Ends the process where it is a worker that still imports its parent's script; the parent tells why.

    To be called before anything that starts processes or claims files.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(UNGUARDED)


def process_pool(workers: int | None) -> ProcessPoolExecutor:
    """A pool of so many fresh processes; None = one per core.

    Where their parent is killed they end at once. By themselves they would wait for work for ever, each with all that
    it has imported, since every one of them holds the queue open that the others read.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(ORPHANED)
