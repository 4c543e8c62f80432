"""How a stage script ends: what a user can mend is told in one sentence, without the way through the code."""

import sys
from collections.abc import Callable, Iterator

from brep_mae.output.files import FULL


def run_stage(main: Callable[..., None], *arguments: str) -> None:
    """Calls `main`; an error of this project or a full disk ends the process with a sentence and exit code 1."""
    try:
        main(*arguments)
    except Exception as error:
        if type(error).__module__.startswith("brep_mae."):
            sys.exit(f"Error: {error}")
        if any(_full(each) for each in _chain(error)):
            sys.exit(f"Error: {error}; remedy: make room and run the same again")
        raise


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it; the store of the runs wraps what the system says."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in FULL) or "disk is full" in str(error)
