"""What the commands have in common: how they print, and how they find files."""

import json
import os
from pathlib import Path
from typing import Any

import click


def print_values(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(values, indent=1))
        return
    for key, value in values.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        click.echo(f"{key:>16}  {text}")


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
