"""CAD files -> answers, file by file, each as soon as it is known; a bad file costs itself alone."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from brep_mae.answers import LeftOut, SolidAnswers
from brep_mae.brep.reject import Reject
from brep_mae.brep.workers import pool
from brep_mae.cad_files import printable
from brep_mae.schema import FaceGraph

Answers = Callable[[Path, str, Sequence[FaceGraph]], list[SolidAnswers]]
"""A file, its name as people are shown it, and its solids -> what is said of each of them, in the same order."""


def ask(
    answers: Answers, together: bool, files: Sequence[Path], options: pool.ParseOptions, workers: int
) -> Iterator[list[SolidAnswers | LeftOut]]:
    """For every file, in the order given, what is said of its solids, or why not.

    Args:
        answers: the model.
        together: True = it looks at all solids of a file at once.
        workers: processes that read files.
    """
    for path, found in pool.parse_files(files, options, workers):
        file = printable(path.relative_to(options.root).as_posix())
        solids = [found] if isinstance(found, Reject) else found
        graphs = [solid for solid in solids if not isinstance(solid, Reject)]
        said = iter(
            _said(answers, path, file, graphs)
            if together
            else [one for graph in graphs for one in _said(answers, path, file, [graph])]
        )
        yield [
            LeftOut(path, file, place, solid.reason, solid.detail) if isinstance(solid, Reject) else next(said)
            for place, solid in enumerate(solids)
        ]


def _said(answers: Answers, path: Path, file: str, graphs: list[FaceGraph]) -> list[SolidAnswers | LeftOut]:
    if not graphs:
        return []
    try:
        return [*answers(path, file, graphs)]
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):  # torch has no error for it
            raise
        faces = sum(graph.n_faces for graph in graphs)
        detail = f"{faces} faces need more memory than there is; free some, or use a larger machine"
        return [LeftOut(path, file, graph.solid, "memory", detail) for graph in graphs]
