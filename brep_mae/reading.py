"""The solids of CAD files one by one, for those who store none of them."""

from collections.abc import Iterator
from typing import Any

from brep_mae.brep.reject import Reject
from brep_mae.brep.workers import pool
from brep_mae.cad_files import printable
from brep_mae.datasets.source import Source
from brep_mae.progress import progress
from brep_mae.schema import FaceGraph

Rejects = list[dict[str, Any]]
"""{file, solid, reason, detail} of what was left out; `solid` None = the whole file."""


def solids_of(source: Source, options: pool.ParseOptions, workers: int, rejects: Rejects) -> Iterator[FaceGraph]:
    """Every solid in the order of the files, the same bytes under several names included.

    Args:
        options: as of `parse_files`; the root is that of the source.
        rejects: is filled with what is left out; whole after the last solid.
    """
    for path, reason, detail in source.left_out:
        rejects.append(_reject(printable(path.relative_to(source.root).as_posix()), None, Reject(reason, detail)))
    with progress(len(source.files), "read") as advance:
        for done, (path, found) in enumerate(pool.parse_files(source.files, options, workers), 1):
            file = printable(path.relative_to(source.root).as_posix())
            for number, solid in [(None, found)] if isinstance(found, Reject) else enumerate(found):
                if isinstance(solid, Reject):
                    rejects.append(_reject(file, number, solid))
                else:
                    yield solid
            advance(done, f"{len(rejects)} left out")


def _reject(file: str, solid: int | None, reject: Reject) -> dict[str, Any]:
    return {"file": file, "solid": solid, "reason": reject.reason, "detail": reject.detail}
