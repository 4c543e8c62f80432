"""Which solids train, which validate, which test. The side follows from the file's name alone, so it never moves."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

SIDES = ("train", "validation", "test")


def make_split(graph_files: Mapping[str, str], validation: float, test: float) -> dict[str, list[str]]:
    """Splits by a hash of the file's name: all solids of a file stay together, and new files move no old one.

    Args:
        graph_files: uid -> name of its file.
        validation, test: shares of the files, together below 1; the rest trains.

    The shares hold on average. Of three files or more no side stays empty: the file whose hash is nearest moves over,
    the one exception to "never moves", met only by tiny sets.
    """
    if validation + test >= 1:
        raise ValueError(f"split.validation {validation} and split.test {test} leave nothing to train on")
    place = {file: _place(file) for file in set(graph_files.values())}
    side = {
        file: "test" if at < test else "validation" if at < test + validation else "train" for file, at in place.items()
    }
    order = sorted(place, key=lambda file: (place[file], file))
    if len(order) >= len(SIDES):
        for name, fallback in (("test", order[0]), ("validation", order[1]), ("train", order[-1])):
            if name not in side.values():
                side[fallback] = name
    return {name: sorted(uid for uid, file in graph_files.items() if side[file] == name) for name in SIDES}


def _place(file: str) -> float:
    return int.from_bytes(hashlib.sha256(file.encode()).digest()[:8], "big") / 2**64


def write_split(path: Path, split: Mapping[str, list[str]]) -> None:
    path.write_text(json.dumps({side: sorted(split[side]) for side in SIDES}, indent=1) + "\n")


def read_split(path: Path) -> dict[str, list[str]]:
    split = json.loads(Path(path).read_text())
    if set(split) != set(SIDES):
        raise ValueError(f"{path}: has sides {', '.join(sorted(split))}, expected {', '.join(SIDES)}; parse again")
    return {side: list(split[side]) for side in SIDES}
