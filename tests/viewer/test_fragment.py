"""What a notebook shows of a part and of what is said of it."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import brep_mae
from brep_mae.api import CadFile, Prediction
from tests.viewer.conftest import CLASSES, DANGEROUS, answers


@pytest.fixture(scope="module")
def prediction(cad_files: list[Path]) -> Prediction:
    return Prediction(answers(cad_files)[:1], brep_mae.read(cad_files[0]), CLASSES)


@pytest.fixture(scope="module")
def notebook(
    opened: Callable[[Path], Any], prediction: Prediction, cad_files: list[Path], tmp_path_factory: Any
) -> Any:
    """A page that holds two fragments, as a notebook does, and something that they must not reach."""
    out = tmp_path_factory.mktemp("notebook") / "notebook.html"
    page = prediction._repr_html_() + brep_mae.read(cad_files[2])._repr_html_()
    out.write_text(f"<!DOCTYPE html><div id=drawing><canvas></canvas></div>{page}")
    shown = opened(out)
    for frame in shown.frames[1:]:
        frame.wait_for_selector("#drawing canvas")
    return shown


def test_a_prediction_is_drawn_in_its_colours_and_listed(notebook: Any) -> None:
    frame = notebook.frames[1]
    names = frame.evaluate("drawing.data.filter((trace) => trace.type === 'mesh3d').map((trace) => trace.name)")
    assert names == ["hole (3)", "side (3)", "&lt;img src=x onerror=window.ran=1&gt; (1)"]
    assert frame.inner_text("#doubts tbody tr td:nth-child(2)") == DANGEROUS


def test_a_part_that_was_read_is_drawn_without_classes(notebook: Any) -> None:
    frame = notebook.frames[2]
    assert frame.inner_text("#about").startswith("6 faces") and not frame.is_visible("aside")
    assert frame.inner_text("#parts .said") == "6 faces"


def test_names_run_no_code_and_nothing_leaves_the_frame(notebook: Any) -> None:
    assert not [text for text in notebook.wrong if "about:srcdoc" not in text]
    assert not any(frame.evaluate("'ran' in window") for frame in notebook.frames)
    with pytest.raises(Exception, match=r"SecurityError|cross-origin"):
        notebook.frames[1].evaluate("parent.document.title")


def test_a_fragment_is_one_frame_with_everything_in_it_escaped(prediction: Prediction) -> None:
    fragment = prediction._repr_html_()
    assert re.fullmatch(r'<iframe sandbox="allow-scripts" style="[^"]*" srcdoc="[^"<>]*"></iframe>', fragment)
    page = html.unescape(fragment)
    assert "default-src 'none'" in page and DANGEROUS not in page
    assert isinstance(prediction, list) and prediction[0].faces[0].name == "hole"


def test_a_part_that_is_gone_is_told_in_words(tmp_path: Path, cad_files: list[Path]) -> None:
    part = CadFile(tmp_path / f"{DANGEROUS}.step", (), ())
    assert re.fullmatch(r"<p>&lt;img [^<]* cannot be drawn: [^<]*</p>", part._repr_html_())
