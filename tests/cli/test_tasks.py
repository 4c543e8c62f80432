"""`brep-mae task` and `predict` from STEP files and a labels.csv to answers, every step a command of its own."""

import json
import os
import re
import shutil
import stat
from pathlib import Path

import pytest
import torch

from brep_mae.checkpoints.backbones import STEPS, load_backbone, save_snapshot
from brep_mae.checkpoints.state import save_state
from brep_mae.continual import task_folder
from brep_mae.output.folder import growing_folder
from tests.cli.small_tasks import PARTS, asked, ok, run, small_encoder
from tests.full_disk import files_of_at_most


def test_a_task_learns_from_labels_and_answers_for_a_file_that_has_none(parts, tasks):
    each = json.loads(asked(parts, tasks, "surface"))["each"]
    assert [about["file"] for about in each] == ["00.step", f"{PARTS - 1:02d}.step"]
    assert [row["class"] for row in each[0]["rows"]] == ["flat"] * 6
    assert sorted(row["class"] for row in each[1]["rows"]) == ["curved", "flat", "flat"]
    assert [row["face"] for row in each[0]["rows"]] == list(range(6))
    text = ok("predict", parts / "00.step", "--tasks", tasks, "--task", "surface")
    assert text == "00.step solid 0  6 flat\n"


def test_a_later_task_of_another_kind_leaves_the_answers_of_the_first_as_they_were(parts, shards, tasks):
    before = asked(parts, tasks, "surface")
    added = json.loads(
        ok("task", "add", "family", "--tasks", tasks, "--data", shards, "--kind", "classification", "--json")
    )
    assert added["earlier_unmoved"] == 1
    assert Path(added["file"]).parent == tasks and Path(added["file"]).stat().st_size == added["bytes"]
    assert added["classes"] == ["block", "shaft"] and added["test"] == 1.0
    assert asked(parts, tasks, "surface") == before
    each = json.loads(asked(parts, tasks, "family"))["each"]
    assert [[row["class"] for row in about["rows"]] for about in each] == [["block"], ["shaft"]]
    listed = json.loads(ok("task", "list", tasks, "--json"))
    assert listed == {"surface": "segmentation of curved, flat", "family": "classification of block, shaft"}


def test_a_task_tells_all_classes_that_a_solid_shows(parts, shards, tasks):
    ok("task", "add", "surfaces", "--tasks", tasks, "--data", shards, "--kind", "multilabel")
    each = json.loads(asked(parts, tasks, "surfaces"))["each"]
    assert [[row["class"] for row in about["rows"]] for about in each] == [["flat"], ["curved", "flat"]]
    text = ok("predict", parts / f"{PARTS - 1:02d}.step", "--tasks", tasks, "--task", "surfaces")
    assert re.search(r"solid 0  curved \((1\.00|0\.\d\d)\), flat \((1\.00|0\.\d\d)\)\n$", text), text


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["surface"], "already has a task of this name"),
        (["other", "--classes", "flat, hole"], "no class hole; it has curved, flat"),
        (["other", "--classes", "flat"], "1 classes; this model takes 2 to 64: label solids of one more"),
    ],
)
def test_a_bad_task_is_refused_and_nothing_saved_changes(shards, tasks, arguments, reason):
    before = {path.name: path.read_bytes() for path in tasks.iterdir()}
    done = run("task", "add", *arguments, "--tasks", tasks, "--data", shards, "--steps", 1)
    assert done.exit_code == 1 and reason in done.output, done.output
    assert {path.name: path.read_bytes() for path in tasks.iterdir()} == before


@pytest.mark.parametrize("kind", ["segmentation", "classification", "multilabel"])
@pytest.mark.parametrize("count", [2, 5])
def test_few_labelled_solids_of_many_all_train_and_no_score_is_claimed(parts, encoder, tmp_path, count, kind):
    folder, shards = tmp_path / "parts", tmp_path / "shards"
    shutil.copytree(parts, folder)
    lines = (folder / "labels.csv").read_text().splitlines()
    # Parts 2 and 5, then more: none of the first two trains by the split of all parts.
    named = [f"{i:02d}.step" for i in (2, 5, 8, 11, 14)][:count]
    (folder / "labels.csv").write_text("\n".join([lines[0], *(x for x in lines[1:] if x.split(",")[0] in named)]))
    ok("parse", folder, "--out", shards, "--workers", 1, "--grid", 4)
    add = ["task", "add", "t", "--data", shards, "--encoder", encoder, "--kind", kind, "--steps", 2]
    added = json.loads(ok(*add, "--tasks", tmp_path / "a", "--json"))
    assert added["solids"] == {"train": count, "validation": 0, "test": 0}
    assert added["test"] is None and added["validation"] is None
    text = ok(*add, "--tasks", tmp_path / "b")
    assert "no test: too few labelled solids" in text and "no validation: too few" in text


def test_a_score_tells_on_how_many_solids_it_rests(shards, encoder, tmp_path):
    done = ok("task", "add", "t", "--tasks", tmp_path, "--data", shards, "--encoder", encoder, "--steps", 2)
    train, validation, test = map(int, re.search(r"train (\d+), validation (\d+), test (\d+)", done).groups())
    assert train + validation + test == PARTS - 1 and min(validation, test) >= 3
    assert re.search(rf" validation  [01]\.\d\d on {validation} solids\n", done), done
    assert re.search(rf" test  [01]\.\d\d on {test} solids\n", done), done


def test_the_sides_that_labels_csv_names_are_kept_and_what_contradicts_itself_is_told(parts, encoder, tmp_path):
    folder, shards = tmp_path / "parts", tmp_path / "shards"
    shutil.copytree(parts, folder)
    header, *lines = (folder / "labels.csv").read_text().splitlines()
    side = {**{f"{i:02d}.step": "test" for i in range(4)}, "04.step": "validation", "05.step": "dev", "06.step": ""}
    lines = [f"{line},{side.get(line.split(',')[0], 'train')}" for line in lines]
    other = next(i for i, line in enumerate(lines) if line.startswith("03.step,0,"))
    lines[other] = lines[other].replace(",test", ",train")
    (folder / "labels.csv").write_text("\n".join([f"{header},split", *lines]))
    parsed = run("parse", folder, "--out", shards, "--workers", 1, "--grid", 4)
    assert "split 'dev' is none of train, validation, test" in parsed.stderr
    assert "it says test, but line" in parsed.stderr and "says train; keep one of them" in parsed.stderr
    add = ["task", "add", "t", "--tasks", tmp_path / "t", "--data", shards, "--encoder", encoder, "--steps", 2]
    added = json.loads(ok(*add, "--json"))
    # 05 has no label that can be used, 03 none either, and 06 trains.
    assert added["solids"] == {"train": PARTS - 1 - 4 - 1 - 1, "validation": 1, "test": 3}


def test_a_training_that_runs_away_is_told_in_one_sentence_and_not_saved(shards, encoder, tmp_path, monkeypatch):
    def runs_away(*_):
        raise FloatingPointError("t/mask: loss nan by step 1; lower the learning rate")

    monkeypatch.setattr(task_folder, "train_task", runs_away)
    done = run("task", "add", "t", "--tasks", tmp_path / "t", "--data", shards, "--encoder", encoder)
    assert done.exit_code == 1 and done.output == "Error: t/mask: loss nan by step 1; lower the learning rate\n"
    assert not list((tmp_path / "t").glob("task_*"))


def test_the_network_is_called_full_when_it_is_and_not_when_a_task_takes_an_earlier_mask(shards, encoder, tmp_path):
    add = ["task", "add", "--data", shards, "--steps", 1]
    full = run(*add, "first", "--tasks", tmp_path / "full", "--encoder", encoder, "--density", 0.9999)
    assert full.exit_code == 0 and "the network is full" in full.stderr
    first = run(*add, "first", "--tasks", tmp_path / "free", "--encoder", encoder)
    again = run(*add, "again", "--tasks", tmp_path / "free", "--transfer", "always", "--json")
    assert json.loads(again.stdout)["weights_owned"] == 0
    assert "full" not in first.stderr + again.stderr
    assert "earlier ones use all of its mask" in again.stderr


def test_a_task_that_moves_earlier_answers_is_not_saved(shards, encoder, tmp_path, monkeypatch):
    add = ["task", "add", "--tasks", tmp_path, "--data", shards, "--steps", 1]
    ok(*add, "first", "--encoder", encoder)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    honest = task_folder.train_task

    def moving(model, *arguments):
        report = honest(model, *arguments)
        with torch.no_grad():
            model.shared_classifier.weight.mul_(1.001)
        return report

    monkeypatch.setattr(task_folder, "train_task", moving)
    done = run(*add, "second", "--kind", "classification")
    assert done.exit_code == 1 and "training second moved the answers of first; it is not saved" in done.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_errors_name_the_folder_and_the_remedy(parts, shards, tasks, encoder, tmp_path):
    done = run("task", "add", "first", "--tasks", tmp_path / "none", "--data", shards)
    assert done.exit_code == 1 and "--encoder" in done.output
    done = run("task", "add", "more", "--tasks", tasks, "--data", shards, "--encoder", encoder)
    assert done.exit_code == 1 and "leave --encoder out" in done.output
    finer = tmp_path / "finer"
    ok("parse", parts / "00.step", "--out", finer, "--workers", 1, "--grid", 5)
    done = run("task", "add", "more", "--tasks", tasks, "--data", finer)
    assert done.exit_code == 1 and f"{finer}: grids of 5" in done.output, done.output
    assert f"{tasks} reads 4: parse again with --grid 4" in done.output
    done = run("predict", parts / "00.step", "--tasks", tasks, "--task", "colour")
    assert done.exit_code == 1 and "no task colour; it has surface" in done.output
    done = run("task", "list", tmp_path)
    assert done.exit_code == 1 and "no saved tasks" in done.output
    (tmp_path / "bad.step").write_text("no STEP")
    done = run("predict", tmp_path / "bad.step", "--tasks", tasks, "--task", "surface")
    assert done.exit_code == 1 and "left out, unreadable" in done.output and "none of 1 files" in done.output
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in tasks.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    first = sorted(broken.glob("task_*"))[0]
    first.write_bytes(first.read_bytes()[:-3] + b"abc")
    for command in (["task", "list", broken], ["predict", parts / "00.step", "--tasks", broken, "--task", "surface"]):
        done = run(*command)
        assert done.exit_code == 1 and first.name in done.output and "restore" in done.output, done.output


def test_task_add_looks_at_its_folder_before_it_works(shards, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(task_folder, "add_task", lambda *_: pytest.fail("work began"))
    (tmp_path / "file").touch()
    places = {tmp_path / "file": "a file", tmp_path / "file" / "tasks": "Not a directory"}
    if Path("/sys/kernel").is_dir():
        places[Path("/sys/kernel/tasks")] = "/sys/kernel/tasks: "  # root, too, is refused there
    for folder, words in places.items():
        done = run("task", "add", "surface", "--tasks", folder, "--data", shards, "--encoder", encoder)
        assert done.exit_code == 1 and words in done.stderr and "remedy: name a" in done.stderr, done.stderr
    with growing_folder(tmp_path / "tasks"):
        done = run("task", "add", "surface", "--tasks", tmp_path / "tasks", "--data", shards, "--encoder", encoder)
        assert f"process {os.getpid()} on" in done.stderr and "is writing it; remedy: wait" in done.stderr
    with files_of_at_most(1000):
        done = run("task", "add", "surface", "--tasks", tmp_path / "tasks", "--data", shards, "--encoder", encoder)
        assert done.exit_code == 1 and "File too large; remedy: make room" in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_up_meanwhile_costs_the_new_task_alone(shards, tasks, encoder, tmp_path, monkeypatch):
    real = task_folder.save_task

    def without_room(*arguments):
        with files_of_at_most(1000):
            return real(*arguments)

    monkeypatch.setattr(task_folder, "save_task", without_room)
    before = {path.name: path.read_bytes() for path in tasks.iterdir()}
    done = run("task", "add", "late", "--tasks", tasks, "--data", shards, "--kind", "multilabel", "--steps", 1)
    assert done.exit_code == 1, done.output
    assert re.search(r"Error: .*task_\d+.safetensors: File too large; remedy: make room", done.stderr.splitlines()[-1])
    assert {path.name: path.read_bytes() for path in tasks.iterdir()} == before


@pytest.mark.parametrize("mask", [0o022, 0o027])
def test_tasks_and_encoders_get_the_permissions_of_the_umask(shards, tmp_path, mask):
    before = os.umask(mask)
    try:
        small_encoder(tmp_path / "encoder")
        ok("task", "add", "surface", "--tasks", tmp_path / "tasks", "--data", shards, "--encoder", tmp_path / "encoder")
        save_snapshot(tmp_path / "encoder" / STEPS, 1, load_backbone(tmp_path / "encoder"))
        save_state(tmp_path / "encoder" / "state.pt", {"step": 1})
    finally:
        os.umask(before)
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(paths) == 7
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths} == {p.name: 0o666 & ~mask for p in paths}
