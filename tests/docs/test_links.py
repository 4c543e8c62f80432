"""No link of README or of a page below docs leads nowhere, in the repository or in the built pages."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.outside_links import on_page_markdown
from tests.docs.pages import PAGES, anchors, links

MOST_LINES = 120
"""Of README: what people read before they decide."""


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, place = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page}: {link}"
        assert not place or place in anchors(target), f"{page}: {link}"


def test_readme_is_short() -> None:
    assert len(Path("README.md").read_text().splitlines()) <= MOST_LINES


def test_the_pages_are_built_without_a_warning(tmp_path: Path) -> None:
    shutil.copytree("docs", tmp_path / "docs")
    shutil.copy("mkdocs.yml", tmp_path)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = {path.stem for path in (tmp_path / "site").glob("*.html")}
    assert {path.stem for path in Path("docs").glob("*.md")} <= built


def test_the_built_pages_name_what_lies_outside_of_them_instead_of_linking_to_it() -> None:
    assert on_page_markdown("see [how](../CONTRIBUTING.md#a-head), [here](results.md)") == (
        "see how (`CONTRIBUTING.md`), [here](results.md)"
    )
    assert on_page_markdown("[`studies/a.md`](../studies/a.md)") == "`studies/a.md`"
