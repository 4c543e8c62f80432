"""`brep-mae parse`, `merge` and `inspect`: from CAD files to shards, and what is in either."""

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brep_mae.cli.places import Place, brought, filled, opened, place_of
from brep_mae.cli.shared import DEFAULT, computing, existing, limits, print_values, told
from brep_mae.settings import ParseParams, SplitParams

if TYPE_CHECKING:
    from brep_mae.brep.reject import Reject
    from brep_mae.ingest.report import ParseReport
    from brep_mae.schema import FaceGraph

SPLIT = SplitParams(validation=0.1, test=0.1)


class OneOf(click.ParamType):
    """Text as 2/4: the second of four."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        number, _, of = str(value).partition("/")
        if not (re.fullmatch(r"[0-9]+/[0-9]+", str(value)) and 1 <= int(number) <= int(of)):
            self.fail(f"{value} is not I/N with I from 1 to N, such as 2/4.", param, ctx)
        return int(number), int(of)


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=Place())
@computing
@click.option("--out", required=True, type=Place(), help="New folder for shards, or address in an object store.")
@click.option(
    "--grid",
    default=DEFAULT.grid,
    type=click.IntRange(4, 64),
    show_default=True,
    help="Samples per side of a UV-grid.",
)
@click.option(
    "--field-pool",
    default=DEFAULT.field_pool,
    type=click.IntRange(16),
    show_default=True,
    help="Field points drawn per face.",
)
@click.option(
    "--field-samples",
    default=DEFAULT.field_samples,
    type=click.IntRange(1),
    show_default=True,
    help="Field points kept per face.",
)
@click.option("--curvature", is_flag=True, help="Store principal curvatures too.")
@click.option("--split-closed", is_flag=True, help="Cut full cylinders, spheres and tori in two.")
@click.option("--shard", type=OneOf(), help="Parse the I-th of N pieces alone; `brep-mae merge` joins them.")
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Parse on a Ray cluster, by tasks of --workers processes each; its address, or auto for the one around here.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def parse(
    inputs: "tuple[Path | str, ...]",
    out: "Path | str",
    workers: int,
    grid: int,
    field_pool: int,
    field_samples: int,
    curvature: bool,
    split_closed: bool,
    shard: tuple[int, int] | None,
    cluster: str | None,
    deadline: float,
    memory: int,
    as_json: bool,
) -> None:
    """CAD files or folders of them, or an address such as s3://bucket/parts -> shards of face graphs, labelled where a
    labels.csv lies beside the files."""
    from brep_mae.ingest.chunks import fill
    from brep_mae.ingest.cluster import fill_on_cluster
    from brep_mae.ingest.dataset import parse_dataset
    from brep_mae.ingest.origin import origin_of
    from brep_mae.ingest.pieces import parse_piece

    if field_samples > field_pool:
        raise click.UsageError(f"--field-samples {field_samples} is more than --field-pool {field_pool}")
    if shard and cluster:
        raise click.UsageError("--shard parses here and --cluster elsewhere; name one of them")
    if cluster and any(isinstance(place, str) for place in (*inputs, out)):
        raise click.UsageError("--cluster works on folders that all nodes see; parse pieces of a store with --shard")
    with told(), opened(inputs) as source, filled(out) as (folder, there):
        settings = ParseParams(
            grid=grid,
            field_pool=field_pool,
            field_samples=field_samples,
            curvature=curvature,
            split_closed=split_closed,
            deadline_s=deadline,
            memory_mb=memory,
        )
        way = there.fill if there else partial(fill_on_cluster, cluster) if cluster else fill
        if shard:
            given = [place if isinstance(place, str) else os.path.abspath(place) for place in inputs]
            report = parse_piece(source, given, folder, settings, workers, *shard, fill=way)
        else:
            if there:
                there.take_up(origin_of(source, settings).key)
            report = parse_dataset(source, folder, settings, SPLIT, workers, labelled=True, fill=way)
    _print(report, out, as_json)


@click.command()
@click.argument("pieces", nargs=-1, required=True, type=Place())
@click.option("--out", required=True, type=Place(), help="New folder for shards, or address in an object store.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def merge(pieces: "tuple[Path | str, ...]", out: "Path | str", as_json: bool) -> None:
    """All pieces that `parse --shard` made of the same files -> the shards that `parse` makes of them at once."""
    from brep_mae.ingest import pieces as made

    with told(), ExitStack() as until:
        folders = [brought(place, until) for place in pieces]
        inputs = made.read_piece(folders[0]).inputs
        source = until.enter_context(opened([place_of(text) for text in inputs]))
        folder, _ = until.enter_context(filled(out))
        report = made.merge(source, folders, folder, SPLIT)
    _print(report, out, as_json)


def _print(report: "ParseReport", out: "Path | str", as_json: bool) -> None:
    from dataclasses import asdict

    from brep_mae.datasets.lazy.listed import REJECTS

    values = {name: value for name, value in asdict(report).items() if value is not None}
    for line in report.lines():
        click.echo(f"left out: {line}", err=True)
    for line in report.labels.lines() if report.labels else ():
        click.echo(f"label not used: {line}", err=True)
    if not as_json:
        values["rejects"] = f"{len(report.rejects)}, listed in {out}/{REJECTS}"
        if report.labels:
            values["labels"] = str(report.labels)
    print_values(values, as_json)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@limits
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def inspect(path: Path, deadline: float, memory: int, as_json: bool) -> None:
    """What is in one CAD file, solid by solid, or in a folder of shards."""
    from brep_mae.brep.reject import Reject
    from brep_mae.cli import summary

    try:
        solids = _solids(existing(path), deadline, memory)
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    values = {"path": str(path), **summary.totals(solid for solid in solids if not isinstance(solid, Reject))}
    if path.is_dir():
        return print_values(values, as_json)
    each = [
        {"solid": i, "reject": solid.reason, "detail": solid.detail}
        if isinstance(solid, Reject)
        else summary.one(solid)
        for i, solid in enumerate(solids)
    ]
    print_values(values | ({"each": each} if as_json else {}), as_json)
    for about in [] if as_json else each:
        text = f"left out, {about['reject']}: {about['detail']}" if "reject" in about else summary.line(about)
        click.echo(f"{'solid ' + str(about['solid']):>16}  {text}")


def _solids(path: Path, deadline: float, memory: int) -> "Sequence[FaceGraph | Reject]":
    """All solids of a file or of a folder of shards. Raises ValueError where a file gives none."""
    if path.is_dir():
        from brep_mae.datasets.shards import open_shards

        return open_shards(path)
    from brep_mae.brep.reject import Reject
    from brep_mae.brep.workers.pool import ParseOptions, parse_files
    from brep_mae.cad_files import printable

    options = ParseOptions(10, 0, 0, False, False, path.parent, deadline, memory)
    _, found = next(parse_files([path], options, workers=1))
    solids = [found] if isinstance(found, Reject) else found
    if all(isinstance(solid, Reject) for solid in solids):
        reasons = "; ".join(f"{reject.reason}: {reject.detail}" for reject in solids if isinstance(reject, Reject))
        raise ValueError(
            f"{printable(str(path))}: no solid can be read ({reasons}); "
            "remedy: export it as a solid in STEP AP214 or AP242"
        )
    return solids
