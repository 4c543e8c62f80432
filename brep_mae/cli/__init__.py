"""`brep-mae`: the same functions as the pipeline, for one's own files."""

import importlib.util
import os
import socket
import sys
import warnings
from pathlib import Path

import click

from brep_mae.cli.fit import fit
from brep_mae.cli.parse import inspect, parse
from brep_mae.cli.predict import predict
from brep_mae.cli.tasks import task
from brep_mae.cli.verify import verify


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """Masked pretraining and few-shot learning on CAD boundary representations."""
    if not sys.warnoptions:  # what libraries have to say to programmers is for those who ask for it with -W
        context.with_resource(warnings.catch_warnings())
        warnings.showwarning = lambda *_, **__: None


@main.command()
@click.option("--port", default=5000, type=click.IntRange(1, 65535), show_default=True)
def ui(port: int) -> None:
    """MLflow's pages on the runs of this folder, on this machine only."""
    store = Path("mlflow.db").resolve()
    if not store.exists():
        raise click.ClickException(f"{store}: no runs yet; run `make repro` first")
    if importlib.util.find_spec("mlflow") is None:
        raise click.ClickException("the pages are MLflow's, which is not installed; `pip install mlflow`")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise click.ClickException(f"port {port}: {reason}; name a free one with --port") from None
    # MLflow opens on its page for language models; this address opens on the runs.
    click.echo(f"runs: http://127.0.0.1:{port}/#/experiments/1/runs?workflowType=machine_learning", err=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{store}"]
    os.execve(sys.executable, command, os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})


COMMANDS = (
    fit,
    inspect,
    parse,
    predict,
    task,
    verify,
)
for command in COMMANDS:
    main.add_command(command)
