"""What the bytes of a CAD file are, whatever its suffix says, and how packed ones are unpacked. Loads no CAD kernel."""

import codecs
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from brep_mae.brep.reject import Reject
from brep_mae.cad_files import PACKED_STEP, STEP, suffix_of

MAX_UNPACKED = 2**29
"""Bytes: what a compressed file may unpack to. Archives made to fill the memory unpack to far more."""
GZIP, ZIP = b"\x1f\x8b", b"PK"
KINDS = {
    ZIP: "a zip archive",
    GZIP: "gzip data",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"ISO-10303-21": "a STEP file",
    b"DBRep_DrawableShape": "a BREP file",
    b"CASCADE Topology": "a BREP file",
    b"solid ": "an STL mesh",
    b"\x7fELF": "a program",
    b"<": "XML or HTML",
    b"version https://git-lfs": "a pointer of Git LFS; fetch the file itself with git lfs pull",
}
"""First letters -> what a file is that begins with them."""
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""Byte order marks, which some editors and exporters put before text."""
DAMAGED = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError),
    *(struct.error, ValueError),
)
"""What unpacking raises for damaged, encrypted or unknown archives."""


def kind_of(data: bytes) -> str:
    """What a file is by its first letters, in words; "unknown data" where they say nothing."""
    if not data:
        return "empty"
    start = data[:64].lstrip()
    return next((kind for magic, kind in KINDS.items() if start.startswith(magic)), "unknown data")


def unmarked(data: bytes) -> bytes:
    """Text without its byte order mark, in UTF-8; other data as they are."""
    encoding = next((encoding for mark, encoding in MARKS.items() if data.startswith(mark)), None)
    return data if encoding is None else data.decode(encoding, "replace").encode()


def read_bytes(path: Path) -> bytes:
    """The text of a STEP file, unpacked where it is compressed, all in memory: nothing is written anywhere.

    A file with the suffix of a packed one may be gzip, zip or plain text.

    Raises:
        Reject: unreadable, or too_large where it unpacks to more than MAX_UNPACKED.
    """
    try:
        if suffix_of(path) not in PACKED_STEP:
            return path.read_bytes()
        with path.open("rb") as file:
            magic = file.read(2)
        if magic == GZIP:
            with gzip.open(path) as stream:
                return _bounded(stream, path)
        if magic == ZIP:
            return _from_zip(path)
        return path.read_bytes()
    except DAMAGED as error:
        what = f"{path.name}: {type(error).__name__}: {error}"
        raise Reject("unreadable", f"{what}; pack it again, without a password") from None


def _from_zip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = [i for i in archive.infolist() if not i.is_dir() and _is_step(i.filename)]
        if len(names) != 1:
            found = ", ".join(i.filename for i in (names or archive.infolist())[:3])
            raise Reject(
                "unreadable", f"{path.name}: holds {len(names)} STEP files, must be one ({found}); unpack it first"
            )
        with archive.open(names[0]) as stream:
            return _bounded(stream, path)


def _is_step(member: str) -> bool:
    """False also for what macOS keeps beside each file of an archive: `__MACOSX/._part.stp`."""
    return member.lower().endswith(STEP) and not member.rpartition("/")[2].startswith("._")


def _bounded(stream: IO[bytes] | gzip.GzipFile, path: Path) -> bytes:
    """Unpacks piece by piece, since sizes stated in an archive's header may lie."""
    unpacked = io.BytesIO()
    while piece := stream.read(2**20):
        if unpacked.tell() + len(piece) > MAX_UNPACKED:
            raise Reject("too_large", f"{path.name}: unpacks to more than {MAX_UNPACKED / 2**20:g} MB")
        unpacked.write(piece)
    return unpacked.getvalue()
