"""Which code a module runs: all of this project that it imports, directly or not."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from brep_mae.plugins import ADAPTERS, GENERATORS, HEADS, METHODS

if TYPE_CHECKING:
    from grimp import ImportGraph

ROOT = Path(__file__).parents[1]
LOADED_BY_NAME = {
    "brep_mae.composition.pretext": METHODS,
    "brep_mae.datasets.source": ADAPTERS,
    "brep_mae.fewshot.fewshot": HEADS,
    "brep_mae.generate.generate": GENERATORS,
}
"""Module -> the package from which it loads plugins, which no import statement shows."""

WITHOUT_EFFECT = frozenset(
    {
        "brep_mae",
        "brep_mae.closure",
        "brep_mae.output.lock",
        "brep_mae.output.note",
        "brep_mae.output.files",
        "brep_mae.output.folder",
        "brep_mae.composition.blocks",
        "brep_mae.plugins",
        "brep_mae.processes",
        "brep_mae.progress",
        "brep_mae.report.drawings",
        "brep_mae.report.evolution",
        "brep_mae.report.figures",
        "brep_mae.report.masks",
        "brep_mae.report.multilabel",
        "brep_mae.tracking.experiments",
        "brep_mae.tracking.mlflow_model",
        "brep_mae.tracking.provenance",
        "brep_mae.tracking.tracking",
        "brep_mae.tracking.jsonl",
        "pipelines",
        "pipelines.shared.stage",
        "brep_mae.pretraining.unfinished",
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
            package = LOADED_BY_NAME[one]
            if package == METHODS and methods is not None:
                found |= {f"{METHODS}.{method}" for method in methods}
            else:
                found |= graph.find_descendants(package)
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
