"""The architecture page shows the code as it is."""

import re

from brep_mae.closure import ROOT
from docs.draw_imports import PAGE, drawn, shortened


def test_the_picture_is_that_of_the_imports():
    page = PAGE.read_text()
    assert page == drawn(page), "the imports have changed; `make docs` draws them anew"


def test_an_arrow_that_a_longer_way_replaces_is_left_out():
    imports = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert shortened(imports) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_every_room_has_its_line():
    named = set(re.findall(r"^\| `([a-z/]+)` \|", PAGE.read_text(), re.MULTILINE))
    code = ROOT / "brep_mae"
    packages = {path.parent.relative_to(code).as_posix() for path in code.rglob("__init__.py")} - {"."}
    rooms = {name for name in packages if "/" not in name or (name.startswith("brep/") and name.count("/") == 1)}
    assert named == rooms | {"pipelines"}
