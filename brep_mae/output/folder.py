"""Folders that this program fills. Nothing in them is lost that it did not write, and none is ever half-filled.

A finished folder holds a note of every file that was written into it. Only a folder whose files are all in its
note, unchanged, is replaced, in one step, and what it held is removed after that. Until then everything unfinished lies
beside it in `.NAME.work`, where a lock keeps a second process away.
"""

import ctypes
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from brep_mae.output.files import OutputError, enough_room, written
from brep_mae.output.lock import ROOM, check_room, held
from brep_mae.output.note import foreign, mark, remove

NEW, OLD = "new", "old"
KEY = re.compile("[0-9a-f]{16}")
"""Ends the name of a folder of unfinished work, after all that the work depends on."""
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def beside(out: Path) -> Path:
    """Where what is unfinished of the folder or file `out` lies."""
    place = out.resolve()
    return place.with_name(f".{place.name}.work")


@dataclass(frozen=True)
class Claim:
    """The right to replace a folder: `out` as the user named it, `place` where that is, `work` beside it."""

    out: Path
    place: Path
    work: Path

    @contextmanager
    def filled(self) -> Iterator[Path]:
        """Yields an empty folder; when the body ends it takes the place of the output, which else stays as it was.

        Raises:
            OutputError: the disk is full, or what this program did not write came into the output meanwhile.
        """
        new, old = self.work / NEW, self.work / OLD
        try:
            with written(self.out):
                new.mkdir()
            yield new
            _refuse_foreign(self.place, self.out)
            with written(self.out):
                mark(new)
                _replace(new, self.place, old)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        remove(old)


@contextmanager
def output_folder(out: Path, room: int = ROOM) -> Iterator[Claim]:
    """Claims the folder `out` before any work for it begins. What it holds stays until `Claim.filled` replaces it.

    Args:
        out: a new folder, an empty one, one that this program filled before, or a link to such a one.
        room: bytes that it will take at least.

    Raises:
        OutputError: `out` cannot be written, is in use, or holds what this program did not write.
    """
    place, work = _place(out), beside(out)
    with written(out):
        work.mkdir(parents=True, exist_ok=True)
    with held(work, out):
        with written(out):
            _recover(place, work)
            check_room(work, room)
        _refuse_foreign(place, out)
        with enough_room(out):
            yield Claim(out, place, work)


@contextmanager
def growing_folder(folder: Path, room: int = ROOM) -> Iterator[None]:
    """Claims a folder to which whole files are added and from which none is removed; makes it if it is missing.

    Args:
        room: bytes that will be added at least.

    Raises:
        OutputError: it cannot be written, is in use, or the disk is full.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: a file; remedy: name a folder")
    there = folder.is_dir()
    try:
        with _claimed(folder / ".work", folder, room):
            yield
    finally:
        if not there:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


@contextmanager
def output_file(path: Path, room: int = ROOM) -> Iterator[None]:
    """Claims a file that is written in the end, whole; the errors are those of `growing_folder`."""
    if path.is_dir():
        raise OutputError(f"{path}: a folder; remedy: name a file")
    with _claimed(beside(path), path, room):
        yield


@contextmanager
def _claimed(work: Path, out: Path, room: int) -> Iterator[None]:
    with written(out):
        work.mkdir(parents=True, exist_ok=True)
    with held(work, out):
        with written(out):
            check_room(work, room)
        with enough_room(out):
            yield


def collect(work: Path, stage: str) -> None:
    """Removes the unfinished work of a stage, that of earlier attempts with other settings as well.

    Args:
        work: folder in which `stage`-KEY lie; all of them are for one output, whose lock is held.
    """
    for path in work.glob(f"{stage}-*"):
        if KEY.fullmatch(path.name.removeprefix(f"{stage}-")):
            shutil.rmtree(path)


def _place(out: Path) -> Path:
    """The folder that is meant, if it can be replaced. Raises OutputError."""
    if out.is_symlink() and not out.exists():
        raise OutputError(f"{out}: a link to {os.readlink(out)}, which is not there; remedy: name a new folder")
    place = out.resolve()
    if place.exists() and not place.is_dir():
        raise OutputError(f"{out}: a file; remedy: name a folder")
    if Path.cwd().is_relative_to(place):
        raise OutputError(f"{out}: this command runs in that folder, so it cannot be replaced; remedy: name a new one")
    if place.is_mount():
        raise OutputError(f"{out}: a disk of its own, which cannot be replaced; remedy: name a folder in it")
    return place


def _refuse_foreign(place: Path, out: Path) -> None:
    if place.is_dir() and (found := foreign(place)):
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise OutputError(
            f"{out}: holds something else than this program wrote there: {', '.join(found[:3])}{more}; "
            "remedy: name a new folder, or move that elsewhere"
        )


def _replace(new: Path, place: Path, old: Path) -> None:
    """Puts `new` in the place of `place`, and what was there, if anything, into `old`."""
    if not place.exists() or not any(place.iterdir()):
        if place.exists():
            new.chmod(stat.S_IMODE(place.stat().st_mode))
        os.rename(new, place)
        return
    new.chmod(stat.S_IMODE(place.stat().st_mode))
    if _exchanged(new, place):
        os.rename(new, old)
        return
    os.rename(place, old)
    try:
        os.rename(new, place)
    except BaseException:
        os.rename(old, place)
        raise


def _exchanged(one: Path, other: Path) -> bool:
    """Linux swaps two folders in one step. False where the system or its disk cannot, and nothing has changed then."""
    try:
        swap = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    return swap(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0


def _recover(place: Path, work: Path) -> None:
    """Clears away what a killed process left; where it was killed between two renames, the old folder comes back."""
    old = work / OLD
    if old.exists() and not place.exists():
        os.rename(old, place)
    remove(old)
    shutil.rmtree(work / NEW, ignore_errors=True)
