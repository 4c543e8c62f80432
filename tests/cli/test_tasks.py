"""`brep-mae task` and `predict` from STEP files and a labels.csv to answers, every step a command of its own."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder
from OCP.TopoDS import TopoDS_Shape

from brep_mae.brep.workers import pool
from brep_mae.checkpoints.backbones import STEPS, load_backbone, save_backbone, save_snapshot
from brep_mae.checkpoints.state import save_state
from brep_mae.cli import main
from brep_mae.cli.predict import _unbroken
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.continual import task_folder
from brep_mae.output.folder import growing_folder
from brep_mae.settings import ParseParams
from tests.brep.solids import box, write_step
from tests.full_disk import files_of_at_most

PARTS = 30


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def ok(*arguments: object) -> str:
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def _part(i: int) -> TopoDS_Shape:
    return BRepPrimAPI_MakeCylinder(1 + i / 10, 2 + i / 7).Shape() if i % 2 else box(1 + i / 10, 2, 3 + i / 7)


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> Path:
    """Boxes and cylinders; labels.csv names the class of each but the last part, and of its faces."""
    root = tmp_path_factory.mktemp("parts")
    lines = ["file,solid,face,class"]
    for i in range(PARTS):
        name = f"{i:02d}.step"
        write_step(root / name, _part(i))
        if i == PARTS - 1:
            break
        faces = json.loads(ok("inspect", root / name, "--json"))["each"][0]["each_face"]
        lines.append(f"{name},,,{'shaft' if i % 2 else 'block'}")
        lines += [f"{name},0,{f['face']},{'flat' if f['surface'] == 'plane' else 'curved'}" for f in faces]
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def shards(parts, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("parsed") / "shards"
    ok("parse", parts, "--out", out, "--workers", 1, "--grid", 4)
    return out


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """A small network of a method, as a checkpoint holds it."""
    return small_encoder(tmp_path_factory.mktemp("encoder"))


def small_encoder(folder: Path) -> Path:
    spec = DataSpec(grid=4, frame=0)
    values = {"steps": 1, "batch": 1, "lr": 0.1, "dim": 16, "depth": 2, "dropout": 0.0, "mask_ratio": 0.3}
    values["weights"] = {"invariants.scalars": 1.0}
    torch.manual_seed(0)
    backbone = build("attribute_masking", values, spec).backbone()
    save_backbone(folder, backbone, "attribute_masking", values, spec, "digest")
    return folder


@pytest.fixture(scope="module")
def tasks(shards, encoder, tmp_path_factory) -> Path:
    """A folder with the task `surface`."""
    folder = tmp_path_factory.mktemp("store") / "tasks"
    ok("task", "add", "surface", "--tasks", folder, "--data", shards, "--encoder", encoder, "--steps", 30)
    return folder


def asked(parts: Path, tasks: Path, name: str) -> str:
    return ok("predict", parts / "00.step", parts / f"{PARTS - 1:02d}.step", "--tasks", tasks, "--task", name, "--json")


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


def test_predict_tells_of_a_file_that_cannot_be_read(tasks, tmp_path):
    write_step(tmp_path / "good.step", box(1, 2, 3))
    (tmp_path / "bad.step").write_text("no STEP")
    text = ok("predict", tmp_path, "--tasks", tasks, "--task", "surface")
    assert "bad.step solid 0  left out" in text and "good.step solid 0  6 flat" in text


def test_a_name_that_is_not_utf_8_is_printed_as_text_that_is(tasks, tmp_path):
    write_step(tmp_path / "good.step", box(1, 2, 3))
    shutil.copy(tmp_path / "good.step", os.fsencode(tmp_path) + b"/b\xff.step")
    each = json.loads(ok("predict", tmp_path, "--tasks", tasks, "--task", "surface", "--json"))["each"]
    assert [(one["file"], one.get("reject")) for one in each] == [(r"b\xff.step", "bad_name"), ("good.step", None)]
    done = run("inspect", next(path for path in tmp_path.iterdir() if path.name != "good.step"))
    assert done.exit_code == 1 and r"b\xff.step: no solid can be read (bad_name" in done.output, done.output


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_a_solid_that_memory_does_not_suffice_for_costs_its_own_answer_alone(tasks, tmp_path, monkeypatch, error):
    for i in range(3):
        write_step(tmp_path / f"{i}.step", box(1, 2, 3 + i))
    real, calls = task_folder.predict, []

    def second_fails(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise error
        return real(*arguments)

    monkeypatch.setattr(task_folder, "predict", second_fails)
    text = ok("predict", tmp_path, "--tasks", tasks, "--task", "surface", "--workers", 1)
    assert "0.step solid 0  6 flat" in text and "2.step solid 0  6 flat" in text
    assert "1.step solid 0  left out, memory: 6 faces need" in text


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


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("end, code", [(None, 0), (KeyboardInterrupt, 130), (RuntimeError("no worker starts"), 1)])
def test_predict_prints_each_answer_at_once_and_keeps_what_it_has(
    parts, tasks, monkeypatch, capsys, as_json, end, code
):
    printed = []
    real = pool.parse_files

    def ends(*arguments):
        for found in real(*arguments):
            yield found
            printed.append(capsys.readouterr().out)
        if end is not None:
            raise end

    monkeypatch.setattr(pool, "parse_files", ends)
    files = [str(parts / f"{i:02d}.step") for i in range(2)]
    with pytest.raises(SystemExit) as ended:
        main.main(["predict", *files, "--tasks", str(tasks), "--task", "surface", *(["--json"] if as_json else [])])
    assert ended.value.code == code
    text = "".join(printed) + capsys.readouterr().out
    assert "00.step" in printed[0] and "01.step" not in printed[0] and "01.step" in printed[1]
    if as_json:
        whole = json.loads(text)
        assert whole["task"] == "surface" and [about["file"] for about in whole["each"]] == ["00.step", "01.step"]
    else:
        assert text.splitlines()[0] == "00.step solid 0  6 flat" and len(text.splitlines()) == 2


def test_ctrl_c_waits_until_an_answer_is_printed(capsys):
    with pytest.raises(KeyboardInterrupt), _unbroken():
        os.kill(os.getpid(), signal.SIGINT)
        print("whole")
    assert capsys.readouterr().out == "whole\n"


def test_inspect_and_predict_obey_the_limits_that_parse_has(parts, tasks, monkeypatch):
    asked = []
    monkeypatch.setattr(pool, "parse_files", lambda files, options, *_, **__: asked.append(options) or iter(()))
    given = ("--deadline", 2.5, "--memory", 300)
    for limits, expected in (((), (ParseParams().deadline_s, ParseParams().memory_mb)), (given, (2.5, 300))):
        run("inspect", parts / "00.step", *limits)
        run("predict", parts / "00.step", "--tasks", tasks, "--task", "surface", *limits)
        assert [(options.deadline_s, options.memory_mb) for options in asked] == [expected] * 2
        asked.clear()


LOUD = """
import sys, warnings
from brep_mae.cli import main, predict
def loud(path):
    import torch_geometric
    warnings.filterwarnings("always", category=UserWarning)
    warnings.warn("nobody asked for this")
    return path
if __name__ == "__main__":
    sys.modules[predict.callback.__module__].existing = loud
    main(sys.argv[1:])
"""


def test_warnings_of_libraries_are_for_those_who_ask_for_them(parts, tasks, tmp_path):
    (tmp_path / "script.py").write_text(LOUD)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"} | {"PYTHONPATH": os.getcwd()}
    command = ["script.py", "predict", str(parts / "00.step"), "--tasks", str(tasks), "--task", "surface"]
    for options, shown in ((), False), (("-W", "default"), True):
        done = subprocess.run(
            [sys.executable, *options, *command], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0 and done.stdout == "00.step solid 0  6 flat\n", done.stderr
        assert ("nobody asked for this" in done.stderr) == shown
        assert shown or all(line.startswith("predict ") for line in done.stderr.splitlines()), done.stderr
