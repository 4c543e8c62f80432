"""Files and packages stay small enough to be read."""

from collections import Counter
from pathlib import Path

from brep_mae.plugins import KINDS

MOST_LINES, MOST_FILES = 300, 15
PLUGINS = {Path(*package.split(".")) for package in KINDS} | {Path("brep_mae/cli")}
"""They may hold any number of files, each of which stands for itself: a plugin, or a command."""


def files() -> list[Path]:
    return [path for folder in ("brep_mae", "pipelines", "tests") for path in Path(folder).rglob("*.py")]


def test_no_file_is_longer_than_it_should_be() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in files()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_package_has_more_files_of_its_own_than_it_should() -> None:
    counts = Counter(path.parent for path in files() if path.name != "__init__.py")
    assert {str(package) for package, count in counts.items() if count > MOST_FILES} <= set(map(str, PLUGINS))
