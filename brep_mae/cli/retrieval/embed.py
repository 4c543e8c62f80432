"""`brep-mae embed`: vectors of parts as a table."""

from pathlib import Path

import click

from brep_mae.answers import UNITS, Unit
from brep_mae.cli.retrieval.solids import ENCODER, parsed_with, shards_in, solids_in
from brep_mae.cli.shared import DEFAULT, encoder_folder, parts, told


@click.command()
@parts
@ENCODER
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Parquet file.")
@click.option("--of", default="solid", type=click.Choice(UNITS), show_default=True, help="A row for each.")
def embed(
    inputs: tuple[Path, ...], workers: int, deadline: float, memory: int, named: str, out: Path, of: Unit
) -> None:
    """Vectors of the faces, solids or files of CAD files, or of a folder of shards, as a Parquet table."""
    from brep_mae.checkpoints.backbones import described
    from brep_mae.output.folder import output_file
    from brep_mae.retrieval.vectors import About, extractor_of, rows_of, write_vectors

    with told(), output_file(out):
        encoder = encoder_folder(named)
        extractor, digest = extractor_of(encoder)
        grid = DEFAULT.grid if encoder is None else described(encoder)[2].grid
        shards = shards_in(inputs)
        about = About(of, digest, *(parsed_with(shards, encoder) if shards else (grid, False)))
        with solids_in(inputs, workers, deadline, memory, grid) as graphs:
            count = write_vectors(out, rows_of(graphs, extractor, of), about)
    click.echo(f"{out}: {count} vectors of {of}s")
