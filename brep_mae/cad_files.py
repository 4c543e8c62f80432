"""Which files are CAD files, by their names, and where they are."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

STEP = (".step", ".stp", ".p21")
PACKED_STEP = (".stpz", ".step.gz", ".stp.gz")
IGES = (".iges", ".igs")
BREP = (".brep", ".brp")
SUFFIXES = (*STEP, *PACKED_STEP, *IGES, *BREP)


class Store(Protocol):
    """Where CAD files come from that do not lie on this machine. They are removed here when they have been read."""

    def version(self, path: Path) -> str:
        """What changes whenever the content of a file does."""

    def fetching(self, files: Sequence[Path]) -> AbstractContextManager[Sequence[Path]]:
        """The same files, each of which is here when it is taken out of the sequence."""


def suffix_of(path: Path) -> str:
    """The suffix among SUFFIXES in lower case, two-part ones included; "" where the file has none of them. That of a
    link is its own, whatever it leads to."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


@dataclass
class Found:
    """What a folder holds, sorted.

    Args:
        files: CAD files by their names, whether they can be opened or not.
        beside: other files that were asked for.
        left_out: (folder, reason, detail) of each folder that was not looked into.
    """

    files: list[Path] = field(default_factory=list)
    beside: list[Path] = field(default_factory=list)
    left_out: list[tuple[Path, str, str]] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        self.files = sorted({*self.files, *other.files})
        self.beside = sorted({*self.beside, *other.beside})
        self.left_out = sorted({*self.left_out, *other.left_out})


def search(folder: Path, beside: Callable[[str], bool] = lambda name: False) -> Found:
    """All CAD files in a folder at any depth, and other files whose names `beside` accepts.

    Links are followed and keep their own names. A folder that is reached in two ways is looked into once, by the name
    that is no link where it has such a one.
    """
    found = Found()
    seen: dict[tuple[int, int], Path] = {}
    plain, linked = [folder], list[Path]()
    while plain or linked:
        here = plain.pop() if plain else linked.pop(0)
        try:
            about = here.stat()
            first = seen.setdefault((about.st_dev, about.st_ino), here)
            entries = sorted(os.scandir(here), key=lambda entry: entry.name) if first == here else None
        except OSError as error:
            found.left_out.append((here, "no_access", f"{printable(here.name)}: {error.strerror or error}"))
            continue
        if entries is None:
            detail = f"{printable(here.name)}: the same folder as {printable(str(first.relative_to(folder)))}"
            found.left_out.append((here, "duplicate", detail))
            continue
        for entry in entries:
            path = here / entry.name
            if _is_folder(entry):
                (linked if entry.is_symlink() else plain).append(path)
            elif suffix_of(path):
                found.files.append(path)
            elif beside(entry.name):
                found.beside.append(path)
    return Found(sorted(found.files), sorted(found.beside), sorted(found.left_out))


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def printable(name: str) -> str:
    """A name that may not be UTF-8, with the bytes that are none written as \\xff."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
