"""Addresses in object stores, and what goes wrong there, told with the address, the reason and the remedy."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from brep_mae.output.files import OutputError

SECRET = re.compile(r"(?<=://)[^/\s]*@|\?\S+")
"""Where libraries write credentials into an address: before its host, or as signatures after it."""


class StoreError(RuntimeError):
    """A store cannot be read or written; the message names the address, the reason and the remedy."""


def connect(url: str) -> tuple[Any, str]:
    """The file system of an address, as fsspec gives it, and the path in it. Raises StoreError."""
    import fsspec

    shown, parts = SECRET.sub("", url), urlsplit(url)
    if shown != url or parts.fragment or "::" in url:
        raise StoreError(
            f"{shown}: given with credentials or options; remedy: name the address alone, and leave credentials where "
            "the store's own tools look for them"
        )
    with reached(url):
        fs, base = fsspec.url_to_fs(url, use_listings_cache=False)
        return fs, base.rstrip("/")


@contextmanager
def reached(url: str) -> Iterator[None]:
    """Turns whatever the library of a store raises into a StoreError."""
    try:
        yield
    except (StoreError, OutputError):
        raise
    except Exception as error:
        reason = SECRET.sub("", " ".join(str(error).split()))[:300] or type(error).__name__
        raise StoreError(f"{url}: {reason}; remedy: {_remedy(error)}") from None


def _remedy(error: Exception) -> str:
    if isinstance(error, ImportError):
        return "pip install 'brep-mae[stores]' for S3, or the library that fsspec names for another store"
    if isinstance(error, PermissionError) or "redentials" in type(error).__name__:
        return (
            "give credentials that may read and write there, where the store's own tools look for them (S3: "
            "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
        )
    if isinstance(error, FileNotFoundError | ValueError):
        return "check the address"
    return "check address and network, and run the same again; what is finished is kept"


@contextmanager
def standing_for(place: str, folder: Path) -> Iterator[None]:
    """Errors about a folder that holds what comes from a store, or goes to it, name the place in the store."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if str(folder) not in str(error):
            raise
        kind = ValueError if isinstance(error, ValueError) else RuntimeError  # others may not be made of a text alone
        raise kind(str(error).replace(str(folder), place)) from None


def is_file_name(name: str) -> bool:
    """Whether an object's name is that of a file below a folder, and of no place outside it."""
    parts = PurePosixPath(name).parts
    return "/".join(parts) == name and ".." not in parts and not name.startswith("/") and "\0" not in name


def listed(fs: Any, url: str, base: str) -> dict[str, dict[str, Any]]:
    """What the store says of every object below an address, by its name there. Raises StoreError."""
    with reached(url):
        found: dict[str, dict[str, Any]] = fs.find(base, detail=True)
    return {path.removeprefix(f"{base}/"): about for path, about in found.items()}
