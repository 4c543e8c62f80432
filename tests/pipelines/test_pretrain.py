"""The stage that pretrains: killed in the middle it goes on where it was, and ends with the same losses."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml

from brep_mae.checkpoints.backbones import load_backbone
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.datasets.splits import read_split, write_split
from brep_mae.models.embed import embed
from brep_mae.output.note import sha256
from brep_mae.pretraining import method, pretraining
from pipelines import evolve, pretrain
from pipelines.shared.stage import run_stage
from tests.conftest import TOP
from tests.full_disk import files_of_at_most
from tests.stored import store
from tests.synthetic import GRID

STEPS = 60


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with stored solids and a params.yaml of tiny networks."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        uids = store(folder / "data")
        facts = {"parse": {"grid": GRID}, "digest": "d"}
        (folder / "data/parsed/dataset.json").write_text(json.dumps(facts))
        write_split(
            folder / "data/parsed/split.parquet", {"train": uids[:10], "validation": uids[10:], "test": uids[10:]}
        )
        params = yaml.safe_load((TOP / "params.yaml").read_text())
        tiny = {"dim": 32, "depth": 1, "heads": 2}
        params["methods"]["mae_faces"] |= {"steps": STEPS, "batch": 4, "lr": 0.001, "size": tiny, "decoder": tiny}
        params["pretrain"] |= {"log_every": 5, "checkpoint_every": 5}
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        return folder

    return make


def start(folder: Path) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1", "DVC_ROOT": str(folder)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "pipelines.pretrain", "mae_faces"], cwd=folder, env=environment
    )


@pytest.fixture(scope="module")
def whole(project):
    """A project in which the stage has run through."""
    folder = project("whole")
    assert start(folder).wait() == 0
    return folder


def test_kill_9_and_again_gives_the_losses_of_an_uninterrupted_run(project, whole):
    cut = project("cut")
    process = start(cut)
    while not list(cut.glob(".work/pretrain-*/state.pt")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (cut / "models/mae_faces/model.safetensors").exists()
    (state,) = cut.glob(".work/pretrain-*/state.pt")
    changed = state.stat().st_mtime_ns
    assert start(cut).wait() == 0

    def rows(folder):
        return [json.loads(line) for line in (folder / "models/mae_faces/history.jsonl").read_text().splitlines()]

    a, b = rows(whole), rows(cut)
    assert [r["step"] for r in a] == [r["step"] for r in b] and a[-1]["step"] == STEPS
    for left, right in zip(a, b, strict=True):
        assert right == pytest.approx(left, abs=1e-6)
    assert changed and not state.exists(), "the unfinished work is gone once the outputs are there"
    assert (cut / "models/mae_faces/reconstruction_uvgrid.npz").exists()

    def snapshots(folder):
        return {path.name: path.read_bytes() for path in (folder / "models/mae_faces/steps").iterdir()}

    assert sorted(snapshots(cut)) == [f"{step:06d}.safetensors" for step in range(0, STEPS + 1, 5)]
    assert snapshots(cut) == snapshots(whole)
    (run,) = runs_of(cut)
    assert run.info.status == "FINISHED", "it went on in the run that it had begun"
    assert snapshots(cut)[f"{STEPS:06d}.safetensors"] == (cut / "models/mae_faces/model.safetensors").read_bytes()


def test_what_it_cost_is_told_beside_metrics_that_do_not_depend_on_the_machine(whole):
    cost = json.loads((whole / "models/mae_faces/cost.json").read_text())
    assert all(value > 0 for value in cost.values())
    assert {"samples_per_s", "minutes", "peak_mb", "backbone_parameters", "parameters"} <= set(cost)
    metrics = json.loads((whole / "models/mae_faces/metrics.json").read_text())
    assert set(metrics) == {"heldout", "guided_by_labels", "r2_by_surface"}
    assert not set(metrics["heldout"]) & set(cost) and metrics["guided_by_labels"] is False


def runs_of(folder: Path) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (experiment,) = [each for each in client.search_experiments() if each.name == "brep_mae/pretrain"]
    return client.search_runs([experiment.experiment_id])


CLEAN = """
import mlflow, pandas, sys
mlflow.set_tracking_uri("sqlite:///mlflow.db")
experiment = mlflow.get_experiment_by_name("brep_mae/pretrain").experiment_id
(model,) = mlflow.search_logged_models([experiment], output_format="list")
loaded = mlflow.pyfunc.load_model(model.model_uri)
rows = [["data/parsed", "", uid] for uid in sys.argv[1:]]
print(loaded.predict(pandas.DataFrame(rows, columns=["shards", "frames", "uid"])).to_json(orient="values"))
"""


def test_the_logged_model_loads_in_a_clean_process_and_reproduces_its_embeddings(whole):
    uids = read_split(whole / "data/parsed/split.parquet")["test"][:3]
    command = [sys.executable, "-W", "ignore", "-c", CLEAN, *uids]
    done = subprocess.run(command, cwd=whole, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout.splitlines()[-1])
    assert [row[0] for row in rows] == uids
    expected = embed(load_backbone(whole / "models/mae_faces"), whole / "data/parsed", None, uids)
    np.testing.assert_allclose([row[1:] for row in rows], expected, atol=1e-6)


def test_the_run_holds_flat_numbers_each_loss_term_and_the_checkpoint_hash(whole):
    client = mlflow.MlflowClient(f"sqlite:///{whole / 'mlflow.db'}")
    (run,) = runs_of(whole)
    assert run.info.status == "FINISHED"
    assert run.data.params["method.mask_ratio"] == "0.5" and run.data.params["data.digest"] == "d"
    for term in ("point", "normal", "inside", "size", "surface"):
        assert f"heldout/uvgrid.{term}" in run.data.metrics
    rates = [point.value for point in client.get_metric_history(run.info.run_id, "train/lr.weights")]
    assert len(rates) == STEPS / 5 and max(rates) <= 0.001 and rates[-1] < rates[1]
    assert run.data.metrics["train/grad_norm.weights"] > 0
    told = run.data.tags["mlflow.note.content"]
    assert "Trained on 10 samples, 6 held out" in told and "In the end: held out " in told
    assert run.data.tags["ckpt_sha256"] == sha256(whole / "models/mae_faces/model.safetensors")
    assert "figures/reconstruction_uvgrid.png" in [f.path for f in client.list_artifacts(run.info.run_id, "figures")]


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def no_steps(folder: Path) -> str:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["methods"]["mae_faces"]["steps"] = 0
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return "steps"


def a_thesis(folder: Path) -> str:
    (folder / "models/mae_faces/thesis.tex").write_text("years of work")
    return "models/mae_faces: holds something else than this program wrote there: thesis.tex"


HELDOUT = {"step": 1, "split": "heldout", "loss": 0.5}


def late(folder: Path) -> str:
    return "the network is trained, and then"


@pytest.mark.parametrize("change", [no_steps, a_thesis, late])
def test_a_run_that_fails_leaves_the_model_of_the_run_before(whole, tmp_path, monkeypatch, change):
    folder = tmp_path / "project"
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts"))
    words = change(folder)
    before = content(folder / "models")

    def fails(*_: object) -> None:
        raise CheckpointError(words)

    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(pretraining, "train", lambda *_: [] if change is no_steps else [HELDOUT])
    monkeypatch.setattr(pretraining.Costs, "total", lambda *_: {})
    monkeypatch.setattr(method, "save_pretext", fails)
    with pytest.raises((SystemExit, CheckpointError, IndexError), match=words if change is not no_steps else None):
        run_stage(pretrain.main, "mae_faces")
    assert content(folder / "models") == before


@pytest.mark.parametrize("module, stage", [(pretrain, pretraining), (evolve, evolve)])
def test_what_was_begun_with_another_teacher_is_not_gone_on_with(whole, tmp_path, monkeypatch, module, stage):
    shutil.copytree(whole / "data", tmp_path / "data")
    params = yaml.safe_load((whole / "params.yaml").read_text())
    params["evolve"] |= {"solids": 5, "embedded": 5}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrain, "samples_for", lambda *_: ([], [], "d"))  # they need a teacher that can be opened
    keys = []

    def begun(module: str, out: Path, *inputs: object, work: Path | None = None) -> None:
        keys.append(json.dumps(inputs, default=str))
        raise CheckpointError("far enough")

    monkeypatch.setattr(stage, "unfinished", begun)
    teacher = Path(params["methods"]["joint"]["teachers"]["images"]["path"])
    teacher.mkdir(parents=True)
    for content in (b"1", b"1", b"2"):
        (teacher / "model.safetensors").write_bytes(content)
        with pytest.raises(CheckpointError, match="far enough"):
            module.main("joint")
    assert keys[0] == keys[1] != keys[2]


def test_a_full_disk_ends_a_stage_with_one_sentence(whole, tmp_path, monkeypatch):
    shutil.copytree(whole / "data", tmp_path / "data")
    shutil.copyfile(whole / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretraining, "train", lambda *_: pytest.fail("work began"))
    with files_of_at_most(1000), pytest.raises(SystemExit) as ended:
        run_stage(pretrain.main, "mae_faces")
    assert str(ended.value).startswith("Error: models/mae_faces: File too large; remedy: make room")

    def wrapped() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise ArithmeticError("no batch was written") from None

    with pytest.raises(SystemExit, match="no batch was written; remedy: make room"):
        run_stage(wrapped)
    with pytest.raises(ZeroDivisionError):  # a fault of the code keeps its traceback
        run_stage(lambda: 1 / 0)  # type: ignore[arg-type]
