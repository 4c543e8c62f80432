"""Trying in a child process what may end the process."""

import os
from collections.abc import Callable

MOST_S = 10
"""Seconds of computing after which a trial is given up. What ends takes a tenth of it, so that no machine is slow
enough to draw other parts."""


def survives(work: Callable[[], object]) -> bool:
    """Whether `work` comes to an end, by an exception or without; False = the process it ran in was killed, or computed
    for MOST_S.

    OCCT's fillets and chamfers end the process on some shapes, and never end on others, at the same place each time.
    Where there are no forks (Windows) nothing is tried, and the answer is True.
    """
    if not hasattr(os, "fork"):
        return True
    child = os.fork()
    if child == 0:
        try:
            import resource  # not on Windows

            resource.setrlimit(resource.RLIMIT_CPU, (MOST_S, MOST_S))
            work()
        finally:
            os._exit(0)  # whatever came of it: nothing of the parent's must run twice
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)
