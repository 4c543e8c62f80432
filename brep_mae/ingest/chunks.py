"""Files -> finished shards in a folder, each with a note of what came of its files.

A shard says nothing of the others: which process parses it, when, and on which machine, changes none of its bytes.
"""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brep_mae import schema
from brep_mae.brep.reject import Reject
from brep_mae.brep.workers.pool import ParseOptions, Solids, parse_files
from brep_mae.cad_files import Store, printable
from brep_mae.datasets.lazy.index import SUFFIX
from brep_mae.datasets.shards import write_shard
from brep_mae.output.files import written
from brep_mae.progress import progress
from brep_mae.schema import FaceGraph

FILES_PER_SHARD = 256
"""What a kill -9 can cost: the files of the shard at hand."""
DONE = ".done"
"""Suffix of the note that a shard is finished, which lies beside the shard."""

Chunks = Mapping[Path, Sequence[Path]]
"""Note of a shard -> the files that it is made of."""
Fill = Callable[[Chunks, ParseOptions, int, Store | None], float]
"""What makes shards, as `fill` does it here."""
Note = dict[str, Any]
"""Counts of a shard, its `rejects`, and the key of each file that gave a solid by the file's name as `keys`."""


def chunks_of(files: Sequence[Path], folder: Path) -> dict[Path, Sequence[Path]]:
    """The shards that the files make, in order, as notes in `folder`."""
    starts = range(0, len(files), FILES_PER_SHARD)
    return {folder / f"{i:05d}{DONE}": files[at : at + FILES_PER_SHARD] for i, at in enumerate(starts)}


def fill(
    chunks: Chunks,
    options: ParseOptions,
    workers: int,
    store: Store | None = None,
    finished: Callable[[Path], None] = lambda done: None,
) -> float:
    """Parses the files of every shard that is not finished; returns solids per second, 0 where there was none to parse.

    Args:
        store: where the files come from; None = they lie where their paths say.
        finished: is called with the note of each shard that was made.

    Raises:
        OutputError: a shard cannot be written.
        RuntimeError: workers cannot start, or the store cannot be reached.
    """
    begun, fresh = time.monotonic(), 0
    todo = [path for done, chunk in chunks.items() if not done.is_file() for path in chunk]
    total = sum(map(len, chunks.values()))
    files, rejected = total - len(todo), 0
    write: Future[None] = Future()
    write.set_result(None)
    with (
        store.fetching(todo) if store else nullcontext(todo) as here,
        progress(total, "parse") as advance,
        ThreadPoolExecutor(1) as writer,  # writes while the workers go on
    ):
        results = parse_files(here, options, workers)
        advance(files, "")
        for done, chunk in chunks.items():
            if done.is_file():
                rejected += len(read_note(done)["rejects"])
                continue
            part = _Part()
            for path, found in (next(results) for _ in chunk):
                part.add(printable(path.relative_to(options.root).as_posix()), found)
                if store:
                    path.unlink(missing_ok=True)
                files += 1
                advance(files, f"{rejected + len(part.rejects)} left out")
            fresh += len(part.graphs)
            rejected += len(part.rejects)
            write.result()
            write = writer.submit(part.commit, done, finished)
    write.result()
    return fresh / (time.monotonic() - begun) if fresh else 0.0


def read_note(done: Path) -> Note:
    note: Note = json.loads(done.read_text())
    return note


def counts(graphs: Sequence[FaceGraph]) -> dict[str, int]:
    return {
        "solids": len(graphs),
        "faces": sum(graph.n_faces for graph in graphs),
        "arcs": sum(graph.arc_index.shape[1] for graph in graphs),
        "unbounded_faces": sum(int((~graph.field_bounded).sum()) for graph in graphs),
    }


@dataclass
class _Part:
    """What one shard will hold, and what is noted beside it."""

    graphs: list[FaceGraph] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    files_without_solid: int = 0

    def add(self, name: str, found: Solids | Reject) -> None:
        """What came of one file."""
        numbered = [(None, found)] if isinstance(found, Reject) else list(enumerate(found))
        for number, solid in numbered:
            if isinstance(solid, Reject):
                reject = {"file": name, "solid": number, "reason": solid.reason, "detail": solid.detail}
                self.rejects.append(reject)
            else:
                self.graphs.append(schema.validate(solid))
                self.keys[name] = solid.uid.split("#")[0]
        self.files_without_solid += name not in self.keys

    def commit(self, done: Path, finished: Callable[[Path], None]) -> None:
        """Writes the shard first, then the note that it is finished, and calls `finished`. Raises OutputError."""
        note: Note = {
            "files_without_solid": self.files_without_solid,
            **counts(self.graphs),
            "rejects": self.rejects,
            "keys": self.keys,
        }
        temporary = done.with_suffix(".writing")
        with written(done, done.parent):
            try:
                if self.graphs:
                    write_shard(done.with_suffix(SUFFIX), self.graphs)
                temporary.write_text(json.dumps(note))
                os.replace(temporary, done)
            except OSError:
                temporary.unlink(missing_ok=True)  # on a full disk even half a shard is in the way
                raise
        finished(done)
