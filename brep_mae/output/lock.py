"""One process at a time writes a folder, and only where it can and there is room."""

import errno
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from brep_mae.output.files import OutputError, written

LOCK, HOLDER = "lock", "holder"
ROOM = 2**20
"""Bytes that must be free before any work begins."""


@contextmanager
def held(work: Path, out: Path) -> Iterator[None]:
    """Holds the lock in the folder `work`, which goes at the end if nothing else is in it.

    Raises OutputError at once where another process holds it; the message says which.
    """
    while True:
        with written(out):
            work.mkdir(exist_ok=True)  # another process that ended may have removed it
            lock = FileLock(work / LOCK, timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise OutputError(
                    f"{out}: {_holder(work)} is writing it; remedy: wait until it has ended, or name another folder"
                ) from None
        if (work / LOCK).exists():
            break
        lock.release()  # it was removed by its last holder after this process had opened it
    try:
        with written(out):
            since = time.strftime("%H:%M:%S")
            (work / HOLDER).write_text(f"process {os.getpid()} on {socket.gethostname()} (since {since})")
        yield
    finally:
        with suppress(OSError):
            (work / HOLDER).unlink(missing_ok=True)
            (work / LOCK).unlink(missing_ok=True)
            work.rmdir()
        lock.release()


def _holder(work: Path) -> str:
    try:
        return (work / HOLDER).read_text() or "another process"
    except OSError:
        return "another process"


def check_room(folder: Path, room: int) -> None:
    """Raises OSError where the folder cannot be written or its disk has less room than that many bytes."""
    probe = folder / "room"
    try:
        probe.write_bytes(bytes(min(room, ROOM)))
    finally:
        probe.unlink(missing_ok=True)
    if (free := shutil.disk_usage(folder).free) < room:
        raise OSError(errno.ENOSPC, f"{free / 1e6:.0f} MB are free, {room / 1e6:.0f} MB are needed")
