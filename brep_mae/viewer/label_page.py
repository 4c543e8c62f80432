"""CAD files -> a page on which a person gives their faces, solids or files a class and saves labels.csv."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from brep_mae.answers import SolidAnswers
from brep_mae.brep.reject import Reject
from brep_mae.brep.write.drawing import Drawing
from brep_mae.brep.write.pool import WriteOptions, make_files
from brep_mae.cad_files import printable
from brep_mae.palette import class_colors
from brep_mae.progress import progress
from brep_mae.viewer.page import DrawnFile, Labelling, write_page


def write_label_page(
    out: Path,
    files: Sequence[Path],
    root: Path,
    choices: Sequence[str],
    workers: int,
    deadline_s: float,
    memory_mb: int,
    suggestions: Sequence[SolidAnswers] = (),
) -> list[tuple[str, Reject]]:
    """Writes the page and returns every file or solid that is not on it, with the reason.

    Args:
        out: the page.
        files: absolute, below `root`, from which labels.csv will name them.
        choices: classes to choose from, each once.
        workers, deadline_s, memory_mb: as in `brep.workers`.
        suggestions: what a model says of solids of the files; a person may take it over.

    Raises:
        OutputError: the page cannot be written.
        ValueError: none of the files could be drawn.
    """
    colors = class_colors([*choices, *sorted(set().union(*(answers.names for answers in suggestions)) - set(choices))])
    left_out: list[tuple[str, Reject]] = []
    unit = "solid" if suggestions and not any(answers.faces for answers in suggestions) else "face"
    labelling = Labelling(list(choices), printable(str(root)), bool(suggestions), unit)
    options = WriteOptions({}, colors, False, True, deadline_s, memory_mb)
    said: dict[Path, dict[int, SolidAnswers]] = {path: {} for path in files}
    for answers in suggestions:
        said[answers.path][answers.solid] = answers

    def drawn() -> Iterator[DrawnFile]:
        with progress(len(files), "draw") as advance:
            for done, (path, made) in enumerate(make_files(files, options, workers), 1):
                advance(done, "")
                name = printable(path.relative_to(root).as_posix())
                entries = [made] if isinstance(made, Reject) else made.drawings
                left_out.extend((name, entry) for entry in entries if isinstance(entry, Reject))
                drawings = [entry for entry in entries if isinstance(entry, Drawing)]
                if drawings:
                    yield DrawnFile(name, drawings, said[path])

    title = f"Label {len(files)} files" if len(files) > 1 else f"Label {printable(files[0].name)}"
    write_page(out, title, drawn(), colors, labelling)
    return left_out
