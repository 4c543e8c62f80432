"""How the text of a STEP file is had, compressed ones included. Loads no CAD kernel."""

import gzip
import io
import zipfile
import zlib
from pathlib import Path
from typing import IO

from brep_mae.brep.reject import Reject
from brep_mae.cad_files import PACKED_STEP, STEP, suffix_of

MAX_UNPACKED = 2**29
"""Bytes: what a compressed file may unpack to. Archives made to fill the memory unpack to far more."""


def read_bytes(path: Path) -> bytes:
    """The text of a STEP file, unpacked where it is compressed, all in memory: nothing is written anywhere.

    Raises:
        Reject: unreadable, or too_large where it unpacks to more than MAX_UNPACKED.
    """
    try:
        if suffix_of(path) not in PACKED_STEP:
            return path.read_bytes()
        with path.open("rb") as file:
            magic = file.read(4)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(path) as stream:
                return _bounded(stream, path)
        if magic == b"PK\x03\x04":
            return _from_zip(path)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Reject("unreadable", f"{path.name}: {type(error).__name__}: {error}") from None
    raise Reject("unreadable", f"{path.name}: neither gzip nor zip; give it the suffix of what it is")


def _from_zip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = [i for i in archive.infolist() if not i.is_dir() and i.filename.lower().endswith(STEP)]
        if len(names) != 1:
            raise Reject("unreadable", f"{path.name}: holds {len(names)} STEP files, must be one; unpack it first")
        with archive.open(names[0]) as stream:
            return _bounded(stream, path)


def _bounded(stream: IO[bytes] | gzip.GzipFile, path: Path) -> bytes:
    """Unpacks piece by piece, since sizes stated in an archive's header may lie."""
    unpacked = io.BytesIO()
    while piece := stream.read(2**20):
        if unpacked.tell() + len(piece) > MAX_UNPACKED:
            raise Reject("too_large", f"{path.name}: unpacks to more than {MAX_UNPACKED / 2**20:g} MB")
        unpacked.write(piece)
    return unpacked.getvalue()
