"""`brep-mae ui`: MLflow's pages."""

import importlib.util
import os
import socket
import sys
from pathlib import Path

import click


@click.command()
@click.option("--port", default=5000, type=click.IntRange(1, 65535), show_default=True, help="Of 127.0.0.1.")
@click.option("--links", "only_links", is_flag=True, help="Say where the runs will be seen, and serve nothing.")
def ui(port: int, only_links: bool) -> None:
    """MLflow's pages on the runs of this folder, on this machine only."""
    store = Path("mlflow.db").resolve()
    if not store.exists():
        raise click.ClickException(f"{store}: no runs yet; run `make repro` first")
    if importlib.util.find_spec("mlflow") is None:
        raise click.ClickException("the pages are MLflow's, which is not installed; `pip install mlflow`")
    uri = f"sqlite:///{store}"
    if only_links:
        return _tell(uri, port)
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise click.ClickException(f"port {port}: {reason}; name a free one with --port") from None
    _tell(uri, port)
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", uri]
    os.execve(sys.executable, command, os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})


def _tell(uri: str, port: int) -> None:
    """MLflow opens on its page for language models; these addresses open on the runs."""
    from brep_mae.tracking.links import links

    for what, address in links(uri, port).items():
        click.echo(f"{what}: {address}", err=True)
