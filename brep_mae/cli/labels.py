"""`brep-mae labels`: a table of labels to fill in, to check, to read off the parts, and which parts to label first."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brep_mae.answers import UNITS, Unit
from brep_mae.cli.commands import Commands
from brep_mae.cli.shared import DEFAULT, encoder_folder, graphs_of, parts, source_of, tell, told

if TYPE_CHECKING:
    from brep_mae.reading import Rejects


@click.group(cls=Commands)
def labels() -> None:
    """Tables of labels: write one to fill in, check it, read it off the parts, choose what to label first."""


OUT = click.option("--out", required=True, type=click.Path(path_type=Path), help="New table, a CSV file.")
TABLE = click.option(
    "--labels", "table", type=click.Path(path_type=Path), help="Table of labels; else each labels.csv in the folders."
)


@labels.command()
@parts
@OUT
@click.option(
    "--of",
    "unit",
    default="face",
    type=click.Choice(UNITS),
    show_default=True,
    help="What gets a class: a line each.",
)
def template(
    inputs: tuple[Path, ...],
    workers: int,
    deadline: float,
    memory: int,
    out: Path,
    unit: Unit,
) -> None:
    """Write a table with an empty class for every face, solid or file."""
    from brep_mae.datasets.labelling.label_table import OF_FILES
    from brep_mae.labels import tables

    with told(), _new(out):
        source = source_of(inputs, None)
        if unit == "file":
            names = [path.relative_to(source.root).as_posix() for path in source.files]
            count = tables.write_table(out, OF_FILES, map(tables.empty_file_row, names))
        else:
            columns = tables.OF_FACES if unit == "face" else tables.OF_SOLIDS
            rejects: Rejects = []
            graphs = graphs_of(source, workers, deadline, memory, rejects)
            rows = [row for graph in graphs for row in tables.empty_rows(graph, unit)]
            tell(rejects)
            if not rows:
                raise click.ClickException(f"{source.root}: none of {len(source.files)} files gave a solid")
            count = tables.write_table(out, columns, rows)
    click.echo(f"{out}: {count} lines to fill in; a line without a class stays unlabelled")


@labels.command()
@parts
@TABLE
def check(inputs: tuple[Path, ...], workers: int, deadline: float, memory: int, table: Path | None) -> None:
    """Tell which lines fit no part and why, and what each class has; exit code 1 where a line is not used."""
    from brep_mae.labels.check import check as checked

    with told():
        source = source_of(inputs, table)
        if not source.rows:
            raise click.ClickException(
                f"{source.root}: no line with a class; write a table with `brep-mae labels template` and fill it in"
            )
        rejects: Rejects = []
        report, classes = checked(source, graphs_of(source, workers, deadline, memory, rejects), rejects)
    tell(rejects)
    for line in report.lines(len(report.unused)):
        click.echo(f"not used: {line}")
    width = max(map(len, (one.name for one in classes)), default=0)
    for one in classes:
        few = "  in one file alone: label it in another one too" if one.too_few else ""
        click.echo(f"{one.name:>{width}}  {one.rows} {one.of}s in {one.files} files{few}")
    click.echo(str(report))
    if report.unused:
        raise click.exceptions.Exit(1)


@labels.command()
@parts
@TABLE
@click.option("--count", default=10, type=click.IntRange(1), show_default=True, help="How many parts.")
@click.option(
    "--encoder",
    "named",
    default="none",
    show_default=True,
    help="Whose codes are looked at: one that `models` lists, a folder, or none for plain features.",
)
@click.option("--seed", default=0, show_default=True, help="Of all that is drawn.")
def suggest(
    inputs: tuple[Path, ...],
    workers: int,
    deadline: float,
    memory: int,
    table: Path | None,
    count: int,
    named: str,
    seed: int,
) -> None:
    """Print the parts to label first, one a line: those that stand for most others and have no label yet."""
    from dataclasses import replace

    from brep_mae.checkpoints.backbones import described, load_face_backbone
    from brep_mae.fewshot.selection import CANDIDATES
    from brep_mae.fitted.from_files import unlabelled
    from brep_mae.labels.suggest import suggest as suggested
    from brep_mae.models.extractors.hops import Hops

    with told():
        encoder = encoder_folder(named)
        extractor = Hops() if encoder is None else load_face_backbone(encoder)
        grid = DEFAULT.grid if encoder is None else described(encoder)[2].grid
        source = source_of(inputs, table)
        todo = replace(source, files=sorted(unlabelled(source)[:CANDIDATES]))
        if not todo.files:
            raise click.ClickException(f"{source.root}: every file has a label already; name more files")
        rejects: Rejects = []
        found = suggested(graphs_of(todo, workers, deadline, memory, rejects, grid), extractor, count, seed)
    tell(rejects)
    if not found:
        raise click.ClickException(f"{source.root}: none of {len(todo.files)} files gave a solid")
    for name in found:
        click.echo(name)


@labels.command()
@parts
@OUT
@click.option(
    "--from", "by", required=True, type=click.Choice(("names", "colours")), help="What says the class of a face."
)
def read(inputs: tuple[Path, ...], workers: int, deadline: float, memory: int, out: Path, by: str) -> None:
    """Write the table that the names or colours of the faces in the files are."""
    from brep_mae.labels import tables

    with told(), _new(out):
        source = source_of(inputs, None)
        rejects: Rejects = []
        try:
            count = tables.write_said(out, graphs_of(source, workers, deadline, memory, rejects), by)
        except tables.NothingToRead as error:
            raise click.ClickException(f"{source.root}: {error}") from None
        finally:
            tell(rejects)
    click.echo(f"{out}: {count} faces with a class")


@contextmanager
def _new(out: Path) -> Iterator[None]:
    """Claims a file that is not there yet: a table may hold hours of somebody's work."""
    from brep_mae.output.folder import output_file

    if os.path.lexists(out):
        raise click.ClickException(f"{out}: exists, and may hold labels; name a new file with --out, or move it away")
    with output_file(out):
        yield
