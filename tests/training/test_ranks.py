"""Two processes with half of every batch compute what one does with all of it; one that dies ends the other."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from brep_mae import ranks
from brep_mae.checkpoints.state import load_state
from brep_mae.checks import SettingsError
from brep_mae.datasets.shards import open_shards
from brep_mae.plugins import METHODS, known
from brep_mae.training.loop import train
from tests.contracts.test_methods import small
from tests.stored import solids, store
from tests.training.in_ranks import PARAMS, STEPS, steps_of


def started(world: int, *arguments: object) -> list[subprocess.Popen[str]]:
    """Processes that train together, as torchrun starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world), "OMP_NUM_THREADS": "1"}
    own["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-W", "ignore", "-m", "tests.training.in_ranks", *map(str, arguments)]
    pipe = subprocess.PIPE
    return [
        subprocess.Popen(command, env=os.environ | own | {"RANK": str(rank)}, stdout=pipe, stderr=pipe, text=True)
        for rank in range(world)
    ]


def finished(processes: list[subprocess.Popen[str]]) -> list[str]:
    ends = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), ends
    return [out for out, _ in ends]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ranks")
    store(root / "data")
    return root


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[int, dict[str, Any]]:
    """By the number of processes, of every method: losses of each step, and the state at the end."""
    names = known(METHODS)
    found = {}
    for world in (1, 2):
        finished(started(world, folder / "data", folder / str(world), *names))
        found[world] = {
            name: (
                [json.loads(line) for line in (folder / str(world) / f"{name}.jsonl").read_text().splitlines()],
                load_state(folder / str(world) / f"{name}.pt", torch.device("cpu")),
            )
            for name in names
        }
    return found


@pytest.mark.parametrize("name", known(METHODS))
def test_two_processes_give_the_losses_and_weights_of_one(trained: dict[int, dict[str, Any]], name: str) -> None:
    (one, state), (two, other) = (trained[world][name] for world in (1, 2))
    assert len(one) == 2 * steps_of(name) and [row["step"] for row in two] == [row["step"] for row in one]
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        same = {key: abs(a[key] - b[key]) <= 1e-12 * max(1, abs(a[key])) for key in a if key not in ("step", "split")}
        assert all(same.values()), (a, b)
    assert state["model"].keys() == other["model"].keys()
    for key, value in state["model"].items():
        torch.testing.assert_close(
            other["model"][key], value, rtol=0, atol=1e-9, msg=lambda text, key=key: f"{key} {text}"
        )


def test_in_bf16_two_processes_learn_what_one_does(folder: Path) -> None:
    losses = {}
    for precision, world in (("fp32", 1), ("bf16", 1), ("bf16", 2)):
        out = folder / f"{precision}-{world}"
        finished(started(world, folder / "data", out, "mae_images", f"--{precision}"))
        rows = (out / "mae_images.jsonl").read_text().splitlines()
        losses[precision, world] = [json.loads(row)["loss"] for row in rows]
    assert losses["bf16", 2] == pytest.approx(losses["bf16", 1], rel=1e-3)
    assert losses["bf16", 1] == pytest.approx(losses["fp32", 1], rel=2e-2)
    assert losses["bf16", 1] != pytest.approx(losses["fp32", 1], rel=1e-7), "control: products are in bf16"


def test_a_process_that_dies_ends_the_other_with_the_remedy_and_the_same_command_goes_on(folder: Path) -> None:
    arguments = folder / "data", folder / "cut", "mae_faces"
    first, second = started(2, *arguments, "--slowly")
    state = folder / "cut" / "mae_faces.pt"
    until = time.monotonic() + 60
    while not state.exists() and time.monotonic() < until:
        time.sleep(0.05)
    second.kill()
    _, error = first.communicate(timeout=60)
    assert first.returncode == 1 and "another process ended" in error and "run the same command again" in error, error
    step = load_state(state, torch.device("cpu"))["step"]
    assert 0 < step < STEPS
    finished(started(1, *arguments))  # any number of processes goes on
    rows = [json.loads(line) for line in (folder / "cut" / "mae_faces.jsonl").read_text().splitlines()]
    assert rows[-2]["step"] == STEPS and step + 1 in [row["step"] for row in rows]


@pytest.mark.parametrize(
    "parallel, batch, reason",
    [(False, 4, "cannot be shared: train it without torchrun"), (True, 5, "does not divide among 2")],
)
def test_what_cannot_be_shared_is_refused_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, parallel: bool, batch: int, reason: str
) -> None:
    monkeypatch.setattr(ranks, "world", lambda: 2)
    pretext = small("mae_faces", batch=batch)
    monkeypatch.setattr(type(pretext), "parallel", parallel)
    data = solids(folder / "data", list(open_shards(folder / "data" / "parsed").uids), *pretext.reads)
    with pytest.raises(SettingsError, match=reason):
        train(pretext, data, data, PARAMS, folder / "none.pt", lambda row: None, torch.device("cpu"))
