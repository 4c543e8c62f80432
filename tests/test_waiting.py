"""Threads sleep while they wait, whichever way in a process takes: asked of the OpenMP that torch has loaded."""

import os
import re
import subprocess
import sys

import pytest

SETTINGS = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}


def spins(modules: str, **more: str) -> set[int]:
    """How often a waiting thread looks again before it sleeps, in a process that imports `modules` in this order."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-W", "ignore", "-c", f"import {modules}"]
    environment |= {"OMP_DISPLAY_ENV": "VERBOSE"} | more
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)
    if not found:
        pytest.skip("skipped how threads wait: torch does not use GNU's OpenMP here")
    return {int(value) for value in found}


@pytest.mark.parametrize(
    "way_in", ["brep_mae.cli", "pipelines.pretrain", "pipelines.studies.transfer.pretrain", "brep_mae"]
)
def test_threads_of_every_way_in_sleep_while_they_wait(way_in):
    assert spins(f"{way_in}, torch") == {0}


def test_by_default_they_spin():
    """What the other tests stand on."""
    assert min(spins("torch")) > 0


def test_what_the_environment_says_stays():
    assert min(spins("brep_mae, torch", OMP_WAIT_POLICY="active")) > 0
