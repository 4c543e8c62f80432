"""How settings are read and checked: YAML -> frozen models. What is wrong is told as FILE: KEY must be ..., not ..."""

import difflib
import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)
FileOrFolder = Annotated[Path, Field(strict=False)]
"""A path, written as text."""

MUST_BE = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "the path of a file or folder",
    "list_type": "a list, such as [1, 10]",
    "dict_type": "a block of keys",
    "model_type": "a block of keys",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "literal_error": "{expected}",
}
"""The library's name of a mistake -> what stands there when it is right."""


class SettingsError(ValueError):
    """A setting is unknown or has a wrong type or range; the message names it and, where one is near, the right key."""


class Section(BaseModel):
    """Base of every block: immutable, strict about its keys and types, and without numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, and reads 1e-3 as a number, as YAML 1.2 and DVC do."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:  # before those of a merge (<<) come in, which a key of one's own may well replace
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} stands here twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))


def read_yaml(path: Path) -> Any:
    """The values of a YAML file. Raises SettingsError where it is missing, empty or not such a file."""
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; run from the repository's top folder") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); check its rights") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8 text") from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}: line {mark.line + 1}" if mark else f"{path}"
        raise SettingsError(f"{where}: not valid YAML: {getattr(error, 'problem', error)}") from None
    if values is None:
        raise SettingsError(f"{path}: holds no settings; take the file back with git checkout {path}")
    return values


def check(model: type[M], values: Any, origin: str) -> M:
    """Parses `values` as `model`; raises SettingsError whose every line names a dotted key inside `origin`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [f"{origin}: {_told(problem, model, values)}" for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def _told(problem: ErrorDetails, model: type[BaseModel], values: Any) -> str:
    """One mistake as a sentence."""
    kind, context, path = problem["type"], problem.get("ctx", {}), _path(problem, values)
    key = ".".join(path) or "the whole block"
    if kind == "extra_forbidden":
        known = _known_keys(model, path)
        if near := difflib.get_close_matches(path[-1], known, n=1):
            return f"unknown key {key}; did you mean {near[0]}?"
        return f"unknown key {key}" + (f"; known are {', '.join(known)}" if known else "")
    if kind == "missing":
        return f"{key} is missing"
    if kind == "value_error":
        return f"{key}: {context['error']}" if path else str(context["error"])
    must = MUST_BE.get(kind, "something else").format(**context)
    return f"{key} must be {must}, not {json.dumps(problem['input'], default=str)[:80]}"


def _path(problem: ErrorDetails, values: Any) -> list[str]:
    """Where the mistake is, without the names of alternatives that the library puts in between."""
    path: list[str] = []
    for place, part in enumerate(problem["loc"]):
        last = place == len(problem["loc"]) - 1
        inside = part in values if isinstance(values, dict) else isinstance(values, list) and isinstance(part, int)
        if inside:
            values = values[part]
        if inside or (last and problem["type"] in ("missing", "extra_forbidden")):
            path.append(str(part))
    return path


def _known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys that are right at `path` (the last part of which is the wrong one)."""
    for part in path[:-1]:
        child = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(child, type) and issubclass(child, BaseModel)):
            return []
        model = child
    return list(model.model_fields)
