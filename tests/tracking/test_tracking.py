"""Runs end up in the store: complete, nested, comparable, also after a crash, also without MLflow."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from brep_mae.tracking import tracking

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")

STAGE_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME", "RANK")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database; making one takes seconds, so tests copy it."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def home(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in STAGE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return tmp_path


def client(home: Path) -> Any:
    return mlflow.MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


def runs(home: Path) -> dict[str, Any]:
    found = client(home).search_runs([each.experiment_id for each in client(home).search_experiments()])
    return {run.info.run_name: run for run in found}


def python(code: str, home: Path) -> subprocess.Popen[str]:
    env = {key: value for key, value in os.environ.items() if key not in STAGE_VARIABLES}
    env["PYTHONPATH"] = str(Path(__file__).parents[2])
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], cwd=home, env=env, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out, err


def checkpoint(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text('{"dim": 4}')
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_processes_that_start_on_a_fresh_store_at_once_all_succeed(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from brep_mae.tracking import tracking
        with tracking.run("pretrain", "p{0}", {{"seed": {0}}}) as tracker:
            tracker.log_metrics({{"loss": 0.5}}, step=1)
    """
    started = [python(code.format(number), tmp_path) for number in range(3)]
    printed = [finish(process) for process in started]
    found = runs(tmp_path)
    assert set(found) == {"p0", "p1", "p2"}
    assert all(run.info.status == "FINISHED" and run.data.metrics == {"loss": 0.5} for run in found.values())
    assert printed == [("", "")] * 3  # no migration log, no "View run" line


def test_params_are_flat_and_numeric_and_say_what_the_run_ran_on(home: Path) -> None:
    params = {"mask": {"ratio": 0.6}, "seed": np.int64(3), "shots": [1, 5], "method": "mae"}
    with tracking.run("pretrain", "flat", params):
        stored = runs(home)["flat"].data.params  # settings are there while the run goes on
    assert (stored["mask.ratio"], stored["seed"], stored["shots"], stored["method"]) == ("0.6", "3", "[1, 5]", "mae")
    assert float(stored["env.cpus"]) >= 1
    assert {"env.python", "env.torch", "env.platform"} <= set(stored)


def test_a_crash_marks_the_run_and_its_open_child_failed_and_goes_on(home: Path) -> None:
    with pytest.raises(ZeroDivisionError), tracking.run("pretrain", "top", {}) as tracker:
        with tracker.child("done") as child:
            child.log_metrics({"loss": 1.0})
        with tracker.child("broken") as child:
            child.log_metrics({"loss": 2.0}, step=7)
            _ = 1 / 0
    found = runs(home)
    assert {name: run.info.status for name, run in found.items()} == {
        "top": "FAILED",
        "done": "FINISHED",
        "broken": "FAILED",
    }
    assert found["broken"].data.metrics == {"loss": 2.0}  # what was gathered before the crash is kept


def test_children_are_nested_and_share_the_pipeline(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "fewshot@mae")
    monkeypatch.setenv("DVC_EXP_NAME", "brave-fox")
    with tracking.run("fewshot", "study", {}, {"method": "mae"}) as tracker:
        for seed in range(3):
            with tracker.child(f"seed{seed}", {"shots": "5"}) as child:
                child.log_params({"seed": seed})
                child.log_metrics({"accuracy": 0.1 * seed})
                child.set_tags({"note": "late"})
    found = runs(home)
    top = found.pop("study")
    assert (top.data.tags["dvc.stage"], top.data.tags["dvc.exp"], top.data.tags["method"]) == (
        "fewshot@mae",
        "brave-fox",
        "mae",
    )
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {top.info.run_id}
    assert {run.data.tags["pipeline_id"] for run in found.values()} == {"brave-fox"}
    assert found["seed2"].data.params["seed"] == "2"
    assert found["seed2"].data.tags["note"] == "late"


def test_a_metric_that_is_not_finite_is_left_out_with_one_warning(home: Path, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING), tracking.run("pretrain", "nan", {}) as tracker:
        for step in range(3):
            tracker.log_metrics({"good": step, "bad": float("nan")}, step=step)
    assert [point.value for point in client(home).get_metric_history(runs(home)["nan"].info.run_id, "good")] == [
        0,
        1,
        2,
    ]
    assert runs(home)["nan"].data.metrics == {"good": 2.0}
    assert sum("bad" in record.getMessage() for record in caplog.records) == 1


def test_more_metrics_than_one_batch_holds_all_arrive(home: Path) -> None:
    with tracking.run("pretrain", "long", {f"p{i}": i for i in range(230)}) as tracker:
        tracker.log_metrics({f"m{i}": i for i in range(1100)})
    assert len(runs(home)["long"].data.metrics) == 1100
    assert len([key for key in runs(home)["long"].data.params if key.startswith("p")]) == 230


def test_figures_and_files_lie_below_the_artifact_folder(home: Path) -> None:
    (home / "table.md").write_text("| a |")
    with tracking.run("report", "files", {}) as tracker:
        tracker.log_figure(Figure(), "figures/empty.png")
        tracker.log_file(home / "table.md", "tables")
    folder = home / "mlartifacts" / runs(home)["files"].info.run_id / "artifacts"
    assert (folder / "figures/empty.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "tables/table.md").read_text() == "| a |"


def test_only_the_first_rank_of_a_distributed_run_logs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with tracking.run("pretrain", "rank1", {}) as tracker:
        tracker.log_metrics({"loss": 1.0})
    assert client(home).get_experiment_by_name("brep_mae/pretrain") is None


def test_a_logged_model_embeds_solids_in_a_clean_process(home: Path) -> None:
    with tracking.run("pretrain", "model", {}) as tracker:
        tracker.log_model(checkpoint(home / "mae"), "mae", {"probe": 0.75})
        assert runs(home)["model"].info.status == "RUNNING"
    assert "MLFLOW_TRACKING_URI" not in os.environ
    experiment = client(home).get_experiment_by_name("brep_mae/pretrain").experiment_id
    (model,) = client(home).search_logged_models([experiment])
    assert {metric.key: metric.value for metric in model.metrics} == {"probe": 0.75}
    # the checkpoint and embedding code have tests of their own; here stands what they are called with
    code = f"""if True:
        import json, sys, types
        from pathlib import Path
        import numpy as np
        checkpoint, embed = types.ModuleType("checkpoint"), types.ModuleType("embed")
        checkpoint.load_backbone = lambda folder: json.loads((folder / "config.json").read_text())
        embed.embed = lambda backbone, shards, frames, uids: np.array(
            [[backbone["dim"], len(shards.name), int(uid), frames is not None] for uid in uids], dtype=float)
        sys.modules["brep_mae.checkpoints.backbones"] = checkpoint
        sys.modules["brep_mae.models.embed"] = embed
        import mlflow, pandas
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
        model = mlflow.pyfunc.load_model("models:/{model.model_id}")
        rows = [["data/a", "", "1"], ["data/bb", "renders", "2"], ["data/a", "", "3"]]
        print(model.predict(pandas.DataFrame(rows, columns=["shards", "frames", "uid"])).to_json(orient="values"))
    """
    out, _ = finish(python(code, home))
    assert json.loads(out) == [["1", 4, 1, 1, 0], ["2", 4, 2, 2, 1], ["3", 4, 1, 3, 0]]


def test_without_mlflow_the_same_calls_write_json_lines(tmp_path: Path) -> None:
    checkpoint(tmp_path / "mae")
    code = """if True:
        import sys
        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] == "mlflow":
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Blocker())
        from pathlib import Path
        from matplotlib.figure import Figure
        from brep_mae.tracking import tracking
        with tracking.run("pretrain", "mae", {"mask": {"ratio": 0.6}}) as tracker:
            tracker.log_metrics({"loss": 0.5, "bad": float("nan")}, step=3)
            tracker.log_figure(Figure(), "figures/empty.png")
            tracker.log_model(Path("mae"), "mae", {"probe": 0.75})
            with tracker.child("seed0") as child:
                child.log_metrics({"accuracy": 0.25})
            raise SystemExit(0)
    """
    _, err = finish(python(code, tmp_path))
    assert "mlflow is not installed" in err
    (folder,) = (tmp_path / "runs").iterdir()
    events = [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]
    by_kind = {event["event"]: event for event in events}
    assert by_kind["params"]["params"]["mask.ratio"] == 0.6
    assert (by_kind["metrics"]["step"], by_kind["metrics"]["metrics"]) == (3, {"loss": 0.5})
    assert by_kind["end"]["status"] == "FAILED"
    assert (folder / "figures/empty.png").exists()
    assert (folder / "models/mae/model.safetensors").read_bytes() == b"weights"
    assert '"accuracy": 0.25' in (folder / "children/seed0/run.jsonl").read_text()
