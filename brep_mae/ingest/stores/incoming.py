"""A data set in an object store: its files come to this machine one by one, shortly before they are read."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, overload

from brep_mae.cad_files import SUFFIXES, Found, suffix_of
from brep_mae.datasets.adapters import solids
from brep_mae.datasets.source import Source, SourceError
from brep_mae.ingest.stores.address import connect, is_file_name, listed, reached, standing_for
from brep_mae.output.files import enough_room

THREADS = 8
"""Files that are fetched at once."""
AHEAD = 64
"""Files that are asked for before it is their turn: as many lie here at most, beside those in work."""
LONGEST = 255
"""Bytes that disks take as the name of a file."""
VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "created", "last_modified", "LastModified")
"""Where stores say which content an object has, the surest first."""


@contextmanager
def opened(url: str) -> Iterator[Source]:
    """The CAD files below an address, with the tables of labels there, as `solids.given` finds them in a folder.

    Raises:
        StoreError: the store cannot be read.
        SourceError: there is no CAD file, or a table that can't be read.
    """
    fs, base = connect(url)
    objects = listed(fs, url, base)
    with TemporaryDirectory(prefix="brep-mae-") as folder, standing_for(url.rstrip("/"), Path(folder)):
        store = ObjectStore(fs, url, base, Path(folder), objects)
        found = _found(store.root, objects)
        if not found.files:
            raise SourceError(
                f"{url}: holds no CAD file; known suffixes are {', '.join(SUFFIXES)}; name the folder that holds them"
            )
        for path in found.beside:
            store.fetch(path)
        yield replace(solids.source(store.root, found), store=store)


def _found(root: Path, objects: dict[str, dict[str, Any]]) -> Found:
    """CAD files and tables by the paths that they have once they are fetched. Nothing is written outside `root`,
    whatever the objects are called."""
    found, folders = Found(), {str(parent) for name in objects for parent in PurePosixPath(name).parents}
    for name in objects:
        path = PurePosixPath(name)
        here = root / path
        if not (suffix_of(here) or solids.is_table(path.name)):
            continue
        if not is_file_name(name) or name in folders:
            detail = f"{name}: not the name of a file in a folder; rename the object"
            found.left_out.append((here, "bad_name", detail))
        elif any(len(part.encode("utf-8", "surrogateescape")) > LONGEST for part in path.parts):
            found.left_out.append((here, "bad_name", f"{name}: longer than {LONGEST} bytes; rename the object"))
        else:
            (found.files if suffix_of(here) else found.beside).append(here)
    return Found(sorted(found.files), sorted(found.beside), sorted(found.left_out))


class ObjectStore:
    """A `cad_files.Store` whose objects have the same names below `root`."""

    def __init__(self, fs: Any, url: str, base: str, root: Path, objects: dict[str, dict[str, Any]]) -> None:
        self.root = root
        self._fs, self._url, self._base = fs, url, base
        self._versions = {
            name: f"{about.get('size')} {next((about[key] for key in VERSIONS if about.get(key)), '')}"
            for name, about in objects.items()
        }

    def version(self, path: Path) -> str:
        return self._versions[path.relative_to(self.root).as_posix()]

    @contextmanager
    def fetching(self, files: Sequence[Path]) -> Iterator[Sequence[Path]]:
        with ThreadPoolExecutor(THREADS) as threads:
            try:
                yield _Coming(self, files, threads)
            finally:
                threads.shutdown(cancel_futures=True)

    def fetch(self, path: Path) -> None:
        """Raises StoreError; one that was removed after it was listed is missing, as in a folder."""
        name = path.relative_to(self.root).as_posix()
        path.parent.mkdir(parents=True, exist_ok=True)
        with reached(f"{self._url.rstrip('/')}/{name}"), enough_room(path):
            try:
                self._fs.get_file(f"{self._base}/{name}", str(path))
            except FileNotFoundError:
                path.unlink(missing_ok=True)


class _Coming(Sequence[Path]):
    """Files of which each is here when it is asked for. They are asked for about in order."""

    def __init__(self, store: ObjectStore, files: Sequence[Path], threads: ThreadPoolExecutor) -> None:
        self._store, self._files, self._threads = store, files, threads
        self._coming: dict[int, Future[None]] = {}
        self._begun = 0

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, number: int) -> Path: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Path]: ...
    def __getitem__(self, number: int | slice) -> Path | Sequence[Path]:
        if isinstance(number, slice):
            raise TypeError("files come one by one")
        for begun in range(self._begun, min(number + AHEAD, len(self._files))):
            self._coming[begun] = self._threads.submit(self._store.fetch, self._files[begun])
            self._begun = begun + 1
        if coming := self._coming.pop(number, None):
            coming.result()
        return self._files[number]
