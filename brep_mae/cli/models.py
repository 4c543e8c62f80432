"""`brep-mae models`: which models there are."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brep_mae.cli.shared import existing, told

if TYPE_CHECKING:
    from brep_mae.checkpoints.listed import Listed


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def models(folder: Path | None, as_json: bool) -> None:
    """The models that come with this package, those in MLflow's registry, and those in FOLDER."""
    import json

    from brep_mae.checkpoints.listed import listed, shipped
    from brep_mae.tracking.registry import registered

    found = {"shipped": shipped()}
    if folder is not None:
        found[str(folder)] = listed(existing(folder))
    with told():
        versions = registered()
    if as_json:
        values: dict[str, Any] = {where: [_values(one) for one in each] for where, each in found.items()}
        click.echo(json.dumps(values | {"registry": [asdict(one) for one in versions]}, indent=1))
        return
    for where, each in found.items():
        click.echo(f"{where}:" if each else f"{where}: no model")
        for one in each:
            click.echo(f"{one.name:>24}  {_line(one)}")
    if versions:
        click.echo("registry:")
    for version in versions:
        click.echo(
            f"{version.name:>24}  {'; '.join([*version.aliases, *version.description.splitlines()[:1]])}".rstrip()
        )


def _values(one: "Listed") -> dict[str, Any]:
    values = {"name": one.name, "folder": str(one.folder), "kind": one.kind, **one.about}
    return values | ({"problem": one.problem} if one.problem else {})


def _line(one: "Listed") -> str:
    if one.problem:
        return f"cannot be used: {one.problem}"
    if one.kind == "fitted":
        told = [f"says of each {one.about['of']}: {', '.join(one.about['classes'])}"]
    else:
        told = [f"encoder, {one.about['method']}"]
    card = one.about.get("card", {})
    told += [f"trained on {card['trained_on']}"] if "trained_on" in card else []
    return "; ".join(told)
