"""Image files of a folder or a tar archive -> square RGB arrays of one size, or a reason why not.

An archive is read member by member and never unpacked, so no name in it can reach the disk.
"""

import hashlib
import io
import lzma
import tarfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from brep_mae.datasets.source import SourceError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
MIN_SIDE = 8
"""Pixels; what is shorter holds nothing that a patch could show."""
MAX_PIXELS = 64_000_000
MAX_BYTES = 256_000_000
MAX_RATIO = 50
"""Of the sides: of what is longer, the middle square shows hardly anything."""
DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError, OverflowError)
"""What reading an archive raises whose bytes are not those that were written."""


@dataclass(frozen=True)
class Refused:
    """Why a file is left out: `reason` is one word that is counted, `detail` a sentence."""

    reason: str
    detail: str


def read_files(path: Path, limit: int) -> tuple[int, Iterator[tuple[str, bytes | Refused]]]:
    """How many images there are by their names, and each file's name and content.

    A name is relative to the folder or archive, with forward slashes. Files that are no images by their name do not
    count, but come with a reason too.

    Args:
        path: a folder, or a tar archive of any compression.
        limit: at most so many images, 0 = all; a fair sample that is the same every time.

    Raises SourceError where `path` is neither, is damaged or holds no image.
    """
    if path.is_dir():
        files = {p.relative_to(path).as_posix(): p for p in sorted(path.rglob("*")) if not p.is_dir()}
        wanted = _wanted(list(files), limit, path)
        return len(wanted), _from_folder(files, wanted)
    with _intact(path):
        if not path.is_file() or not tarfile.is_tarfile(path):
            raise SourceError(f"{path}: neither a folder nor a tar archive; point it at one that holds images")
        with tarfile.open(path) as archive:
            wanted = _wanted([m.name for m in archive if not m.isdir()], limit, path)
    return len(wanted), _from_archive(path, wanted)


@contextmanager
def _intact(path: Path) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except DAMAGED as error:
        raise SourceError(f"{path}: a damaged archive ({error}); fetch it again") from None


def _from_folder(files: dict[str, Path], wanted: set[str]) -> Iterator[tuple[str, bytes | Refused]]:
    for name, file in files.items():
        if name in wanted:
            regular = file.is_file()
            yield name, _checked(name, regular, file.stat().st_size if regular else 0) or _read(file)
        elif _suffix(name) not in SUFFIXES:
            yield name, _no_image(name)


def _from_archive(path: Path, wanted: set[str]) -> Iterator[tuple[str, bytes | Refused]]:
    """In stored order, since a compressed archive can't be sought in."""
    with _intact(path), tarfile.open(path) as archive:
        for member in archive:
            if member.name in wanted:
                refused = _checked(member.name, member.isreg(), member.size)
                content = None if refused else archive.extractfile(member)
                yield member.name, refused or (content.read() if content else b"")
            elif not member.isdir() and _suffix(member.name) not in SUFFIXES:
                yield member.name, _no_image(member.name)


def _no_image(name: str) -> Refused:
    return Refused("not_an_image", f"{name}: no suffix of {', '.join(SUFFIXES)}")


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _wanted(names: list[str], limit: int, path: Path) -> set[str]:
    images = [name for name in names if _suffix(name) in SUFFIXES]
    if not images:
        raise SourceError(f"{path}: holds no {', '.join(SUFFIXES)} file; point it at a folder or archive of images")
    if 0 < limit < len(images):
        # A word of its own: the split hashes the same names, and the sample would lie in one side of it.
        images = sorted(images, key=lambda name: hashlib.sha256(f"limit {name}".encode()).digest())[:limit]
    return set(images)


def _checked(name: str, regular: bool, size: int) -> Refused | None:
    if not regular:
        return Refused("not_a_file", f"{name}: a link or a device, not a file")
    if size > MAX_BYTES:
        return Refused("too_large", f"{name}: {size} bytes, at most {MAX_BYTES} are read")
    return None


def _read(file: Path) -> bytes | Refused:
    try:
        return file.read_bytes()
    except OSError as error:
        return Refused("unreadable", f"{file}: {error}")


def decode(name: str, content: bytes, size: int) -> np.ndarray | Refused:
    """Shapes: file content -> (size, size, 3) uint8.

    The middle square is resized to `size` (bicubic, antialiased), and nothing larger is made of the rest. The
    orientation that a camera noted is applied, transparency becomes white as the ground of the renders is, further
    frames are ignored, grey becomes three equal channels and 16 bits become 8.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images: the limit below is ours
            image: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
        if min(image.size) < MIN_SIDE:
            return Refused("too_small", f"{name}: {image.width} x {image.height} pixels, a side below {MIN_SIDE}")
        if image.width * image.height > MAX_PIXELS:
            return Refused("too_large", f"{name}: {image.width} x {image.height} pixels, at most {MAX_PIXELS}")
        if max(image.size) > MAX_RATIO * min(image.size):
            ratio = f"a side more than {MAX_RATIO} times as long as the other"
            return Refused("too_thin", f"{name}: {image.width} x {image.height} pixels, {ratio}")
        image = ImageOps.exif_transpose(image)
        side, left, top = min(image.size), (image.width - min(image.size)) // 2, (image.height - min(image.size)) // 2
        square = _rgb(image.crop((left, top, left + side, top + side)))
        return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))
    except Exception as error:  # a decoder may raise anything on bytes that a stranger wrote
        return Refused("unreadable", f"{name}: {error}")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        if image.mode == "F":
            raise ValueError("pixels are real numbers of no known range")
        values = np.asarray(image).astype(np.int32).clip(0, 65535)
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
