"""`brep-mae task remove` and `export`."""

import json
import shutil

import pytest

from tests.cli.small_tasks import asked, ok, run


@pytest.fixture
def two(shards, tasks, tmp_path):
    """The folder with `surface`, and `family` after it."""
    folder = tmp_path / "two"
    shutil.copytree(tasks, folder)
    ok("task", "add", "family", "--tasks", folder, "--data", shards, "--kind", "classification", "--steps", 5)
    return folder


def test_a_removed_task_is_gone_its_name_is_free_and_the_other_answers_as_before(parts, shards, two):
    before = asked(parts, two, "family")
    removed = json.loads(ok("task", "remove", "surface", "--tasks", two, "--json"))
    assert removed["removed"] == "surface" and removed["weights_freed"] > 0 and removed["weights_others_read"] > 0
    assert json.loads(ok("task", "list", two, "--json")) == {"family": "classification of block, shaft"}
    assert asked(parts, two, "family") == before
    done = run("predict", parts / "00.step", "--tasks", two, "--task", "surface")
    assert done.exit_code == 1 and "no task surface; it has family" in done.output
    added = json.loads(ok("task", "add", "surface", "--tasks", two, "--data", shards, "--steps", 2, "--json"))
    assert added["earlier_unmoved"] == 1 and added["weights_owned"] > 0
    assert asked(parts, two, "family") == before


def test_an_exported_task_answers_alone_and_learns_on(parts, shards, two, tmp_path):
    before = asked(parts, two, "family")
    alone = tmp_path / "alone"
    ok("task", "export", "family", "--tasks", two, "--out", alone)
    shutil.rmtree(two)
    assert asked(parts, alone, "family") == before
    assert json.loads(ok("task", "list", alone, "--json")) == {"family": "classification of block, shaft"}
    ok("task", "add", "surface", "--tasks", alone, "--data", shards, "--steps", 2)
    assert asked(parts, alone, "family") == before


@pytest.mark.parametrize("command", [["remove", "colour"], ["export", "colour", "--out", "new"]])
def test_a_task_that_is_not_there_is_told_and_nothing_changes(tasks, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    before = {path.name: path.read_bytes() for path in tasks.iterdir()}
    done = run("task", *command, "--tasks", tasks)
    assert done.exit_code == 1 and "no task colour; it has surface" in done.output
    assert {path.name: path.read_bytes() for path in tasks.iterdir()} == before and not list(tmp_path.iterdir())
