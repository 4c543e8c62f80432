"""The stage that compares label rules: killed in the middle it ends with the same rows, and reads no test label but to
score."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml

from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.checks import SettingsError
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.labelling.labels import SolidLabels, write_labels
from brep_mae.datasets.splits import write_split
from brep_mae.fewshot.multilabel.comparison import COMPETITORS, Shown
from brep_mae.fewshot.multilabel.sides import LeakError
from pipelines import policy
from pipelines.shared.parsed_dataset import parsed_dataset
from tests.conftest import TOP
from tests.stored import N_FACES, store
from tests.synthetic import GRID

SOLIDS = 30
CLASSES = ("stock", "hole", "slot", "step")


def write(folder: Path, uids: list[str], seed: int = 0) -> None:
    """Labels: each solid shows stock, and of the other classes what chance says."""
    rng, labels = np.random.default_rng(seed), {}
    for i, uid in enumerate(uids):
        faces = np.zeros(N_FACES[i % len(N_FACES)], np.int16)
        faces[:3] = np.where(rng.random(3) < 0.5, [1, 2, 3], 0)
        labels[uid] = SolidLabels(faces)
    write_labels(folder, CLASSES, (), labels, {})


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with stored solids, an encoder and small numbers."""
    uids = store(tmp_path / "data", SOLIDS)
    write(tmp_path / "data/labels", uids)
    (tmp_path / "data/parsed/dataset.json").write_text(json.dumps({"parse": {"grid": GRID}, "digest": "d"}))
    split = {"train": uids[:20], "validation": uids[20:22], "test": uids[22:]}
    write_split(tmp_path / "data/parsed/split.parquet", split)
    params = yaml.safe_load((TOP / "params.yaml").read_text())
    small = {"solids": 16, "episodes": 3, "steps": 2, "batch": 8, "seeds": 2, "workers": 1}
    params["label_policy"] |= small | {"encoder": "attribute_masking"}
    values = params["methods"]["attribute_masking"] | {"dim": 16, "depth": 1}
    params["methods"]["attribute_masking"] = values
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    spec = DataSpec(GRID, 16)
    backbone = build("attribute_masking", values, spec).backbone()
    save_backbone(tmp_path / "models/attribute_masking", backbone, "attribute_masking", values, spec, "d")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "1")  # tracking has tests of its own
    policy.known.cache_clear()
    yield tmp_path
    policy.known.cache_clear()


def without_times(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_kill_9_and_again_gives_the_rows_of_an_uninterrupted_run(project):
    environment = os.environ | {"PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1", "DVC_ROOT": str(project)}
    for name in ("RANK", "MLFLOW_TRACKING_URI"):
        environment.pop(name, None)
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.policy"]
    running = subprocess.Popen(command, env=environment | {"RANK": "1"}, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(done := sorted(project.glob(".work/policy-*/*.json"))) < 3 and time.monotonic() < deadline:
        assert running.poll() is None
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert 3 <= len(done) and not (project / "results/policy/runs.jsonl").exists()
    kept = {path.stem: json.loads(path.read_text())[0] for path in done}

    subprocess.run(command, env=environment, check=True)

    rows = [json.loads(line) for line in (project / "results/policy/runs.jsonl").read_text().splitlines()]
    jobs = [(rule, seed) for seed in (0, 1) for rule in ("policy", *COMPETITORS)]
    assert [(row["rule"], row["seed"]) for row in rows] == jobs
    by_name = {f"{row['rule']}-{row['seed']}": row for row in rows}
    assert {name: by_name[name] for name in kept} == kept
    assert without_times(rows) == without_times([row for job in jobs for row in policy.row_of(*job)])
    metrics = json.loads((project / "results/policy/metrics.json").read_text())
    assert list(metrics) == ["policy", *COMPETITORS]
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    (experiment,) = [each for each in client.search_experiments() if each.name == "brep_mae/policy"]
    runs = client.search_runs([experiment.experiment_id])
    children = {run.info.run_name: run.data for run in runs if "mlflow.parentRunId" in run.data.tags}
    assert set(children) == {f"{rule}, seed {seed}" for rule, seed in jobs}
    logged = children["policy, seed 1"].metrics
    assert logged["macro_f1"] == rows[5]["macro_f1"] and logged["weights/slot"] == pytest.approx(rows[5]["weights"][1])
    above = [rows[0]["macro_f1"] - rows[1]["macro_f1"], rows[5]["macro_f1"] - rows[6]["macro_f1"]]
    assert metrics["fixed"]["policy_above"]["macro_f1"]["mean"] == pytest.approx(np.mean(above), abs=1e-4)


@pytest.mark.parametrize("rule", ["policy", "tuned_thresholds"])
def test_noise_in_place_of_test_labels_changes_scores_alone(project, rule):
    [before] = policy.row_of(rule, 0)
    data = parsed_dataset(labels=policy.LABELS)
    stored, rng, labels = data.solids(frozenset({"faces"}), "train", "test"), np.random.default_rng(5), {}
    for uid in stored.uids:
        faces = stored.faces(uid).label.numpy()
        noise = rng.integers(0, len(CLASSES), len(faces))
        labels[uid] = SolidLabels((noise if uid in data.split["test"] else faces).astype(np.int16))
    write_labels(project / "data/labels", CLASSES, (), labels, {})
    policy.known.cache_clear()
    [after] = policy.row_of(rule, 0)
    same = ("classes", "weights", "thresholds", "curve", "held_out_f1", "frequency")
    assert all(before[key] == after[key] for key in same) and before["f1"] != after["f1"]


def test_a_split_with_a_test_solid_on_the_training_side_is_refused(project):
    split = parsed_dataset().split
    mixed = {**split, "train": [*split["train"][:12], *split["test"][:4]]}
    write_split(project / "data/parsed/split.parquet", mixed)
    with pytest.raises(LeakError, match="a test solid is among the solids that"):
        policy.row_of("fixed", 0)


def test_stock_is_asked_of_nobody_and_every_rule_starts_from_the_same_weights(project):
    rows = [policy.row_of(rule, 0)[0] for rule in ("policy", "fixed", "focal")]
    assert all(row["classes"] == ["hole", "slot", "step"] for row in rows)
    assert all(row["frequency"] == rows[0]["frequency"] for row in rows)
    assert rows[1]["weights"] == [1.0] * 3 and rows[1]["thresholds"] == [0.5] * 3
    assert rows[0]["weights"] != rows[1]["weights"] and np.mean(rows[0]["weights"]) == pytest.approx(1)


def test_an_encoder_that_trains_as_well_leaves_the_stored_one_alone(project):
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["label_policy"] |= {"mode": "finetuned", "encoder_lr": 0.01}
    frozen = policy.row_of("fixed", 0)[0]
    _, backbone, _ = policy.known()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    tuned = policy.row_of("fixed", 0)[0]
    assert tuned["average_precision"] != frozen["average_precision"]
    assert all(bool((before[name] == value).all()) for name, value in backbone.state_dict().items())


def test_solids_without_a_label_are_left_out_and_too_few_are_refused(project):
    data = parsed_dataset(labels=policy.LABELS)
    [*train] = data.split["train"]
    write(project / "data/labels", train[:1])
    solids = data.solids(frozenset({"faces"}), "train", "test")
    assert Shown(solids, train, data.split["test"], 4).train == train[:1]
    policy.known.cache_clear()
    with pytest.raises(SettingsError, match="1 labelled solids and 0 to score: label more"):
        policy.row_of("fixed", 0)


def test_without_face_classes_the_results_are_empty_and_a_line_says_so(project, capsys):
    write_labels(project / "data/labels", (), (), {}, {})
    policy.main()
    assert "policy: this data set has no face classes" in capsys.readouterr().out
    assert (project / "results/policy/runs.jsonl").read_text() == ""
    assert json.loads((project / "results/policy/metrics.json").read_text()) == {}
