"""What the pages tell a new user to type is typed, block by block, on small parts."""

import shlex
import shutil
from pathlib import Path

import pytest

from brep_mae.tracking import tracking
from tests.brep.solids import write_step
from tests.cli.small_tasks import box_or_cylinder, ok, small_encoder
from tests.docs.pages import Line, scripts

SMALLER = {
    "generate": ["--count", "4"],
    "fit": ["--workers", "1"],
    "task add": ["--steps", "2"],
    "pretrain": ["--steps", "2"],
    "render": ["--size", "16"],
}
"""What is added to a command, so that it takes less time; the rest is as it stands on the page."""


def blocks(page: str) -> list[list[Line]]:
    """The blocks of a page that run on a machine without the repository; `doctor` has tests of its own."""
    ours = [[line for line in script if line.text.startswith("brep-mae ")] for script in scripts(Path(page))]
    return [
        mine for mine, all in zip(ours, scripts(Path(page)), strict=True) if mine == all and "doctor" not in str(mine)
    ]


PAGES = ("README.md", "docs/index.md", "docs/your-own-data.md", "docs/pretrain.md")


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: parts with their labels, new parts, a pretrained encoder."""
    root = tmp_path_factory.mktemp("stock")
    lines = ["file,solid,face,class"]
    for i in range(10):
        folder = root / ("my_parts" if i < 8 else "new_parts")
        folder.mkdir(exist_ok=True)
        write_step(folder / f"{i}.step", box_or_cylinder(i))
        name, faces = ("turned", 3) if i % 2 else ("milled", 6)
        lines += [f"{i}.step,0,{face},{name if face else 'first'}" for face in range(faces if i < 8 else 0)]
        lines += [f"{i}.step,0,,{name}"] if i < 8 else []
    (root / "my_parts" / "labels.csv").write_text("\n".join(lines) + "\n")
    small_encoder(root / "models" / "attribute_masking", grid=8)
    return root


@pytest.mark.parametrize("page", PAGES)
def test_every_block_works_from_its_first_line_to_its_last(page, stock, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tracking, "open_mlflow", lambda: None)
    monkeypatch.setattr(tracking, "root", lambda: tmp_path)
    shutil.copytree(stock, tmp_path / "user")
    found = blocks(page)
    assert found
    monkeypatch.chdir(tmp_path / "user")
    for block in found:
        for line in block:
            words = shlex.split(line.text)[1:]
            ok(*words, *SMALLER.get(words[0], SMALLER.get(" ".join(words[:2]), [])))
            if words[:2] == ["labels", "template"]:  # the user fills it in
                shutil.copy("my_parts/labels.csv", words[-1])


def test_enough_of_the_pages_is_tried() -> None:
    assert sum(len(block) for page in PAGES for block in blocks(page)) >= 15
