"""What shards are made from: settings, code and files. Shards of one origin belong together, others never do."""

import hashlib
import importlib.metadata
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brep_mae import closure
from brep_mae.datasets.source import Source
from brep_mae.ingest import chunks
from brep_mae.settings import ParseParams

MADE_BY = "brep_mae.ingest.chunks"
"""The module that fills shards; with all that it imports, the code that a shard depends on."""
LIBRARIES = ("cadquery-ocp", "cadquery-ocp-novtk", "numpy")
"""What the numbers in a shard depend on besides this program; one of the first two is there."""


@dataclass(frozen=True)
class Origin:
    """All that a shard depends on.

    Args:
        parse: the settings, by their names.
        code: hash of the code and the libraries: the work of two parsers must not lie in one data set.
        files: hash of all files of the data set by name, size and time of change, the last of which a store may know
            better.
    """

    parse: dict[str, Any]
    code: str
    files: str

    @property
    def key(self) -> str:
        settings = " ".join(f"{name}={value}" for name, value in sorted(self.parse.items()))
        return hashlib.sha256(f"{settings} {self.code} {self.files}".encode()).hexdigest()[:16]


def origin_of(source: Source, parse: ParseParams) -> Origin:
    return Origin(parse.model_dump(), code(), _files(source))


def code() -> str:
    total = hashlib.sha256(closure.digest(MADE_BY).encode())
    for name in LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            total.update(f"{name} {importlib.metadata.version(name)}".encode())
    return total.hexdigest()


def _files(source: Source) -> str:
    total = hashlib.sha256(f"{source.name} {chunks.FILES_PER_SHARD}".encode())
    for path in source.files:
        version = source.store.version(path) if source.store else _version(path)
        total.update(os.fsencode(path.relative_to(source.root)) + f" {version}\n".encode())
    return total.hexdigest()


def _version(path: Path) -> str:
    stat = path.stat() if path.exists() else path.lstat()  # of a broken link
    return f"{stat.st_size} {stat.st_mtime_ns}"
