"""Parsing on a Ray cluster of several nodes, all on this machine, of which one is killed in the middle."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from brep_mae.cli import main
from brep_mae.ingest import chunks
from tests.brep.solids import box, write_step
from tests.ingest.test_dataset import content

pytest.importorskip("ray", reason="Ray is not installed")
FILES = 40
DEATH = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
"""When the head takes a node for dead."""


@pytest.fixture
def ray_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    store = {"object_store_memory": 80_000_000}
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": DEATH, **store}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1, **store)
    yield cluster
    cluster.shutdown()


def test_with_a_node_killed_in_the_middle_nothing_is_lost(ray_cluster, tmp_path, monkeypatch):
    parts, out, whole = tmp_path / "parts", tmp_path / "out", tmp_path / "whole"
    parts.mkdir()
    for i in range(FILES):
        write_step(parts / f"{i}.step", box(1, 2, i + 1))
    monkeypatch.setattr(chunks, "FILES_PER_SHARD", 2)
    arguments = ("parse", str(parts), "--workers", "1", "--grid", "4", "--field-pool", "16", "--field-samples", "4")
    (node,) = ray_cluster.worker_nodes
    killer = threading.Thread(target=kill_at_work, args=(ray_cluster, node))
    killer.start()
    done = CliRunner().invoke(main, [*arguments, "--out", str(out), "--cluster", ray_cluster.address, "--json"])
    killer.join()
    assert done.exit_code == 0, done.output
    assert "lost tasks given out again: " in done.stderr
    assert json.loads(done.stdout)["solids"] == FILES
    assert CliRunner().invoke(main, [*arguments, "--out", str(whole)]).exit_code == 0
    assert content(out) == content(whole)


def kill_at_work(cluster: Any, node: Any) -> None:
    """Kills the node when workers of ours are started by a task on it."""
    (raylet,) = node.all_processes["raylet"]
    known = psutil.Process(raylet.process.pid)
    limit = time.monotonic() + 60
    while not any("forkserver" in " ".join(command(one)) for one in known.children(recursive=True)):
        if time.monotonic() > limit:
            return
        time.sleep(0.01)
    cluster.remove_node(node, allow_graceful=False)


def command(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []
