"""A finished folder in an object store. It is filled on this machine; each finished shard goes to the store at once, so
that a run that was killed goes on from there, on any machine.

No store replaces a folder in one step, so the note that makes a folder complete leaves first and comes last.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from brep_mae.brep.workers.pool import ParseOptions
from brep_mae.cad_files import Store
from brep_mae.datasets.lazy.index import SUFFIX
from brep_mae.ingest.chunks import Chunks, fill
from brep_mae.ingest.dataset import KEY
from brep_mae.ingest.stores.address import connect, is_file_name, listed, reached, standing_for
from brep_mae.output.files import OutputError, enough_room
from brep_mae.output.note import MARKER, noted

WORK, PLANNED = ".work/", ".work/planned.json"
"""What is unfinished lies in the first; the second notes what is being put beside it, like the note of a folder."""


@contextmanager
def filled(url: str) -> Iterator["Outgoing"]:
    """Yields a place to fill; when the body ends, what it holds is put at the address.

    Raises:
        StoreError: the store cannot be read or written.
        OutputError: the address holds what this program did not write.
    """
    with TemporaryDirectory(prefix="brep-mae-") as scratch:
        out = Outgoing(url.rstrip("/"), Path(scratch) / "out")
        out.claim()
        with standing_for(out.url, out.folder):
            yield out
            out.put()


@contextmanager
def brought(url: str) -> Iterator[Path]:
    """A folder of this machine with all that a finished one at an address holds. Raises StoreError."""
    with TemporaryDirectory(prefix="brep-mae-") as scratch:
        there = Outgoing(url.rstrip("/"), Path(scratch) / "out")
        with standing_for(there.url, there.folder):
            there.bring(SUFFIX)
            yield there.folder


class Outgoing:
    """What will lie at `url` is made in `folder`, into which all but the shards of an earlier run come at once."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self._fs, self._base = connect(url)
        there = self._there = listed(self._fs, url, self._base)
        self._unfinished = {name for name in there if name.startswith(WORK)}
        self._before = self._note(MARKER) if MARKER in there else {}
        self._ours = self._before | (self._note(PLANNED) if PLANNED in there else {})
        if foreign := sorted({*there} - {MARKER, *self._ours, *self._unfinished}):
            raise OutputError(
                f"{url}: holds something else than this program wrote there: {', '.join(foreign[:3])}; "
                "remedy: name another address, or move that elsewhere"
            )
        if self._before:
            folder.mkdir()
            self._get([MARKER, *(name for name in self._before if not name.endswith(SUFFIX))], folder)

    def claim(self) -> None:
        """Shows that the store can be written, before any work begins. Raises StoreError."""
        self._write(PLANNED, {"made_by": "brep_mae", "written": self._ours})

    def take_up(self, key: str) -> None:
        """Brings the shards of an earlier run as well, if they are made of the same files by the same settings."""
        at = self.folder / KEY
        if at.is_file() and at.read_text() == key:
            self.bring(SUFFIX)

    def bring(self, suffix: str) -> None:
        self._get([name for name in self._before if name.endswith(suffix)], self.folder)

    def fill(self, chunks: Chunks, options: ParseOptions, workers: int, store: Store | None) -> float:
        """Does what `chunks.fill` does; what an earlier run has finished is brought instead."""
        folder = next(iter(chunks)).parent if chunks else self.folder
        work = f"{WORK}{folder.name}/"

        def keep(done: Path) -> None:
            shard = done.with_suffix(SUFFIX)
            for path in (shard, done) if shard.is_file() else (done,):
                self._put(path, f"{work}{path.name}")

        notes = {f"{work}{done.name}" for done in chunks if not done.is_file()} & self._unfinished
        shards = {str(Path(note).with_suffix(SUFFIX)) for note in notes} & self._unfinished
        for names in (shards, notes):
            self._get(sorted(names), folder, work)
        return fill(chunks, options, workers, store, keep)

    def put(self) -> None:
        """Makes what lies at the address equal to the folder."""
        new = noted(self.folder)
        if new != self._before:
            self._write(PLANNED, {"made_by": "brep_mae", "written": self._ours | new})
            self._remove([MARKER] if self._before else [])
            for name, digest in new.items():
                if self._before.get(name) != digest:
                    self._put(self.folder / name, name)
            self._remove([name for name in self._ours if name not in new and name in self._there])
            self._put(self.folder / MARKER, MARKER)
        self._remove(sorted(listed(self._fs, self.url, f"{self._base}/{WORK.rstrip('/')}")), WORK)

    def _note(self, name: str) -> dict[str, str]:
        with reached(f"{self.url}/{name}"):
            written = json.loads(self._fs.cat_file(f"{self._base}/{name}"))["written"]
            return {name: digest for name, digest in written.items() if is_file_name(name)}

    def _write(self, name: str, value: Any) -> None:
        with reached(f"{self.url}/{name}"):
            self._fs.pipe_file(f"{self._base}/{name}", json.dumps(value).encode())

    def _get(self, names: Sequence[str], folder: Path, below: str = "") -> None:
        """Brings objects into a folder, their names without `below`."""
        here = [folder / name.removeprefix(below) for name in names]
        for parent in {path.parent for path in here}:
            parent.mkdir(parents=True, exist_ok=True)
        if names:
            with reached(self.url), enough_room(folder):
                self._fs.get([f"{self._base}/{name}" for name in names], list(map(str, here)))

    def _put(self, path: Path, name: str) -> None:
        with reached(f"{self.url}/{name}"):
            self._fs.put_file(str(path), f"{self._base}/{name}")

    def _remove(self, names: Sequence[str], below: str = "") -> None:
        if names:
            with reached(self.url):
                self._fs.rm([f"{self._base}/{below}{name}" for name in names])
