"""A script that has no `if __name__ == "__main__":` is told so, instead of starting itself again in every worker.

Worker processes are not copies of their parent: each imports the parent's script first, to know what it defines.
Without the guard that runs the script again, which would start workers of its own.
"""

import multiprocessing
import os

UNGUARDED = 93
"""Exit code of a worker that was about to run its parent's script again."""
REASON = (
    """the calling script runs again in every worker; remedy: put what it does under `if __name__ == "__main__":`"""
)


def leave_a_copy() -> None:
    """Ends the process where it is a worker that still imports its parent's script; the parent tells why.

    To be called before anything that starts processes or claims files.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(UNGUARDED)
