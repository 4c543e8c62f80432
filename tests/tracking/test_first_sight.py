"""Where a person finds runs: an experiment for each kind, one run for work that was cut off, and a comparison."""

import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from brep_mae.cli import main
from brep_mae.tracking import tracking
from brep_mae.tracking.experiments import DESCRIPTION, KINDS
from tests.tracking.test_tracking import client, empty_store, home, mlflow, runs

__all__ = ["empty_store", "home"]


def test_every_kind_of_stage_has_an_experiment_that_says_what_its_runs_are(home: Path) -> None:
    for kind in ("pretrain", "fewshot", "my study"):
        with tracking.run(kind, kind, {}, description=f"about {kind}"):
            pass
    experiments = {each.name: each for each in client(home).search_experiments()}
    for kind in ("pretrain", "fewshot", "my study"):
        experiment = experiments[f"brep_mae/{kind}"]
        (run,) = client(home).search_runs([experiment.experiment_id])
        assert run.data.tags[DESCRIPTION] == f"about {kind}"
        assert experiment.tags.get(DESCRIPTION) == KINDS.get(kind)


def begin(home: Path, settings: dict, loss: float) -> None:
    with tracking.run("pretrain", "mae", settings, id_file=home / "run") as tracker:
        tracker.log_metrics({"loss": loss}, step=int(1 / loss))
        with tracker.child("seed 0") as child:
            child.log_metrics({"accuracy": loss})
        if loss == 1.0:
            raise KeyboardInterrupt


def test_work_that_was_cut_off_goes_on_in_its_own_run_and_in_its_children(home: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        begin(home, {"lr": 0.1, "machine": "one"}, 1.0)
    begin(home, {"lr": 0.1, "machine": "another"}, 0.5)
    assert len(client(home).search_runs([client(home).get_experiment_by_name("brep_mae/pretrain").experiment_id])) == 2
    run, child = runs(home)["mae"], runs(home)["seed 0"]
    assert run.info.status == child.info.status == "FINISHED"
    assert run.data.params["machine"] == "one", "what was logged stays: MLflow lets no setting change"
    history = client(home).get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5)]
    assert child.data.metrics == {"accuracy": 0.5}


def test_a_run_that_somebody_deleted_is_begun_anew(home: Path) -> None:
    begin(home, {}, 0.5)
    client(home).delete_run(runs(home)["mae"].info.run_id)
    begin(home, {}, 0.25)
    assert runs(home)["mae"].data.metrics == {"loss": 0.25}


def test_without_mlflow_too_it_goes_on_in_its_own_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "open_mlflow", lambda: None)
    with pytest.raises(KeyboardInterrupt):
        begin(home, {}, 1.0)
    begin(home, {}, 0.5)
    (folder,) = (home / "runs").iterdir()
    for file in (folder / "run.jsonl", *folder.glob("children/*/run.jsonl")):
        events = [json.loads(line) for line in file.read_text().splitlines()]
        assert [each["step"] for each in events if each["event"] == "metrics"] in ([1, 2], [0, 0])
    assert len(list((folder / "children").iterdir())) == 1


def links(port: int = 5000) -> dict[str, str]:
    done = CliRunner().invoke(main, ["ui", "--links", "--port", str(port)])
    assert done.exit_code == 0, done.output
    return dict(line.split(": ", 1) for line in done.stderr.splitlines())


def test_the_recommended_comparison_is_of_the_latest_finished_pretraining_of_every_name(home: Path) -> None:
    def pretrain(name: str, kind: str = "pretrain") -> str:
        with tracking.run(kind, name, {}) as tracker, tracker.child(f"seed of {name}"):
            pass
        assert isinstance(tracker, tracking.MlflowTracker)
        return tracker.run_id

    assert set(links()) == {"runs"}
    old, faces = pretrain("hybrid"), pretrain("mae_faces")
    assert set(links()) == {"runs", "compare pretrainings"}
    hybrid = pretrain("hybrid")
    pretrain("another", "fewshot")
    with pytest.raises(ZeroDivisionError), tracking.run("pretrain", "broken", {}):
        _ = 1 / 0
    experiment = client(home).get_experiment_by_name("brep_mae/pretrain").experiment_id
    address = unquote(links(5123)["compare pretrainings"])
    assert (
        address == (f'http://127.0.0.1:5123/#/compare-runs?runs=["{hybrid}","{faces}"]&experiments=["{experiment}"]')
        and old not in address
    )


assert mlflow
