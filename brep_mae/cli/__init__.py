"""`brep-mae`: the same functions as the pipeline, for one's own files."""

import sys
import warnings

import click

from brep_mae.cli.commands import Commands
from brep_mae.cli.doctor import doctor
from brep_mae.cli.export import export
from brep_mae.cli.fit import fit
from brep_mae.cli.generate import generate
from brep_mae.cli.label import label
from brep_mae.cli.labels import labels
from brep_mae.cli.models import models
from brep_mae.cli.parse import inspect, merge, parse
from brep_mae.cli.predict import predict
from brep_mae.cli.pretrain import pretrain
from brep_mae.cli.render import render
from brep_mae.cli.retrieval.duplicates import duplicates
from brep_mae.cli.retrieval.embed import embed
from brep_mae.cli.retrieval.similar import similar
from brep_mae.cli.tasks import task
from brep_mae.cli.ui import ui
from brep_mae.cli.verify import verify


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="brep-mae", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Masked pretraining and few-shot learning on CAD boundary representations.

    Exit codes: 0 fine, 1 an error that is told, 2 wrong usage, 130 Ctrl-C.
    """
    if not sys.warnoptions:  # what libraries have to say to programmers is for those who ask for it with -W
        context.with_resource(warnings.catch_warnings())
        warnings.showwarning = lambda *_, **__: None


COMMANDS = (
    doctor,
    duplicates,
    embed,
    export,
    fit,
    generate,
    inspect,
    label,
    labels,
    merge,
    models,
    parse,
    predict,
    pretrain,
    render,
    similar,
    task,
    ui,
    verify,
)
for command in COMMANDS:
    main.add_command(command)
