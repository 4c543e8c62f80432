"""Where work that takes long keeps what it has begun, so that a run that was cut off goes on where it was."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brep_mae.closure import digest
from brep_mae.output.files import written
from brep_mae.output.folder import collect

WORK = Path(".work")


@contextmanager
def unfinished(module: str, out: Path, *inputs: Any, work: Path | None = None) -> Iterator[Path]:
    """Yields an untracked folder for unfinished work, named after all that the result depends on. A run that is cut off
    leaves it to the next one; when the body ends it goes, and so does what earlier attempts at `out` left.

    Args:
        module: what does the work, such as "pipelines.fewshot"; all the code that it runs is a part of the key.
        out: what is made, claimed by this process.
        inputs: the rest: settings, and digests of the data and weights that are read.
        work: where that folder lies; None = WORK.
    """
    values = json.dumps(inputs, sort_keys=True, default=str)
    key = hashlib.sha256(f"{digest(module)} {values}".encode()).hexdigest()[:16]
    name = "-".join((module.rpartition(".")[2], *out.with_suffix("").relative_to(out.anchor).parts))
    place = work or WORK
    folder = place / f"{name}-{key}"
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
    yield folder
    collect(place, name)
