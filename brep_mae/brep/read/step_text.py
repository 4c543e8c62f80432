"""Bytes of a STEP file -> the text that the kernel reads without loss. Loads no CAD kernel."""

import codecs
import re

from brep_mae.brep.read.formats import kind_of, unmarked
from brep_mae.brep.reject import Reject

MAGIC = b"ISO-10303-21"
_BEFORE = re.compile(rb"(?:\s+|/\*.*?\*/)*", re.DOTALL)
"""What may stand before the magic: white space and comments of any length."""
NEAR = 4096
"""Bytes after these in which the magic is looked for: some programs write a header of their own."""


def _western(error: UnicodeError) -> tuple[str, int]:
    """The bytes that are no UTF-8 as Windows-1252, which holds ISO 8859-1; U+FFFD for the five that it leaves out."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("western", _western)


def step_text(data: bytes, file: str) -> bytes:
    """The text from its magic on, as UTF-8; the same object where nothing is to change.

    The kernel takes names for UTF-8, and of other bytes it swallows the letters behind them.

    Args:
        file: its name, for the reject.

    Raises:
        Reject: unreadable, where it is no STEP file.
    """
    text = unmarked(data)
    start = _BEFORE.match(text)
    assert start is not None  # it also matches nothing
    if MAGIC not in text[start.end() : start.end() + NEAR]:
        raise Reject("unreadable", f"{file}: not a STEP file but {kind_of(text)}")
    text = text[start.end() :] if start.end() else text
    return text if text.isascii() else text.decode("utf-8", "western").encode()
