"""What the commands have in common: how they print, and how they find files."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from brep_mae.settings import LEAST_MEMORY_MB, ParseParams

DEFAULT = ParseParams()


class Seconds(click.FloatRange):
    """A time that ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


class Megabytes(click.IntRange):
    """Memory that a file can be read with."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        megabytes = int(click.INT.convert(value, param, ctx))
        if megabytes < LEAST_MEMORY_MB:
            self.fail(f"{megabytes} MB is too little memory; at least {LEAST_MEMORY_MB} MB are needed.", param, ctx)
        return megabytes


def limits(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --deadline and --memory: what one file may take before it is left out."""
    deadline = click.option(
        "--deadline",
        default=DEFAULT.deadline_s,
        type=Seconds(min=0, min_open=True),
        show_default=True,
        help="Seconds for one file.",
    )
    memory = click.option(
        "--memory",
        default=DEFAULT.memory_mb,
        type=Megabytes(LEAST_MEMORY_MB),
        show_default=True,
        help="MB for one file.",
    )
    return deadline(memory(command))


def print_values(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(values, indent=1))
        return
    width = max(16, *map(len, values))
    for key, value in values.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        click.echo(f"{key:>{width}}  {text}")


def existing(path: Path) -> Path:
    if not os.path.lexists(path):  # a broken link is there, and is told as one
        raise click.ClickException(f"{path}: no such file or folder; check the path")
    return path


def found_cad_files(path: Path) -> list[Path]:
    """The file itself, or every file of a folder that is one by its suffix."""
    from brep_mae.cad_files import SUFFIXES, search

    files = search(path).files if path.is_dir() else [path]
    if not files:
        raise click.ClickException(f"{path}: holds no CAD file; known suffixes are {', '.join(SUFFIXES)}")
    return files


def encoder_folder(named: str) -> Path | None:
    """The folder of an encoder: one that comes with this package, by its name, or any other; None for the word none."""
    from brep_mae.checkpoints.listed import find

    return None if named == "none" else find(named)
