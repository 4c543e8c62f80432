"""Many CAD files -> coloured STEP and drawings, over the same killable workers as parsing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brep_mae.answers import SolidAnswers
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.workers.pool import run_files
from brep_mae.brep.write.drawing import Drawing, outlined
from brep_mae.palette import Color
from brep_mae.schema import SURFACE_TYPES

if TYPE_CHECKING:
    from brep_mae.brep.write.document import Said

DEFLECTION = 0.001
"""How far a triangle may lie from its surface, as a share of the bounding box's diagonal."""
MEASURED = Sampling(grid=10, field_pool=0, field_samples=0, curvature=False, split_closed=False)
"""What finds the same solids and faces as `brep-mae inspect` and every parse."""


@dataclass(frozen=True)
class WriteOptions:
    """What to make of one file.

    Args:
        answers: what is said of the solids of each file; a solid of which nothing is said is kept without a class.
        colors: of every class that is named in `answers`.
        step: True = make the text of a STEP file.
        drawn: True = make drawings.
        deadline_s: wall time for one file.
        memory_mb: address space a file may take on top of the loaded libraries.
    """

    answers: Mapping[Path, Sequence[SolidAnswers]]
    colors: Mapping[str, Color]
    step: bool
    drawn: bool
    deadline_s: float
    memory_mb: int


@dataclass(frozen=True)
class Made:
    """What was made of one file: a STEP file's bytes if asked for, and by solid its drawing or why there is none."""

    step: bytes | None
    drawings: list[Drawing | Reject]


def make(path: Path, options: WriteOptions) -> Made:
    """What was asked for of one file, in this process.

    Raises:
        Reject: where the file cannot be used, or its solids have other faces than those that the answers are about.
    """
    from brep_mae.brep.graph.file_graphs import file_solids
    from brep_mae.brep.write.document import Said
    from brep_mae.brep.write.step import step_file

    said = {answers.solid: answers for answers in options.answers.get(path, ())}
    entries: list[Said] = []
    for entry in file_solids(path, "0", path.name, MEASURED):
        if isinstance(entry, Reject):
            continue  # no solid; reading the file has told why
        solid, graph = entry
        answers = said.get(solid.index)
        if answers and answers.faces and len(answers.faces) != graph.n_faces:
            detail = f"{graph.n_faces} faces, the answers are about {len(answers.faces)}; ask the model again"
            raise Reject("not_written", f"{path.name}: solid {solid.index} has {detail}")
        entries.append(Said(solid, tuple(SURFACE_TYPES[kind] for kind in graph.face_type), answers))
    if not entries:
        raise Reject("no_solid", f"{path.name}: holds no solid")
    step = step_file(path, entries, options.colors) if options.step else None
    return Made(step, [_drawing(path, entry) for entry in entries] if options.drawn else [])


def _drawing(path: Path, entry: "Said") -> Drawing | Reject:
    from brep_mae.brep.render.mesh import tessellate

    try:
        mesh = tessellate(entry.solid.shape, DEFLECTION)
    except Reject as reject:
        return Reject(reject.reason, f"{path.name}: solid {entry.solid.index}: {reject.detail}")
    center = (mesh.point.min(axis=0) + mesh.point.max(axis=0)) / 2
    point = mesh.point - center
    outline, sides = outlined(point, mesh.triangle, mesh.face)
    return Drawing(
        solid=entry.solid.index,
        name=entry.solid.name or entry.solid.product,
        surfaces=entry.surfaces,
        center_mm=center,
        point=point.astype(np.float32),
        normal=mesh.normal.astype(np.float32),
        triangle=mesh.triangle.astype(np.int32),
        face=mesh.face.astype(np.int32),
        outline=outline.astype(np.float32),
        outline_faces=sides.astype(np.int32),
    )


def make_files(files: Sequence[Path], options: WriteOptions, workers: int) -> Iterator[tuple[Path, Made | Reject]]:
    """Yields every file with what was made of it or the reason why nothing was, in the order given.

    Args:
        workers: processes, at least 1.

    Raises:
        RuntimeError: workers cannot even start.
    """
    return run_files(files, options, workers, make, preload="brep_mae.brep.write.step")
