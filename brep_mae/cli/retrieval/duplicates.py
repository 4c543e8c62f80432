"""`brep-mae duplicates`: parts that are there twice."""

import json
from pathlib import Path

import click

from brep_mae.cli.retrieval.solids import solids_in
from brep_mae.cli.shared import DEFAULT, parts, told


@click.command()
@parts
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def duplicates(inputs: tuple[Path, ...], workers: int, deadline: float, memory: int, as_json: bool) -> None:
    """Groups of solids that are the same but for place, direction, size and handedness."""
    from brep_mae.retrieval.same import groups, measured

    with told(), solids_in(inputs, workers, deadline, memory, DEFAULT.grid) as graphs:
        solids = [measured(graph) for graph in graphs]
    if not solids:
        raise click.ClickException(f"{inputs[0]}: no solid can be read; see the reasons above")
    found = groups(solids)
    if as_json:
        each = [[{"uid": one.uid, "file": one.file, "solid": one.number} for one in group] for group in found]
        return click.echo(json.dumps({"solids": len(solids), "groups": each}, indent=1))
    for group in found:
        click.echo(", ".join(f"{one.file} solid {one.number}" for one in group))
    click.echo(f"{len(found)} groups of equal solids among {len(solids)}")
