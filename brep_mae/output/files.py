"""Files that this program writes: whole or not at all, with the permissions that the user's umask gives, and a refusal
of the system in one sentence."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""How the system says that there is no more room: on the disk, in the user's share of it, in one file."""


class OutputError(RuntimeError):
    """What was made cannot be stored; the message names the file or folder, the reason and the remedy."""


@contextmanager
def enough_room(path: Path, kept: Path | None = None) -> Iterator[None]:
    """Turns a full disk into an OutputError; other errors pass.

    Args:
        path: is named where the system names no file.
        kept: where finished parts wait for the next attempt.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        remedy = "make room and run the same again" + (f"; what is finished is kept in {kept}" if kept else "")
        raise OutputError(f"{error.filename or path}: {error.strerror or error}; remedy: {remedy}") from error


@contextmanager
def written(path: Path, kept: Path | None = None) -> Iterator[None]:
    """Turns any refusal of the system to write `path` into an OutputError; the arguments are those of `enough_room`."""
    try:
        with enough_room(path, kept):
            yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{error.filename or path}: {reason}; remedy: name a place that can be written to") from error


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a file so that a crash leaves the old one or the new one, never half of one. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)  # on a full disk even half a file is in the way
        raise


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """One more name for a finished file, which takes no more room, or a copy where it lies on another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a whole file, as `whole_file` does."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
