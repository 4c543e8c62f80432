"""What the commands have in common: how they print, and how they find files."""

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brep_mae.settings import LEAST_MEMORY_MB, ParseParams

if TYPE_CHECKING:
    from brep_mae.datasets.source import Source
    from brep_mae.reading import Rejects
    from brep_mae.schema import FaceGraph

DEFAULT = ParseParams()
SHOWN = 10
"""Files that are left out, before the rest of them is only counted."""


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
    """The folder of an encoder by one of its names, or of the model that has it, see `model_folder`; None for the word
    none."""
    from brep_mae.checkpoints.listed import encoder_in
    from brep_mae.tracking.registry import model_folder

    return None if named == "none" else encoder_in(model_folder(named))


@contextmanager
def told() -> Iterator[None]:
    """An error whose message says file, reason and remedy ends the command with exit code 1."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None


def parts(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments and options of all commands that read parts."""
    return click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))(computing(command))


def computing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of all commands that run workers."""
    workers = click.option(
        "--workers", default=os.cpu_count() or 1, type=click.IntRange(1), show_default=True, help="Processes."
    )
    return workers(limits(command))


def source_of(inputs: tuple[Path, ...], table: Path | None) -> "Source":
    from brep_mae.datasets.adapters import solids

    given = [Path(os.path.abspath(existing(path))) for path in inputs]  # a link keeps its own name
    return solids.given(given, table and Path(os.path.abspath(existing(table))))


def graphs_of(
    source: "Source", workers: int, deadline: float, memory: int, rejects: "Rejects", grid: int = DEFAULT.grid
) -> "Iterator[FaceGraph]":
    from brep_mae.brep.workers.pool import ParseOptions
    from brep_mae.reading import solids_of

    return solids_of(source, ParseOptions(grid, 0, 0, False, False, source.root, deadline, memory), workers, rejects)


def tell(rejects: "Rejects") -> None:
    for reject in rejects[:SHOWN]:
        click.echo(f"left out: {reject['file']}: {reject['reason']}: {reject['detail']}", err=True)
    if len(rejects) > SHOWN:
        click.echo(f"and {len(rejects) - SHOWN} more", err=True)
