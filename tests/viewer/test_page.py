"""The page of predictions, as a browser shows it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brep_mae.viewer.outputs import Outputs
from tests.viewer.conftest import DANGEROUS, ENDING, answers, write

MIDDLE = (
    "(() => { const box = drawing.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2] })()"
)


@pytest.fixture(scope="module")
def page(opened: Callable[[Path], Any], cad_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("page") / "parts.html"
    assert write(answers(cad_files), Outputs(html=out)).paths == [out]
    return opened(out)


@pytest.fixture(autouse=True)
def _first_part(page: Any) -> None:
    page.fill("#search", "")
    page.click("#parts li:nth-child(1) button")


def hovered(page: Any) -> str:
    """What stands beside the mouse when it points at the middle of the part."""
    page.mouse.move(2, 2)
    page.wait_for_timeout(300)
    x, y = page.evaluate(MIDDLE)
    page.mouse.move(x, y)
    page.mouse.move(x + 3, y + 2)
    page.wait_for_selector(".hovertext", timeout=5000)
    return str(page.text_content(".hovertext"))


def shown_in(page: Any, data: str) -> list[Any]:
    return list(page.evaluate(f"drawing.data.filter((trace) => trace.type === 'mesh3d').map((trace) => {data})"))


def test_each_class_is_a_surface_of_its_colour_and_all_faces_are_there(page: Any) -> None:
    names = shown_in(page, "trace.name")
    assert names == ["hole (3)", "side (3)", "&lt;img src=x onerror=window.ran=1&gt; (1)"]
    assert len(set(shown_in(page, "trace.color"))) == 3
    faces = page.evaluate("drawing.data.flatMap((t) => t.where || []).map((w) => w.face)")
    assert set(faces) == set(range(7))


def test_the_part_is_drawn(page: Any) -> None:
    """Pixels of the scene have the colours of the classes that face the reader, and not only white."""
    colors = page.evaluate(
        """async () => { const url = await Plotly.toImage(drawing, {width: 300, height: 200});
        const image = new Image(); image.src = url; await image.decode();
        const canvas = document.createElement('canvas'); canvas.width = 300; canvas.height = 200;
        const brush = canvas.getContext('2d'); brush.drawImage(image, 0, 0);
        const data = brush.getImageData(100, 50, 100, 100).data;
        return new Set(Array.from({length: 1e4}, (_, n) => data.slice(4 * n, 4 * n + 3).join())).size }"""
    )
    assert colors > 10


def test_the_mouse_over_a_face_tells_class_share_number_and_surface(page: Any) -> None:
    page.click("#parts li:nth-child(3) button")
    text = hovered(page)
    assert ENDING in text and "40 %, unsure" in text and "plane" in text and "face " in text


def test_of_several_solids_the_mouse_tells_which(page: Any) -> None:
    page.click("#parts li:nth-child(2) button")
    assert page.inner_text("#about").startswith("12 faces · 4 × 1 × 1 mm")
    page.select_option("#solids", "1")
    assert page.inner_text("#about").startswith("6 faces · 1 × 1 × 1 mm")
    assert "solid 1" in hovered(page) and "side" in hovered(page)


def test_the_legend_hides_a_class(page: Any) -> None:
    page.click(".legend .traces:nth-child(1) .legendtoggle")
    page.wait_for_function("drawing.data[0].visible === 'legendonly'")
    assert shown_in(page, "trace.visible || true")[1:] == [True, True]


def test_the_search_leaves_files_whose_name_or_classes_have_all_words(page: Any) -> None:
    for words, left in {
        "plate": ["a plate.step"],
        "BOXES side": ["boxes.step"],
        "hole": ["a plate.step", "boxes.step"],
    }.items():
        page.fill("#search", words)
        assert page.locator("#parts li:visible .file").all_inner_texts() == left
    assert page.inner_text("#found") == "2 of 3 files"


def test_unsure_faces_are_listed_outlined_and_turned_to_the_reader(page: Any) -> None:
    rows = page.locator("#doubts tbody tr")
    assert rows.all_inner_texts() == [f"6\t{DANGEROUS}\t31 %\tcylinder"]
    assert page.locator("#parts li:nth-child(1) .unsure").inner_text() == "1 unsure"
    assert page.evaluate("drawing.data.at(-1).name") == "unsure (1)"
    before = page.evaluate("drawing.data.length")
    rows.first.click()
    assert page.evaluate("drawing.data.length") == before + 1
    page.click("#parts li:nth-child(2) button")
    assert page.is_visible("#none-unsure") and not rows.count()


def test_small_pictures_show_the_parts(page: Any) -> None:
    drawn = page.evaluate(
        """Array.from(document.querySelectorAll('#parts canvas'), (canvas) => {
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return data.filter((value, n) => n % 4 === 3 && value > 0).length / (data.length / 4) })"""
    )
    assert len(drawn) == 3 and all(share > 0.1 for share in drawn)


def test_names_run_no_code_and_nothing_leaves_the_page(page: Any) -> None:
    """Last, so that what the others did counts too."""
    for number in (1, 2, 3):
        page.click(f"#parts li:nth-child({number}) button")
    hovered(page)
    assert page.evaluate("window.ran") is None
    assert page.locator("img").count() == 0
    assert page.inner_text("h1") == "Two <b> models"
    assert page.wrong == []
