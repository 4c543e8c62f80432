"""Folders of plugins: a file, or a package, is found by its name, and there is no list to edit."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType

from brep_mae.checks import SettingsError

ADAPTERS = "brep_mae.datasets.adapters"
GENERATORS = "brep_mae.generate.generators"
HEADS = "brep_mae.fewshot.heads"
METHODS = "brep_mae.pretext"
KINDS = {ADAPTERS: "data set", GENERATORS: "generator", HEADS: "head", METHODS: "method"}
"""Package -> what one of its modules is called."""


def known(package: str) -> list[str]:
    """Names of the plugins in a package, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))


def load(package: str, name: str, where: str = "") -> ModuleType:
    """The plugin `name` of a package. SettingsError names those that there are.

    Args:
        where: file and key that name it, for the message.
    """
    require(where, package, [name])
    return importlib.import_module(f"{package}.{name}")


def require(where: str, package: str, names: Iterable[str]) -> None:
    """Raises SettingsError for the first name that is no plugin of the package."""
    there = known(package)
    for name in names:
        if name not in there:
            near = "".join(f"; {one}?" for one in difflib.get_close_matches(name, there, n=1))
            raise SettingsError(
                f"{where}{': ' if where else ''}no {KINDS[package]} {name}; known are {', '.join(there)}{near}"
            )
