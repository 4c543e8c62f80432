"""Trying in a child process what may end the process."""

import os
from collections.abc import Callable


def survives(work: Callable[[], object]) -> bool:
    """Whether `work` comes to an end, by an exception or without; False = the process it ran in was killed.

    OCCT's fillets and chamfers end the process on some shapes, at the same place each time. Where there are no forks
    (Windows) nothing is tried, and the answer is True.
    """
    if not hasattr(os, "fork"):
        return True
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)  # whatever came of it: nothing of the parent's must run twice
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)
