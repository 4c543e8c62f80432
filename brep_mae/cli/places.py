"""Where parts are read and shards written: folders, or addresses in an object store."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brep_mae.cli.shared import existing, source_of

if TYPE_CHECKING:
    from brep_mae.datasets.source import Source
    from brep_mae.ingest.stores.outgoing import Outgoing


def place_of(text: str) -> Path | str:
    """A path, or the address of a folder in an object store as it was written."""
    return text if "://" in text else Path(text)


class Place(click.ParamType):
    """A path or an address, see `place_of`."""

    name = "PATH|URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        return place_of(os.fspath(value))


@contextmanager
def opened(inputs: Sequence[Path | str]) -> "Iterator[Source]":
    """The data set in files and folders, or at one address in an object store."""
    from brep_mae.ingest.stores import incoming

    paths = tuple(place for place in inputs if isinstance(place, Path))
    if len(paths) == len(inputs):
        yield source_of(paths, None)
    elif len(inputs) == 1:
        with incoming.opened(str(inputs[0])) as source:
            yield source
    else:
        raise ValueError(f"{', '.join(map(str, inputs))}: several places; remedy: name one address alone")


@contextmanager
def filled(out: Path | str) -> "Iterator[tuple[Path, Outgoing | None]]":
    """The folder that is to be filled, and where it goes from there."""
    from brep_mae.ingest.stores import outgoing

    if isinstance(out, Path):
        yield out, None
    else:
        with outgoing.filled(out) as there:
            yield there.folder, there


def brought(place: Path | str, until: ExitStack) -> Path:
    """The folder of a piece, which until then lies here."""
    from brep_mae.ingest.stores import outgoing

    return existing(place) if isinstance(place, Path) else until.enter_context(outgoing.brought(place))
