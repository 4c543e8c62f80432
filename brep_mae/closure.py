"""Which code a module runs: all of this project that it imports, directly or not."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grimp import ImportGraph

ROOT = Path(__file__).parents[1]
METHODS = "brep_mae.pretext"
LOADED_BY_NAME = {
    "brep_mae.brep.generate": ("brep_mae.brep.generators", ""),
    "brep_mae.datasets.source": ("brep_mae.datasets", "\ndef open("),
    "brep_mae.pretext.pretext": (METHODS, "\ndef build("),
    "brep_mae.transfer.fewshot": ("brep_mae.transfer.heads", ""),
}
"""Module -> the package from which it loads modules by their names, which no import statement shows, and the words that
such a module holds."""

WITHOUT_EFFECT = frozenset(
    {
        "brep_mae",
        "brep_mae.closure",
        "brep_mae.folder_lock",
        "brep_mae.folder_note",
        "brep_mae.main_guard",
        "brep_mae.output_files",
        "brep_mae.output_folder",
        "brep_mae.pretext.blocks",
        "brep_mae.progress",
        "brep_mae.report.drawings",
        "brep_mae.report.figures",
        "brep_mae.training.mlflow_model",
        "brep_mae.training.provenance",
        "brep_mae.training.tracking",
        "brep_mae.training.tracking_jsonl",
        "pipelines",
        "pipelines.stage",
        "pipelines.unfinished",
    }
)
"""Modules that show, track, time or put away what is done, or refuse wrong settings, and change nothing of it: mending
one makes no work worthless."""


@cache
def _graph(*packages: str) -> "ImportGraph":
    from grimp import build_graph  # training runs where it is not installed

    return build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)


def closure(module: str, methods: Iterable[str] | None = None) -> set[str]:
    """Names of all modules that `module` runs, itself among them, but for those without an effect.

    Args:
        module: dotted name, such as "pipelines.fewshot".
        methods: pretext methods that it can load; None = any.
    """
    above = module.split(".")[0]  # `pipelines` can be imported from the top folder alone, and is asked for nowhere else
    graph = _graph(*sorted({"brep_mae", above}))
    known: set[str] = set()
    todo = {module}
    while todo:
        one = todo.pop()
        known.add(one)
        found = set(graph.find_modules_directly_imported_by(one)) | _parents(one)
        if one in LOADED_BY_NAME:
            package, words = LOADED_BY_NAME[one]
            if package == METHODS and methods is not None:
                found |= {f"{METHODS}.{method}" for method in methods}
            else:
                found |= {name for name in graph.find_descendants(package) if words in source(name).read_text()}
        todo |= found - known - WITHOUT_EFFECT
    return known


def _parents(module: str) -> set[str]:
    """The packages that a module lies in, whose `__init__.py` runs before it."""
    parts = module.split(".")
    return {".".join(parts[:i]) for i in range(1, len(parts))}


def source(module: str) -> Path:
    """The file of a module."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def digest(module: str, methods: Iterable[str] | None = None) -> str:
    """SHA-256 over the code of the closure, to key unfinished work by: what one version of the code has begun no other
    one may go on with."""
    total = hashlib.sha256()
    for name in sorted(closure(module, methods)):
        total.update(name.encode() + source(name).read_bytes())
    return total.hexdigest()
