"""The solids of CAD files or of a folder of shards, one by one, and whose codes vectors are made of."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brep_mae.cli.shared import graphs_of, source_of, tell

if TYPE_CHECKING:
    from brep_mae.reading import Rejects
    from brep_mae.schema import FaceGraph

ENCODER = click.option(
    "--encoder",
    "named",
    default="none",
    show_default=True,
    help="Whose codes the vectors are: one that `models` lists, a folder, or none for plain features.",
)


def shards_in(inputs: tuple[Path, ...]) -> Path | None:
    """The folder of shards that was named; None where CAD files were."""
    return inputs[0] if len(inputs) == 1 and (inputs[0] / "dataset.json").is_file() else None


def parsed_with(shards: Path, encoder: Path | None) -> tuple[int, bool]:
    """Samples a side of UV-grids, and whether closed faces were split. Raises ValueError where an encoder reads other
    grids."""
    from brep_mae.checkpoints.backbones import require_grid

    if not (shards / "dataset.json").is_file():
        raise ValueError(f"{shards}: no folder of shards; make one with `brep-mae parse`")
    if encoder is not None:
        require_grid(encoder, shards)
    parse: dict[str, Any] = json.loads((shards / "dataset.json").read_text())["parse"]
    return int(parse["grid"]), bool(parse["split_closed"])


@contextmanager
def solids_in(
    inputs: tuple[Path, ...], workers: int, deadline: float, memory: int, grid: int
) -> "Iterator[Iterator[FaceGraph]]":
    """Those of CAD files, or of a folder of shards; tells in the end what was left out."""
    from brep_mae.datasets.shards import open_shards
    from brep_mae.progress import shown

    if shards := shards_in(inputs):
        yield iter(shown(open_shards(shards), "read"))
        return
    rejects: Rejects = []
    try:
        yield graphs_of(source_of(inputs, None), workers, deadline, memory, rejects, grid)
    finally:
        tell(rejects)
