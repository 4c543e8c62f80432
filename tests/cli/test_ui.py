"""`brep-mae ui` serves this machine alone. MLflow, slow to start, has a stand-in that listens where it is told to."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from brep_mae.cli import main

STAND_IN = """
import argparse, socket, time

def cli():
    options = argparse.ArgumentParser()
    options.add_argument("command", choices=["ui", "server"])
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=5000)
    told = options.parse_known_args()[0]
    with socket.create_server((told.host, told.port)):
        time.sleep(600)
"""

EMPTY_STORE = """
class MlflowClient:
    def __init__(self, uri): ...
    def get_experiment_by_name(self, name): ...
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where the pages are served, by an environment that is not activated: no `mlflow` on the path."""
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow/__init__.py").write_text(EMPTY_STORE)
    (tmp_path / "mlflow/cli.py").write_text(STAND_IN)
    (tmp_path / "mlflow/__main__.py").write_text("from mlflow.cli import cli\ncli()\n")
    (tmp_path / "mlflow.db").touch()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()]),
        "PATH": str(tmp_path / "nothing"),
    }
    command = [sys.executable, "-c", "from brep_mae.cli import main; main()", "ui", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while not answers("127.0.0.1", port):
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.05)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address of this machine on Linux alone")
def test_the_pages_are_on_one_loopback_address_and_on_no_other(port: int) -> None:
    """A server of all addresses answers on 127.0.0.2 as well, which is this machine and not 127.0.0.1."""
    assert answers("127.0.0.1", port) and not answers("127.0.0.2", port)


@pytest.mark.parametrize(
    "wanted, words", [("taken", "port {}: Address already in use; name a free one"), (0, "--port")]
)
def test_a_port_that_cannot_be_had_is_told_before_mlflow_starts(tmp_path, monkeypatch, wanted, words):
    (tmp_path / "mlflow.db").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("started"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1] if wanted == "taken" else wanted
        done = CliRunner().invoke(main, ["ui", "--port", str(port)])
    assert done.exit_code != 0 and words.format(port) in done.stderr, done.output
