"""What the CAD kernel raises while it reads a file, and what too deep a nesting in a file leads to."""

from collections.abc import Iterator
from contextlib import contextmanager

from OCP.Standard import Standard_OutOfMemory

from brep_mae.brep.reject import Reject

PACKAGE = "OCP."


@contextmanager
def as_reject(file: str) -> Iterator[None]:
    """Turns the kernel's exceptions, and recursion without end, into Reject("unreadable").

    They have no common base in Python, so they are known by the package they come from. Lack of memory passes: it says
    nothing of the file.
    """
    try:
        yield
    except Exception as error:
        kind = type(error)
        known = isinstance(error, RecursionError) or kind.__module__.startswith(PACKAGE)
        if isinstance(error, Standard_OutOfMemory) or not known:
            raise
        what = " ".join(f"{kind.__name__}: {error}".split())[:200]
        raise Reject("unreadable", f"{file}: cut off or damaged ({what}); copy or export it again") from None
