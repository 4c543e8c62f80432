"""Whether the text of an IGES file is whole. Loads no CAD kernel.

Each line ends in the letter of its section and its number within it (IGES 5.3, section 2.2). The kernel's reader does
not look at the numbers: it drops what is missing without a word, or loops for ever.
"""

import re

from brep_mae.brep.read.formats import kind_of
from brep_mae.brep.reject import Reject

_TAIL = re.compile(rb"([SGDPT])( *[0-9]+)")
_LENGTH = 80
_COMPRESSED = b"C"
"""Letter of the first line of files in the compressed form, whose lines are of another kind."""


def check(data: bytes, file: str) -> None:
    """Sees that no line is missing from the directory and the parameters, and that the end is there.

    Raises:
        Reject: unreadable.
    """
    lines = data.splitlines()
    first = _tail(lines[0])[:1] if lines else b""
    if first == _COMPRESSED:
        return
    if first != b"S":
        raise Reject("unreadable", f"{file}: not an IGES file but {kind_of(data)}")
    last = {b"D": 0, b"P": 0}
    section = first
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _TAIL.fullmatch(_tail(line))
        if found is None or (found[1] in last and int(found[2]) != last[found[1]] + 1):
            raise Reject("unreadable", f"{file}: damaged at line {number}; export it again")
        section = found[1]
        if section in last:
            last[section] += 1
    if section != b"T":
        raise Reject("unreadable", f"{file}: ends before its last section, it is cut off; copy or export it again")


def _tail(line: bytes) -> bytes:
    """Section and number. Lines have 80 letters, but names with letters of several bytes make them longer."""
    return line[_LENGTH - 8 : _LENGTH] if line.isascii() else line.rstrip()[-8:]
