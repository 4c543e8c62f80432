"""What a person sees: the MLflow page lists both pretraining runs and compares their settings and results."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from brep_mae.tracking import tracking
from brep_mae.tracking.links import links

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # the page must do without the internet
    "--window-size=1600,3000",
    "--virtual-time-budget=20000",
]


class Words(HTMLParser):
    """The visible text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.words.append(data.strip())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a store with two runs and a child of each."""
    folder = tmp_path_factory.mktemp("ui")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        for name, ratio, loss in (("mae_faces", 0.375, 0.25), ("hybrid", 0.625, 0.125)):
            with tracking.run("pretrain", name, {"mask": {"ratio": ratio}}) as tracker:
                for step in (1, 2):
                    tracker.log_metrics({"heldout.loss": loss * 2 / step}, step=step)
                with tracker.child(f"seed of {name}"):
                    pass
    yield uri


@pytest.fixture(scope="module")
def server(store: str) -> Iterator[str]:
    """The address of a served UI."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/health", process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the MLflow server ended"
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(scope="module")
def visible(server: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """Opens a page of the UI and returns the texts on it."""
    profile: Path = tmp_path_factory.mktemp("profile")

    def show(page: str) -> list[str]:
        command = [str(CHROMIUM), *QUIET, f"--user-data-dir={profile}", "--dump-dom", f"{server}/#{page}"]
        dom = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout
        words = Words()
        words.feed(dom)
        return words.words

    return show


def test_the_list_shows_both_runs(visible: Callable[[str], list[str]]) -> None:
    words = visible("/experiments/1/runs?workflowType=machine_learning")
    assert {"mae_faces", "hybrid", "pretrain", "matching runs"} <= set(words)
    assert not [word for word in words if word.startswith("seed of")], "children are folded away"


def test_the_comparison_shows_settings_and_results_of_both(visible: Callable[[str], list[str]], store: str) -> None:
    recommended = links(store, 5000)["compare pretrainings"]
    words = visible(recommended.partition("#")[2])
    assert "Comparing 2 Runs from 1 Experiment" in words
    assert {"mae_faces", "hybrid", "env.torch"} <= set(words)
    setting = len(words) - 1 - words[::-1].index("mask.ratio")  # the last one is in the table, others in the plot
    assert words[setting + 1 : setting + 3] == ["0.625", "0.375"]
    result = len(words) - 1 - words[::-1].index("heldout.loss")
    assert [word for word in words[result:] if word.startswith("0.")][:2] == ["0.125", "0.25"]
