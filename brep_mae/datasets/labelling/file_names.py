"""Names of files as people and spreadsheets write them -> as records have them."""

import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from brep_mae.cad_files import SUFFIXES, suffix_of


class FileNames:
    """The files of one data set.

    Args:
        root: their folder.
        names: relative to it, as records have them.
    """

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self._root = Path(os.path.abspath(root))
        self._names = set(names)
        self._alike: dict[str, set[str]] = defaultdict(set)
        for name in self._names:
            self._alike[_alike(name)].add(name)

    def find(self, written: str, folder: Path) -> tuple[str, str]:
        """The file that is meant and "", or as it was written and why it is none of them.

        Args:
            written: relative to `folder`, or absolute; slashes may be backslashes, letters may differ in case and in
                the way their accents are encoded.
            folder: below the root.
        """
        places = list(dict.fromkeys(self._place(text, folder) for text in (written, written.replace("\\", "/"))))
        for name in places:
            if name in self._names:
                return name, ""
        for name in places:
            alike = sorted(self._alike.get(_alike(name), ()))
            if len(alike) == 1:
                return alike[0], ""
            if alike:
                return written, f"{written!r} may be {' or '.join(alike)}; write it as the file is called"
        return written, self._why_not(written, places)

    def _place(self, written: str, folder: Path) -> str:
        """Relative to the root, without any `.` and `..`; begins with `..` where it lies outside."""
        path = os.path.join(os.path.abspath(folder), written)
        for root in (self._root, self._root.resolve()):
            place = posixpath.normpath(os.path.relpath(path, root))
            if not place.startswith(".."):
                return place
        return posixpath.normpath(os.path.relpath(path, self._root))

    def _why_not(self, written: str, places: list[str]) -> str:
        if not written:
            return "it names no file"
        for name in places:
            path = self._root / name
            if path.is_file() and not suffix_of(path):
                return f"{written!r} is no CAD file; known suffixes are {', '.join(SUFFIXES)}"
            if path.exists():
                what = "a folder" if path.is_dir() else "not among the files that were parsed"
                return f"{written!r} is {what}"
        return f"no file {written!r} in this folder; mend the name or drop the line"


def _alike(name: str) -> str:
    """The same for names that differ in case or in the Unicode form of accents alone."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
