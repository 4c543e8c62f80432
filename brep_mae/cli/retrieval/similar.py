"""`brep-mae similar`: what resembles a part."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brep_mae.cli.retrieval.solids import ENCODER, parsed_with
from brep_mae.cli.shared import encoder_folder, existing, limits, told

if TYPE_CHECKING:
    from brep_mae.retrieval.vectors import About


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--in",
    "among",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of shards, or a Parquet file that `embed` made of solids.",
)
@ENCODER
@click.option("--top", default=10, type=click.IntRange(1), show_default=True, help="How many.")
@limits
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def similar(file: Path, among: Path, named: str, top: int, deadline: float, memory: int, as_json: bool) -> None:
    """The solids that resemble those of a CAD file most, however they are turned, moved, mirrored or scaled."""
    from dataclasses import asdict

    from brep_mae.brep.reject import Reject
    from brep_mae.brep.workers.pool import ParseOptions, parse_files
    from brep_mae.cad_files import printable
    from brep_mae.datasets.shards import open_shards
    from brep_mae.progress import shown
    from brep_mae.retrieval.nearest import Index
    from brep_mae.retrieval.vectors import About, VectorsError, extractor_of, joined, read_vectors, rows_of

    with told():
        encoder = encoder_folder(named)
        extractor, digest = extractor_of(encoder)
        if existing(among).is_dir():
            about = About("solid", digest, *parsed_with(among, encoder))
            rows = joined(rows_of(shown(open_shards(among), "embed"), extractor, "solid"))
        else:
            rows, about = read_vectors(among)
        if (about.of, about.encoder) != ("solid", digest):
            raise VectorsError(_other(among, about))
        if (width := rows.x.shape[1]) != extractor.solid_dim:
            raise VectorsError(
                f"{among}: its vectors have {width} columns, a solid's have {extractor.solid_dim}; make them anew with "
                "`brep-mae embed`"
            )
        path = Path(os.path.abspath(existing(file)))
        options = ParseOptions(about.grid, 0, 0, False, about.split_closed, path.parent, deadline, memory)
        ((_, found),) = parse_files([path], options, workers=1)
        solids = [found] if isinstance(found, Reject) else found
        for solid in solids:
            if isinstance(solid, Reject):
                click.echo(f"left out: {printable(file.name)}: {solid.reason}: {solid.detail}", err=True)
        graphs = [solid for solid in solids if not isinstance(solid, Reject)]
        if not graphs:
            raise click.ClickException(f"{printable(str(file))}: no solid can be read; see the reason above")
        index = Index(rows)
        near = [index.nearest(joined(rows_of([graph], extractor, "solid")).x[0], top) for graph in graphs]
    if as_json:
        each = [{"solid": g.solid, "near": [asdict(one) for one in n]} for g, n in zip(graphs, near, strict=True)]
        return click.echo(json.dumps({"file": str(file), "each": each}, indent=1))
    for graph, these in zip(graphs, near, strict=True):
        click.echo(f"solid {graph.solid}")
        for one in these:
            click.echo(f"{one.distance:8.4f}  {one.file} solid {one.solid}")


def _other(among: Path, about: "About") -> str:
    if about.of != "solid":
        return f"{among}: vectors of {about.of}s; make those of solids with `brep-mae embed --of solid`"
    return (
        f"{among}: its vectors are of another encoder ({about.encoder[:16]}); name that one with --encoder, or make "
        "them anew with `brep-mae embed`"
    )
