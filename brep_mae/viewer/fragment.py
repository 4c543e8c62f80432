"""One CAD file as a piece of HTML that a notebook shows: the page of the file, in a frame that reaches nothing else."""

import html
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from brep_mae.answers import SolidAnswers
from brep_mae.brep.reject import Reject
from brep_mae.brep.write.drawing import Drawing
from brep_mae.brep.write.pool import WriteOptions, make_files
from brep_mae.palette import class_colors
from brep_mae.settings import ParseParams
from brep_mae.viewer.page import DrawnFile, write_page

DEFAULT = ParseParams()


def file_fragment(path: Path, file: str, classes: Sequence[str], said: Sequence[SolidAnswers]) -> str:
    """The part in 3-D, with its faces coloured by what is said of them, or the reason why it cannot be drawn.

    The CAD file is read again, in a process of its own. The fragment holds all it needs, about 5 MB.

    Args:
        path: absolute.
        file: its name as people are shown it.
        classes: in the order that gives them their colours.
        said: of solids of the file; may be empty.
    """
    colors = class_colors([*classes, *sorted(set().union(*(answers.names for answers in said)) - set(classes))])
    options = WriteOptions({path: said}, colors, False, True, DEFAULT.deadline_s, DEFAULT.memory_mb)
    _, made = next(make_files([path], options, workers=1))
    entries = [made] if isinstance(made, Reject) else made.drawings
    drawings = [entry for entry in entries if isinstance(entry, Drawing)]
    if not drawings:
        reasons = "; ".join(f"{entry.reason}: {entry.detail}" for entry in entries if isinstance(entry, Reject))
        return f"<p>{html.escape(file)} cannot be drawn: {html.escape(reasons)}</p>"
    with TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        write_page(page, file, [DrawnFile(file, drawings, {answers.solid: answers for answers in said})], colors)
        text = page.read_text()
    # A frame with scripts alone is a place of its own: what runs in it cannot reach the notebook.
    style = "width: 100%; height: 520px; border: 0"
    return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{html.escape(text)}"></iframe>'
