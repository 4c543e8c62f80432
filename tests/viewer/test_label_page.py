"""The page for labelling: what is clicked comes back in a labels.csv that `parse` takes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brep_mae.viewer.label_page import write_label_page
from tests.cli.small_tasks import ok, run
from tests.viewer.conftest import CLASSES, DANGEROUS, answers

CHOICES = (*CLASSES, 'a "wide", flat one')


@pytest.fixture(scope="module")
def plain(opened: Callable[[Path], Any], cad_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The page that the command makes, where nothing is known of the parts."""
    out = tmp_path_factory.mktemp("page") / "label.html"
    ok("label", cad_files[0].parent, "--classes", "hole, side", "--out", out, "--workers", 1)
    return opened(out)


@pytest.fixture(scope="module")
def suggested(opened: Callable[[Path], Any], cad_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("page") / "label.html"
    root = cad_files[0].parent
    assert write_label_page(out, cad_files, root, CHOICES, 1, 60, 2000, answers(cad_files)) == []
    return opened(out)


def saved(page: Any, folder: Path) -> str:
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "labels.csv"
    download.value.save_as(folder / "labels.csv")
    return (folder / "labels.csv").read_text()


def click_the_part(page: Any) -> None:
    page.wait_for_timeout(300)
    box = page.locator("#drawing").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(2, 2)
    page.mouse.move(x, y)
    page.mouse.move(x + 2, y + 2)
    page.wait_for_selector(".hovertext", timeout=5000)
    page.mouse.down()
    page.wait_for_timeout(150)  # as long as a finger takes
    page.mouse.up()


def test_a_clicked_face_gets_the_chosen_class_and_a_second_click_takes_it_away(plain: Any) -> None:
    plain.click("#parts li:nth-child(1) button")  # a box, so that a face is in the middle
    plain.click("#classes li:nth-child(2) button")
    click_the_part(plain)
    plain.wait_for_function("given.face.size === 1")
    ((where, name),) = plain.evaluate("[...given.face]")
    assert name == "side" and json.loads(where)[:2] == [f"{DANGEROUS}.step", 0]
    assert plain.inner_text("#classes li:nth-child(2) .count") == "1"
    assert "side (1)" in plain.evaluate("drawing.data.map((trace) => trace.name)")
    click_the_part(plain)
    plain.wait_for_function("given.face.size === 0")
    assert plain.is_disabled("#save")
    plain.click("#undo")
    assert plain.evaluate("given.face.size") == 1
    plain.click("#undo")
    assert plain.evaluate("given.face.size") == 0


def test_parse_takes_what_was_saved_about_faces(suggested: Any, cad_files: list[Path], tmp_path: Path) -> None:
    """Those that a person chose and those that they took over from the model; no suggestion that nobody looked at."""
    assert suggested.inner_text("#save") == "Save labels.csv (0 faces)"
    suggested.keyboard.press("4")
    suggested.evaluate("label({ solid: part.solids[0], face: 6 })")
    suggested.click("#accept")
    text = saved(suggested, tmp_path)
    assert text.splitlines()[:2] == ["file,solid,face,class", 'a plate.step,0,6,"a ""wide"", flat one"']
    for file in cad_files:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    report = json.loads(ok("parse", tmp_path, "--out", tmp_path / "shards", "--workers", 1, "--json"))
    assert report["labels"]["used"] == 7 and not report["labels"]["unused"]
    assert sorted(line.split(",", 2)[2] for line in text.splitlines()[2:]) == [
        f"{n},{CLASSES[n % 2]}" for n in range(6)
    ]


def test_solids_and_files_have_tables_of_their_own(suggested: Any, tmp_path: Path) -> None:
    suggested.click("#parts li:nth-child(2) button")
    suggested.click("input[value=solid]")
    suggested.click("#accept")
    assert saved(suggested, tmp_path).splitlines() == [
        "file,solid,face,class",
        "boxes.step,0,,hole",
        "boxes.step,1,,side",
    ]
    suggested.click("input[value=file]")
    suggested.evaluate("label({ solid: part.solids[1], face: 3 })")
    assert saved(suggested, tmp_path).splitlines() == ["file,class", 'boxes.step,"a ""wide"", flat one"']
    suggested.click("input[value=face]")
    assert suggested.inner_text("#save") == "Save labels.csv (7 faces)"


def test_nothing_runs_or_leaves_the_page(plain: Any, suggested: Any) -> None:
    for page in (plain, suggested):
        assert page.evaluate("window.ran") is None and page.wrong == []


def test_bad_input_is_told_and_leaves_no_page(cad_files: list[Path], tmp_path: Path) -> None:
    empty, out = tmp_path / "empty.step", tmp_path / "label.html"
    empty.touch()
    for arguments, words in (
        ((empty, "--classes", "a"), "no file could be drawn"),
        ((cad_files[0], "--classes", " , "), "names no class"),
        ((tmp_path / "gone.step", "--classes", "a"), "no such file"),
    ):
        result = run("label", *arguments, "--out", out, "--workers", 1)
        assert result.exit_code and words in result.output
    assert not out.exists()
