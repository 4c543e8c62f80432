"""`brep-mae label`: a page on which a person labels CAD files by clicking."""

import os
from pathlib import Path

import click

from brep_mae.answers import SolidAnswers
from brep_mae.cli.shared import existing, found_cad_files, parts


@click.command()
@parts
@click.option("--classes", default="", help="Names to choose from, separated by commas; else those of the model.")
@click.option(
    "--model", help="A model that `fit` made, or `operations`, which suggests: its name, folder, or models:/NAME@ALIAS."
)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The page, an HTML file.")
def label(
    inputs: tuple[Path, ...], classes: str, model: str | None, out: Path, workers: int, deadline: float, memory: int
) -> None:
    """A page that shows CAD files and saves the classes that you give to their faces or solids as labels.csv."""
    from brep_mae.brep.workers.pool import ParseOptions
    from brep_mae.fitted.ask import ask
    from brep_mae.fitted.model import load_model
    from brep_mae.output.folder import output_file
    from brep_mae.tracking.registry import model_folder
    from brep_mae.viewer.label_page import write_label_page

    choices = list(dict.fromkeys(name.strip() for name in classes.split(",") if name.strip()))
    if not choices and model is None:
        raise click.UsageError(
            "--classes names no class; write for example --classes hole,pocket,slot, or --model FOLDER"
        )
    suggestions: list[SolidAnswers] = []
    try:
        click.get_current_context().with_resource(output_file(out))
        given = [Path(os.path.abspath(existing(path))) for path in inputs]  # a link keeps its own name
        files = sorted({file for path in given for file in found_cad_files(path)})
        root = Path(os.path.commonpath([path if path.is_dir() else path.parent for path in given]))
        if model is not None:
            fitted = load_model(model_folder(model))
            options = ParseOptions(fitted.grid, 0, 0, False, False, root, deadline, memory)
            for each in ask(fitted.answer, fitted.unit == "file", files, options, workers):
                suggestions += [one for one in each if isinstance(one, SolidAnswers)]
            choices = choices or list(fitted.classes)
        left_out = write_label_page(out, files, root, choices, workers, deadline, memory, suggestions)
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    for file, reject in left_out:
        click.echo(f"{file} left out, {reject.reason}: {reject.detail}", err=True)
    click.echo(f"{out}: open it in a browser; it needs no network")
