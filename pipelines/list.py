"""Stage list: which files the data set has, and what is in them, so that a new, changed or removed one is noticed.

It runs every time, for DVC cannot see a folder outside the project. What depends on a list runs again only where the
list has changed, and a file is read again only where its size or its times have.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from brep_mae.cad_files import printable
from brep_mae.datasets.source import Source
from brep_mae.output.files import whole_file
from brep_mae.output.folder import output_file
from brep_mae.output.note import sha256
from brep_mae.pretraining.unfinished import WORK
from pipelines.shared.dataset import opened
from pipelines.shared.params import load
from pipelines.shared.stage import run_stage

FILES, LABEL_FILES = Path("data/files.jsonl"), Path("data/label_files.jsonl")
SETTLED_NS = 2 * 10**9
"""A file that was changed less than this before it was read may change once more within one tick of its times."""
Line = tuple[str, int, str]
"""Name, size, SHA-256 or the reason why there is none."""
Known = dict[str, list[int | str]]
"""Path -> size, time of change, time of change of its entry in the folder, SHA-256."""


def main() -> None:
    source = opened(load().dataset)
    lists = {FILES: cad_list(source, "list"), LABEL_FILES: label_list(source, "list-labels")}
    for out, lines in lists.items():
        with output_file(out):
            _write(out, lines)
    print(f"{len(source.files)} CAD files, {len(source.label_files)} files of labels")


def cad_list(source: Source, cache: str) -> list[Line]:
    """The CAD files, and the folders that were not looked into; `cache` names where their hashes are kept."""
    left_out: list[Line] = [(_name(source, path), 0, f"{why}: {detail}") for path, why, detail in source.left_out]
    return listed(source, source.files, cache, left_out)


def label_list(source: Source, cache: str) -> list[Line]:
    """The files of labels."""
    return listed(source, source.label_files, cache)


def listed(source: Source, files: Iterable[Path], cache: str, more: Iterable[Line] = ()) -> list[Line]:
    """A line for every file with its name, size and SHA-256: the same ones as long as nothing has changed."""
    kept = WORK / f"{cache}.jsonl"
    before, now = dict(_read(kept)), Known()
    lines = [*more]
    for path in files:
        size, digest = _content(path, before, now)
        lines.append((_name(source, path), size, digest))
    kept.parent.mkdir(parents=True, exist_ok=True)
    _write(kept, now.items())
    return lines


def _write(path: Path, lines: Iterable[Sequence[object]]) -> None:
    """A line of JSON for each: their bytes are the same whatever version of a library writes them."""
    with whole_file(path) as file:
        file.writelines(json.dumps(line).encode() + b"\n" for line in lines)


def _read(kept: Path) -> Iterator[tuple[str, list[int | str]]]:
    if kept.is_file():
        with kept.open() as lines:
            yield from map(json.loads, lines)


def _name(source: Source, path: Path) -> str:
    return printable(path.relative_to(source.root).as_posix())


def _content(path: Path, before: Mapping[str, list[int | str]], now: Known) -> tuple[int, str]:
    """Size and SHA-256, or why there is none. Adds to `now` what need not be read again."""
    try:
        about = path.stat()
        if not path.is_file():
            return 0, "not a regular file"
        times = [about.st_size, about.st_mtime_ns, about.st_ctime_ns]
        name = printable(str(path.absolute()))
        *same, digest = before.get(name, [""])
        if same != times:
            digest = sha256(path)
        if time.time_ns() - max(about.st_mtime_ns, about.st_ctime_ns) > SETTLED_NS:
            now[name] = [*times, digest]
        return about.st_size, str(digest)
    except OSError as error:
        return 0, os.strerror(error.errno or 0)


if __name__ == "__main__":
    run_stage(main)
