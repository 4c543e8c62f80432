"""Many files -> turntable frames, over the same killable workers as parsing."""

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brep_mae.brep.reject import Reject
from brep_mae.brep.workers.pool import file_key, run_files

if TYPE_CHECKING:
    from brep_mae.brep.render.turntable import Turntable


@dataclass(frozen=True)
class RenderOptions:
    """How to render one file.

    Args:
        views: frames per solid.
        size: height and width of a frame in pixels.
        deadline_s: wall time for one file.
        memory_mb: address space a file may take on top of the loaded libraries.
        split_closed: True = closed faces are cut in two first, as when the file was parsed.
    """

    views: int
    size: int
    deadline_s: float
    memory_mb: int
    split_closed: bool


@dataclass(frozen=True)
class Rendered:
    """One solid's frames, as in `turntable.Frames`, and the number of faces that `face` counts through."""

    n_faces: int
    image: np.ndarray
    face: np.ndarray


@functools.cache
def _turntable(views: int, size: int) -> "Turntable":
    """One window per worker."""
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa would start a thread per core in each of the workers
    from brep_mae.brep.render.turntable import Turntable

    return Turntable(views, size)


def render_file(path: Path, options: RenderOptions) -> dict[str, Rendered | Reject]:
    """Frames of every solid of one file, in this process, by uid. Raises Reject where the file cannot be read."""
    from brep_mae.brep.read.step import read_solids
    from brep_mae.brep.render.mesh import count_faces
    from brep_mae.brep.solid.split import split_closed

    turntable, key = _turntable(options.views, options.size), file_key(path)
    found: dict[str, Rendered | Reject] = {}
    for solid in read_solids(path):
        if isinstance(solid, Reject):
            continue  # no solid; the parse stage tells why
        try:
            shape = split_closed(solid.shape)[0] if options.split_closed else solid.shape
            frames = turntable.render(shape)
        except Reject as reject:
            found[f"{key}#{solid.index}"] = Reject(reject.reason, f"{path.name}: {reject.detail}")
        else:
            found[f"{key}#{solid.index}"] = Rendered(count_faces(shape), frames.image, frames.face)
    return found


def render_files(
    files: Sequence[Path], options: RenderOptions, workers: int
) -> Iterator[tuple[Path, dict[str, Rendered | Reject] | Reject]]:
    """Yields every file with its solids' frames or the reason why there are none, in the order given.

    Args:
        workers: processes, at least 1.

    Raises:
        RuntimeError: workers cannot even start.
    """
    return run_files(files, options, workers, render_file, preload="brep_mae.brep.render.turntable")
