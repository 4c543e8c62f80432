"""The stage that looks for weights: killed in the middle it comes to the same end, no label moves it, and what it found
is what the next stage trains with (ELo's acceptance checks 4 and 5, arXiv:2002.12177)."""

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

from brep_mae import settings
from brep_mae.checks import SettingsError
from brep_mae.datasets.labelling.labels import FOLDER
from brep_mae.datasets.splits import write_split
from brep_mae.output.files import write_whole
from brep_mae.output.note import sha256
from pipelines import evolve, evolved
from pipelines.shared.parsed_dataset import parsed_dataset
from tests.conftest import TOP
from tests.contracts.test_methods import SPEC, block
from tests.stored import N_FACES, label, store
from tests.synthetic import GRID, make_graph

TARGETS = {"uvgrid": ("point", "normal"), "pixels": ("pixels",)}
POPULATION = 2
STAGE = f"""
from brep_mae.training import evolve as search
from pipelines import evolve
from tests.pipelines.test_evolve import one_by_one
search.population = lambda n: {POPULATION}
if ONE_BY_ONE:
    evolve.run_jobs = one_by_one
evolve.main("joint")
"""


def one_by_one(function, jobs, work: Path, *_) -> dict:
    """Keeps what run_jobs keeps, in one process, which a kill ends as a whole."""
    for name, arguments in jobs.items():
        if not (work / f"{name}.json").exists():
            write_whole(work / f"{name}.json", json.dumps(function(*arguments)))
    return {name: json.loads((work / f"{name}.json").read_text()) for name in jobs}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with stored solids and a params.yaml of tiny networks."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        uids = store(folder / "data")
        (folder / "data/parsed/dataset.json").write_text(json.dumps({"parse": {"grid": GRID}, "digest": "d"}))
        write_split(folder / "data/parsed/split.parquet", {"train": uids[:12], "validation": uids[12:], "test": []})
        params = yaml.safe_load((TOP / "params.yaml").read_text())
        tiny = {"dim": 16, "depth": 1, "heads": 2}
        small = {"steps": 4, "batch": 4, "size": tiny, "decoder": tiny, "patch": 8}
        params["methods"]["joint"] = block("joint") | small
        params["evolve"] |= {"generations": 2, "solids": 6, "embedded": 6, "steps": 2, "batch": 3, "clusters": 5}
        params["evolve"] |= {"restarts": 3, "workers": 1}
        params["pretrain"] |= {"log_every": 2, "checkpoint_every": 2}
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        return folder

    return make


def environment(folder: Path) -> dict[str, str]:
    found = os.environ | {"PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1", "DVC_ROOT": str(folder)}
    found.pop("MLFLOW_TRACKING_URI", None)
    return found


def start(folder: Path, one_by_one: bool) -> subprocess.Popen:
    script = f"ONE_BY_ONE = {one_by_one}\n{STAGE}"
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", script], cwd=folder, env=environment(folder))


@pytest.fixture(scope="module")
def whole(project):
    """A project in which the search has run through."""
    folder = project("whole")
    assert start(folder, one_by_one=False).wait() == 0
    return folder


def found(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "results/evolve/joint").iterdir() if path.is_file()}


def test_kill_9_and_again_gives_the_candidates_and_the_weights_of_an_uninterrupted_search(project, whole):
    cut = project("cut")
    process = start(cut, one_by_one=True)
    while not list(cut.glob(".work/evolve-*/01-00.json")):  # the second generation has begun
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (work,) = cut.glob(".work/evolve-*")
    kept = {path.name for path in work.glob("*.json")}
    assert not (cut / "results/evolve/joint").exists() and {"00-00.json", "00-01.json", "equal.json"} <= kept
    assert start(cut, one_by_one=True).wait() == 0
    assert not work.exists() and found(cut) == found(whole)


def test_every_candidate_is_a_child_run_and_the_best_of_them_is_kept(whole):
    rows = [json.loads(line) for line in found(whole)["candidates.jsonl"].splitlines()]
    names = [f"{generation:02d}-{number:02d}" for generation in range(2) for number in range(POPULATION)]
    assert sorted(row["candidate"] for row in rows) == [*names, "equal"]
    for row in rows:
        weights = list(row["weights"].values())
        assert weights == [1.0] * 8 if row["candidate"] == "equal" else 0 <= min(weights) < max(weights) <= 1
        assert {"soft", "hard", "sd", "loss"} <= set(row)
    best = min((row for row in rows if row["candidate"] != "equal"), key=lambda row: row["soft"])
    kept = json.loads(found(whole)["best.json"])
    assert kept["targets"] == best["weights"]
    assert kept["weights"]["contrast.match"] == best["weights"]["contrast"]
    assert json.loads(found(whole)["metrics.json"])["best"] == best["soft"]
    client = mlflow.MlflowClient(f"sqlite:///{whole / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "brep_mae/evolve"]
    runs = client.search_runs([experiment.experiment_id])
    children = {run.info.run_name: run for run in runs if "mlflow.parentRunId" in run.data.tags}
    assert set(children) == {*names, "equal"}
    for row in rows:
        data = children[row["candidate"]].data
        assert data.metrics["soft"] == pytest.approx(row["soft"])
        assert float(data.params["weights.contrast"]) == pytest.approx(row["weights"]["contrast"])


@pytest.fixture
def there(whole, tmp_path, monkeypatch):
    """A copy of the project, in which this process works and tracks nothing."""
    folder = tmp_path / "project"
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RANK", "1")
    return folder


def test_check_4_permuted_or_missing_labels_leave_a_candidate_bit_for_bit(there):
    """Labels lie where the stages look for them: beside the shards, where solids are read with their labels, and in the
    label stage's folder."""
    weights, beside = {"uvgrid.point": 0.3, "contrast.match": 0.7}, there / "data/parsed" / FOLDER
    graphs = [make_graph(N_FACES[i % len(N_FACES)], seed=i) for i in range(16)]
    label(beside, graphs)
    before, rng = evolve.one("joint", weights), np.random.default_rng(0)
    for graph in graphs:
        graph.face_label[:] = rng.permutation(graph.face_label)
    for folder in (beside, there / "data/labels"):
        shutil.rmtree(folder)
        label(folder, graphs[::-1])
    assert evolve.one("joint", weights) == before
    for folder in (beside, there / "data/labels"):
        shutil.rmtree(folder)
    assert evolve.one("joint", weights) == before
    assert evolve.one("joint", {"uvgrid.point": 0.7, "contrast.match": 0.3}) != before, "control: weights do move it"


def test_check_5_the_weights_that_were_found_are_trained_with_and_their_files_hash_is_in_the_run(whole, monkeypatch):
    monkeypatch.chdir(whole)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{whole / 'mlflow.db'}")
    evolved.main("joint")
    best = whole / "results/evolve/joint/best.json"
    config = json.loads((whole / "models/joint/config.json").read_text())
    assert config["params"]["weights"] == json.loads(best.read_text())["weights"]
    client = mlflow.MlflowClient(f"sqlite:///{whole / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "brep_mae/pretrain"]
    (run,) = [run for run in client.search_runs([experiment.experiment_id]) if run.info.run_name == "joint"]
    assert run.data.params["evolved.sha256"] == sha256(best)
    for term, weight in config["params"]["weights"].items():
        assert float(run.data.params[f"method.weights.{term}"]) == pytest.approx(weight)


def test_the_weight_of_a_target_is_shared_by_its_terms():
    assert evolve.of_terms([0.4, 0.9], TARGETS) == {"uvgrid.point": 0.2, "uvgrid.normal": 0.2, "pixels.pixels": 0.9}


def test_solids_that_are_embedded_are_none_of_those_that_were_trained_on(there):
    data, p = parsed_dataset(), settings.load().evolve
    learned, embedded = evolve.sides(data, p)
    assert len(learned) == len(embedded) == 6 and not set(learned) & set(embedded)
    assert set(learned) | set(embedded) <= set(data.split["train"])
    with pytest.raises(SettingsError, match=r"evolve.solids 12 leaves none of 12 to embed; take fewer"):
        evolve.sides(data, p.model_copy(update={"solids": 12}))


def test_a_method_without_targets_is_refused():
    with pytest.raises(SettingsError, match="mixmask has no targets to weigh"):
        evolve.targets("mixmask", block("mixmask"), SPEC)


def test_the_missing_weights_of_a_search_that_never_ran_are_named(there):
    shutil.rmtree(there / "results")
    with pytest.raises(SettingsError, match=r"results/evolve/joint/best.json: .*dvc repro evolve"):
        evolved.main("joint")
