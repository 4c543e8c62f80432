"""The page of a method says what the head of its file says."""

import re
from pathlib import Path

from docs.draw_methods import FOLDER, pages


def test_every_method_has_its_page_as_its_file_has_it():
    there = {path.stem: path.read_text() for path in FOLDER.glob("*.md")}
    assert there == pages(), "a method's head has changed; `make docs` writes its page anew"


def test_the_table_of_methods_leads_to_every_page():
    linked = re.findall(r"\(methods/(\w+)\.md\)", Path("docs/methods.md").read_text())
    assert set(linked) == pages().keys() - {"supervised"}, "supervised is a baseline, no method"
