"""`brep-mae pretrain`: from folders of shards to an encoder that the other commands take."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.gp import gp_Pnt, gp_Trsf

import brep_mae
from brep_mae.checkpoints.backbones import load_backbone
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.splits import read_split, write_split
from brep_mae.pretraining import pretraining
from brep_mae.tracking import tracking
from tests.brep.solids import write_step
from tests.cli.small_tasks import PARTS, box_or_cylinder, ok, run
from tests.conftest import TOP

TINY = {"steps": 20, "batch": 4, "dim": 16, "depth": 2, "weights": {"invariants.scalars": 1.0}}

WITHOUT_MLFLOW = "import sys; sys.modules['mlflow'] = None; from brep_mae.cli import main; main()"
"""It takes seconds to load."""


@pytest.fixture(autouse=True)
def store(tmp_path_factory, monkeypatch):
    """Runs are tracked in a folder of their own."""
    monkeypatch.setattr(tracking, "open_mlflow", lambda: None)
    monkeypatch.setattr(tracking, "root", lambda: tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("config") / "mine.yaml"
    rows = {"log_every": 5, "checkpoint_every": 5}
    file.write_text(yaml.safe_dump({"pretrain": rows, "methods": {"attribute_masking": TINY}}))
    return file


def pretrain(*arguments: object) -> dict:
    return json.loads(ok("pretrain", *arguments, "--method", "attribute_masking", "--json"))


@pytest.fixture(scope="module")
def whole(shards, config, tmp_path_factory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("whole") / "encoder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "open_mlflow", lambda: None)
        patch.setattr(tracking, "root", lambda: out.parent)
        return out, pretrain(shards, "--out", out, "--config", config)


def test_the_encoder_is_one_that_the_other_commands_take(parts, shards, whole, tmp_path):
    encoder, report = whole
    split = read_split(shards / "split.parquet")
    assert (report["train"], report["heldout"]) == (len(split["train"]), len(split["validation"]))
    assert report["steps"] == 20 and "invariants.scalars" in report["r2"]
    assert report["loss"] == json.loads((encoder / "metrics.json").read_text())["heldout"]["loss"]
    assert "attribute_masking" in ok("models", encoder)
    part = brep_mae.read(parts / "00.step", grid=4)
    assert brep_mae.load(encoder).embed(part).shape[-1] == 3 * 16 * 3
    ok("embed", parts / "00.step", "--encoder", encoder, "--out", tmp_path / "vectors.parquet", "--workers", 1)
    ok("fit", shards, "--encoder", encoder, "--out", tmp_path / "model")
    ok("task", "add", "surface", "--tasks", tmp_path / "t", "--data", shards, "--encoder", encoder, "--steps", 2)


def test_killed_in_the_middle_the_same_command_goes_on_as_if_nothing_had_been(shards, config, whole, tmp_path):
    out = tmp_path / "encoder"
    words = ["pretrain", shards, "--out", out, "--config", config, "--method", "attribute_masking"]
    environment = os.environ | {"PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_MLFLOW, *map(str, words)], cwd=tmp_path, env=environment
    )
    while not (states := list(tmp_path.glob(".encoder.work/*/state.pt"))):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    begun = torch.load(states[0], weights_only=True)["step"]
    first, real = [], pretraining.train

    def train(pretext, *arguments):
        first.append(states[0].exists())
        return real(pretext, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining, "train", train)
        pretrain(shards, "--out", out, "--config", config)
    assert 5 <= begun <= 20 and first == [True] and not list(tmp_path.glob(".encoder.work"))
    for name in ("model.safetensors", "history.jsonl", "metrics.json"):
        assert (out / name).read_bytes() == (whole[0] / name).read_bytes(), name


def test_no_solid_is_trained_on_that_is_held_out_under_another_name(parts, shards, config, tmp_path):
    """The same parts from another system: larger and elsewhere, under names that put them on other sides."""
    again = tmp_path / "again"
    again.mkdir()
    larger = gp_Trsf()
    larger.SetScale(gp_Pnt(1, 2, 3), 25.4)
    for i in range(PARTS):
        write_step(again / f"part {i}.step", BRepBuilderAPI_Transform(box_or_cylinder(i), larger, True).Shape())
    other = tmp_path / "shards"
    ok("parse", again, "--out", other, "--workers", 1, "--grid", 4)
    report = pretrain(shards, other, "--out", tmp_path / "encoder", "--config", config, "--steps", 2)
    held, trained = (
        [n for folder in (shards, other) for n in numbers(folder, side)] for side in ("validation", "train")
    )
    assert report["known"] == sum(number in held for number in trained) > 0
    assert report["train"] == len(trained) - report["known"] and report["heldout"] == len(held)


def numbers(folder: Path, side: str) -> list[int]:
    """Which parts lie on a side, by their numbers."""
    stored, uids = open_shards(folder), read_split(folder / "split.parquet")[side]
    return [
        int(Path(file).stem.split()[-1]) for file, uid in zip(stored.files, stored.uids, strict=True) if uid in uids
    ]


def test_a_solid_that_two_folders_hold_is_met_once(shards, config, tmp_path):
    shutil.copytree(shards, tmp_path / "copy")
    once = pretrain(shards, "--out", tmp_path / "one", "--config", config, "--steps", 2)
    twice = pretrain(shards, tmp_path / "copy", "--out", tmp_path / "two", "--config", config, "--steps", 2)
    assert twice["train"] == once["train"] and twice["known"] == once["known"] == 0


def test_an_option_goes_before_the_file_and_the_file_before_the_package(shards, config, tmp_path):
    assert pretrain(shards, "--out", tmp_path / "one", "--config", config, "--steps", 3)["steps"] == 3
    values = json.loads((tmp_path / "one" / "config.json").read_text())["params"]
    default = yaml.safe_load((TOP / "params.yaml").read_text())["methods"]["attribute_masking"]
    assert values == default | TINY | {"steps": 3}
    assert load_backbone(tmp_path / "one").dim == 16 * 3
    other = pretrain(shards, "--out", tmp_path / "two", "--config", config, "--steps", 3, "--seed", 1)
    assert (tmp_path / "one/model.safetensors").read_bytes() != (tmp_path / "two/model.safetensors").read_bytes()
    assert other["steps"] == 3


@pytest.fixture
def unlabelled(shards, tmp_path) -> Path:
    shutil.copytree(shards, tmp_path / "plain", ignore=shutil.ignore_patterns("labels"))
    return tmp_path / "plain"


def described(folder: Path, **values: object) -> Path:
    about = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(about | values))
    return folder


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("m3ae", "reads renders, .*docs/pipeline.md.*, or take one of attribute_masking, dbot_faces"),
        ("maskdistill_faces", "the encoder in models/mae_images, which is not there; name another .*, or take one of"),
        ("mlo_mae_faces", "labels, and there are none; put a labels.csv beside the CAD files .*, or take one of"),
        ("mae_facets", "no method mae_facets; known are attribute_masking, dbot_faces"),
    ],
)
def test_a_method_that_needs_what_is_not_there_says_what_to_run_instead(
    unlabelled, tmp_path, monkeypatch, method, words
):
    monkeypatch.chdir(tmp_path)  # where no run of the graph has left the encoder that one of them asks for
    refused(words, tmp_path, unlabelled, "--method", method)


def test_folders_that_cannot_be_trained_on_are_refused_with_the_remedy(parts, shards, unlabelled, tmp_path):
    def fails(words: str, *folders: Path) -> None:
        refused(words, tmp_path, *folders, "--method", "attribute_masking")

    fails("no folder of parsed solids; make one with: brep-mae parse FILES --out", parts)
    fails("no such file or folder", tmp_path / "nowhere")
    other = described(unlabelled, parse={"grid": 8})
    fails("plain: grids of 8 samples a side, .* has 4: parse both with the same --grid", shards, other)
    fails("parsed with data schema 1, this is 4; parse the files again", described(other, schema=1))
    split = {"train": [], "validation": [], "test": []}
    write_split(described(other, schema=4) / "split.parquet", split)
    fails("0 solids to train on and 0 to hold out are too few; parse more files", other)


def test_a_mistake_in_the_file_is_named(shards, tmp_path):
    (tmp_path / "mine.yaml").write_text("methods: {attribute_masking: {stepps: 3}}")
    words = "mine.yaml: methods.attribute_masking: unknown key stepps; did you mean steps?"
    refused(words, tmp_path, shards, "--method", "attribute_masking", "--config", tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("pretrain: {sede: 3}")
    words = "mine.yaml: unknown key pretrain.sede; did you mean seed?"
    refused(words, tmp_path, shards, "--method", "attribute_masking", "--config", tmp_path / "mine.yaml")


def refused(words: str, folder: Path, *arguments: object) -> None:
    """The command fails with that message and leaves nothing."""
    before = sorted(folder.rglob("*"))
    done = run("pretrain", *arguments, "--out", folder / "out")
    assert done.exit_code == 1 and re.search(words, done.output), done.output
    assert sorted(folder.rglob("*")) == before


def test_two_processes_leave_one_encoder_and_one_report(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "command.py").write_text(WITHOUT_MLFLOW)
    small = tmp_path / "small.yaml"
    size = {"dim": 16, "depth": 1, "heads": 2}
    small.write_text(json.dumps({"methods": {"mae_faces": {"batch": 8, "size": size, "decoder": size}}}))
    options = ["pretrain", shards, "--method", "mae_faces", "--steps", 3, "--config", small]
    environment = os.environ | {"PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "command.py"]
    done = subprocess.run(
        [*launch, *map(str, options), "--out", str(tmp_path / "two"), "--json"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    one = json.loads(ok(*options, "--out", tmp_path / "one", "--json"))
    assert abs(report["loss"] - one["loss"]) < 1e-3 and report["train"] == one["train"]
    assert load_backbone(tmp_path / "two").dim == load_backbone(tmp_path / "one").dim
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
