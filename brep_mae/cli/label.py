"""`brep-mae label`: a page on which a person labels CAD files by clicking."""

import os
from pathlib import Path

import click

from brep_mae.cli.shared import existing, found_cad_files, limits


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--classes", required=True, help="Names to choose from, separated by commas.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The page, an HTML file.")
@click.option("--workers", default=os.cpu_count() or 1, type=click.IntRange(1), show_default=True, help="Processes.")
@limits
def label(inputs: tuple[Path, ...], classes: str, out: Path, workers: int, deadline: float, memory: int) -> None:
    """A page that shows CAD files and saves the classes that you give to their faces or solids as labels.csv."""
    from brep_mae.output.folder import output_file
    from brep_mae.viewer.label_page import write_label_page

    choices = list(dict.fromkeys(name.strip() for name in classes.split(",") if name.strip()))
    if not choices:
        raise click.UsageError("--classes names no class; write for example --classes hole,pocket,slot")
    try:
        click.get_current_context().with_resource(output_file(out))
        given = [Path(os.path.abspath(existing(path))) for path in inputs]  # a link keeps its own name
        files = sorted({file for path in given for file in found_cad_files(path)})
        root = Path(os.path.commonpath([path if path.is_dir() else path.parent for path in given]))
        left_out = write_label_page(out, files, root, choices, workers, deadline, memory)
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    for file, reject in left_out:
        click.echo(f"{file} left out, {reject.reason}: {reject.detail}", err=True)
    click.echo(f"{out}: open it in a browser; it needs no network")
