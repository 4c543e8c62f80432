"""`brep-mae`: the same functions as the pipeline, for one's own files."""

import os
from pathlib import Path

import click

from brep_mae.cli.parse import inspect, parse
from brep_mae.cli.tasks import predict, task


@click.group()
def main() -> None:
    """Masked pretraining and few-shot learning on CAD boundary representations."""


@main.command()
@click.option("--port", default=5000, show_default=True)
def ui(port: int) -> None:
    """MLflow's pages on the runs of this folder, on this machine only."""
    store = Path("mlflow.db").resolve()
    if not store.exists():
        raise click.ClickException(f"{store}: no runs yet; run `make repro` first")
    # MLflow opens on its page for language models; this address opens on the runs.
    click.echo(f"runs: http://127.0.0.1:{port}/#/experiments/1/runs?workflowType=machine_learning", err=True)
    command = ["mlflow", "ui", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", f"sqlite:///{store}"]
    os.execvpe("mlflow", command, os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})


for command in (parse, inspect, task, predict):
    main.add_command(command)
