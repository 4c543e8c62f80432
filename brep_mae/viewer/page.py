"""Drawn files and what is said of them -> one HTML page that holds all it needs and asks nobody for anything."""

import base64
import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from brep_mae.answers import Answer, SolidAnswers
from brep_mae.brep.write.drawing import Drawing
from brep_mae.output.files import whole_file, written
from brep_mae.palette import Color

POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"
"""What a browser lets the page do: run what is in it, and fetch nothing. Plotly compiles what it draws with, which
takes 'unsafe-eval'."""
SCRIPTS = ("data.js", "scene.js", "thumbnail.js", "labelling.js", "page.js")


@dataclass(frozen=True)
class DrawnFile:
    """One CAD file on a page.

    Args:
        file: its name as people are shown it.
        drawings: of its solids, at least one.
        answers: what is said of solids, by number; nothing of those that are missing.
    """

    file: str
    drawings: Sequence[Drawing]
    answers: Mapping[int, SolidAnswers]


@dataclass(frozen=True)
class Labelling:
    """That a page is for labelling.

    Args:
        choices: classes to choose from.
        root: folder that names of files start from, as it is told to a person.
        suggested: True = what is said of the files are suggestions, which a person may take over.
        unit: what is labelled at first: "face", "solid" or "file".
    """

    choices: Sequence[str]
    root: str
    suggested: bool
    unit: str


def write_page(
    path: Path, title: str, drawn: Iterable[DrawnFile], colors: Mapping[str, Color], labelling: Labelling | None = None
) -> int:
    """Writes the page, whole or not at all, one file after another, and returns how many it shows.

    Args:
        path: the page, replaced if it is there.
        drawn: may be made while the page is written.
        colors: of every class that is named, in the order of the legend.

    Raises:
        OutputError: the page cannot be written.
        ValueError: there is nothing to show.
    """
    from plotly.offline import get_plotlyjs

    classes = {name: number for number, name in enumerate(colors)}
    assets = files("brep_mae.viewer") / "assets"
    head, tail = (assets / "page.html").read_text().split("{{parts}}")
    fixed = {
        "policy": POLICY,
        "title": html.escape(title),
        "style": (assets / "page.css").read_text(),
        "plotly": get_plotlyjs(),
        "script": "\n".join((assets / name).read_text() for name in SCRIPTS),
    }
    rows: list[dict[str, Any]] = []
    told = labelling is not None
    with written(path), whole_file(path) as out:
        out.write(_filled(head, fixed).encode())
        for file in drawn:
            out.write(_data(f"part-{len(rows)}", _part(file, classes)).encode())
            rows.append(_row(file))
            told = told or bool(file.answers)
        if not rows:
            raise ValueError("no file could be drawn")
        page: dict[str, Any] = {
            "classes": list(classes),
            "colors": {name: "rgb({}, {}, {})".format(*color) for name, color in colors.items()},
            "parts": rows,
            "labelling": labelling is not None,
            "told": told,
        }
        if labelling is not None:
            page |= asdict(labelling)
        out.write(_filled(tail, fixed | {"page": _json(page)}).encode())
    return len(rows)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template with `{{name}}` replaced by the value of that name; what a value holds stays as it is."""
    first, *rest = template.split("{{")
    pieces = (piece.split("}}", 1) for piece in rest)
    return first + "".join(values[name] + after for name, after in pieces)


def _data(name: str, value: Any) -> str:
    return f'<script type="application/json" id="{name}">{_json(value)}</script>\n'


def _json(value: Any) -> str:
    """JSON in which no text can end the script element that it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _part(file: DrawnFile, classes: Mapping[str, int]) -> dict[str, Any]:
    middle = np.mean([drawing.center_mm for drawing in file.drawings], axis=0)
    return {
        "file": file.file,
        "solids": [_solid(drawing, file.answers.get(drawing.solid), middle, classes) for drawing in file.drawings],
    }


def _solid(
    drawing: Drawing, answers: SolidAnswers | None, middle: np.ndarray, classes: Mapping[str, int]
) -> dict[str, Any]:
    def told(answer: Answer) -> tuple[int, float, bool]:
        return classes[answer.name], round(answer.share, 4), answer.unsure

    return {
        "solid": drawing.solid,
        "name": drawing.name,
        "surfaces": drawing.surfaces,
        "center": (drawing.center_mm - middle).tolist(),
        "point": _base64(drawing.point, "<f4"),
        "triangle": _base64(drawing.triangle, "<i4"),
        "face": _base64(drawing.face, "<i4"),
        "outline": _base64(drawing.outline, "<f4"),
        "sides": _base64(drawing.outline_faces, "<i4"),
        "faces": [told(answer) for answer in answers.faces] if answers and answers.faces else None,
        "whole": told(answers.whole) if answers and answers.whole else None,
    }


def _base64(array: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array, kind).tobytes()).decode()


def _row(file: DrawnFile) -> dict[str, Any]:
    """The file's line in the list: what is said of it, and how many answers are unsure."""
    if not file.answers:
        count = sum(len(drawing.surfaces) for drawing in file.drawings)
        return {"file": file.file, "said": f"{count} faces", "unsure": 0}
    said = [answer for answers in file.answers.values() for answer in answers.faces]
    wholes = {answers.solid: answers.whole for answers in file.answers.values() if answers.whole}
    counts = Counter(answer.name for answer in said).most_common()
    texts = [f"{count} {name}" for name, count in counts] + [
        f"{name} ({max(answer.share for answer in wholes.values() if answer.name == name):.2f})"
        for name in dict.fromkeys(answer.name for answer in wholes.values())
    ]
    unsure = sum(answer.unsure for answer in [*said, *wholes.values()])
    return {"file": file.file, "said": ", ".join(texts), "unsure": unsure}
