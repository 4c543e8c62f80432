"""`brep-mae generate`: labelled parts out of nothing."""

import hashlib
import os
from pathlib import Path
from typing import Any

import click

from brep_mae import plugins
from brep_mae.cli.shared import print_values


@click.command()
@click.option("--kind", required=True, type=click.Choice(plugins.known(plugins.GENERATORS)), help="Of the parts.")
@click.option("--count", required=True, type=click.IntRange(1), help="Number of parts.")
@click.option("--seed", default=0, type=click.IntRange(0), show_default=True, help="Another one draws other parts.")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="New folder for the parts."
)
@click.option("--workers", default=os.cpu_count() or 1, type=click.IntRange(1), show_default=True, help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def generate(kind: str, count: int, seed: int, out: Path, workers: int, as_json: bool) -> None:
    """Parts drawn at random as STEP files, with a labels.csv that names the class of every face and part."""
    import shutil

    from brep_mae.generate.generate import generate as fill
    from brep_mae.generate.generate import generator
    from brep_mae.output.files import link_or_copy, write_whole
    from brep_mae.output.folder import collect, output_folder

    drawn = f"{kind} {count} {seed} {generator(kind).version}"
    try:
        with output_folder(out) as claim:
            parts = claim.work / f"generate-{hashlib.sha256(drawn.encode()).hexdigest()[:16]}"
            report = fill(parts, kind, count, seed, workers)
            with claim.filled() as new:
                shutil.copytree(parts, new, copy_function=link_or_copy, dirs_exist_ok=True)
                write_whole(new / "labels.csv", _table(parts / "labels.jsonl"))
            collect(claim.work, "generate")
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    values: dict[str, Any] = {"parts": report.solids, "drawn_again": report.rejected, "folder": str(out)}
    print_values(values if as_json else values | {"drawn_again": sum(report.rejected.values())}, as_json)


def _table(labels: Path) -> str:
    """labels.csv. A file's faces are read in the order in which they were written, which is that of the labels."""
    import json

    lines = ["file,solid,face,class"]
    for line in labels.read_text().splitlines():
        part = json.loads(line)
        lines.append(f"{part['file']},0,,{part['part']}")
        lines += [f"{part['file']},0,{face},{name}" for face, name in enumerate(part["faces"])]
    return "\n".join(lines) + "\n"
