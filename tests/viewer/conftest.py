"""Pages as a browser shows them. Without Chromium these tests are skipped."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brep_mae.answers import Answer, SolidAnswers
from brep_mae.viewer.outputs import Outputs, Written, write_outputs
from tests.brep.solids import box, plate, write_step

DANGEROUS = "<img src=x onerror=window.ran=1>"
ENDING = "</script><script>window.ran=1</script>"
CLASSES = ("hole", "side", DANGEROUS)
IN_SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium to look at pages with")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=IN_SOFTWARE)
        yield running
        running.close()


def leaves(url: str, page: Path) -> bool:
    """True for what is not the page itself, nor an image that it made."""
    return url != page.as_uri() and not url.startswith(("blob:", "data:"))


@pytest.fixture(scope="module")
def opened(browser: Any) -> Iterator[Callable[[Path], Any]]:
    """Opens a page; `wrong` of what it returns fills with console errors and with requests that leave the page."""
    pages = []

    def open_page(path: Path) -> Any:
        page = browser.new_page(viewport={"width": 1200, "height": 700})
        page.wrong = []
        page.on("console", lambda message: page.wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.wrong.append(str(error.stack)))
        page.on("request", lambda request: page.wrong.append(request.url) if leaves(request.url, path) else None)
        page.goto(path.as_uri())
        page.wait_for_selector("#drawing canvas")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def cad_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A plate with a hole (seven faces), two boxes in one file, and a box under a dangerous name."""
    root = tmp_path_factory.mktemp("parts")
    return [
        write_step(root / "a plate.step", plate(0.3)),
        write_step(root / "boxes.step", box(1, 1, 1), box(1, 1, 1, at=(3, 0, 0))),
        write_step(root / f"{DANGEROUS}.step", box(2, 1, 1)),
    ]


def answers(cad_files: list[Path]) -> list[SolidAnswers]:
    """Faces of the plate, of which the last one is unsure; solids of the others, of which the last one is unsure."""
    faces = [Answer((CLASSES[n % 2],), 0.95) for n in range(6)] + [Answer((DANGEROUS,), 0.31)]
    planes = ("plane",) * 6
    return [
        SolidAnswers(cad_files[0], "a plate.step", 0, (*planes, "cylinder"), tuple(faces)),
        SolidAnswers(cad_files[1], "boxes.step", 0, planes, (), Answer(("hole",), 0.9)),
        SolidAnswers(cad_files[1], "boxes.step", 1, planes, (), Answer(("side",), 0.8)),
        SolidAnswers(cad_files[2], cad_files[2].name, 0, planes, (), Answer((ENDING,), 0.4)),
    ]


def write(said: list[SolidAnswers], outputs: Outputs) -> Written:
    return write_outputs(said, CLASSES, outputs, "Two <b> models", 1, 60, 2000)
