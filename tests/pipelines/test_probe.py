"""The stage that probes snapshots: a curve per method, task and probe, and nothing where nothing is labelled."""

import json
import os
import subprocess
import sys

import pytest
import torch
import yaml

from brep_mae.checkpoints.backbones import STEPS, save_backbone, save_snapshot
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.splits import write_split
from pipelines import fewshot, probe
from tests.conftest import TOP
from tests.stored import label, store
from tests.synthetic import GRID


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with stored solids, and two methods of two snapshots each."""
    uids = store(tmp_path / "data")
    facts = {"parse": {"grid": GRID}, "digest": "d"}
    (tmp_path / "data/parsed/dataset.json").write_text(json.dumps(facts))
    split = {"train": uids[:10], "validation": uids[10:13], "test": uids[13:]}
    write_split(tmp_path / "data/parsed/split.parquet", split)
    params = yaml.safe_load((TOP / "params.yaml").read_text())
    params["probe"] |= {"workers": 1, "neighbours": 3}
    tiny = {"dim": 32, "depth": 1, "heads": 2}
    for method, extra in (("mae_faces", {}), ("mae_images", {"patch": 4})):
        values = params["methods"][method] | {"size": tiny, "decoder": tiny} | extra
        params["methods"][method] = values
        for step in (0, 100):
            torch.manual_seed(step)
            backbone = build(method, values, DataSpec(GRID, 16)).backbone()
            save_snapshot(tmp_path / "models" / method / STEPS, step, backbone)
        save_backbone(tmp_path / "models" / method, backbone, method, values, DataSpec(GRID, 16), "d")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "1")  # tracking has tests of its own
    return tmp_path


def test_a_curve_for_every_method_task_and_probe(project):
    environment = os.environ | {"PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-W", "ignore", "-m", "pipelines.probe"], env=environment, check=True)
    rows = [json.loads(line) for line in (project / "results/probe/curves.jsonl").read_text().splitlines()]
    assert [(r["method"], r["step"], r["task"], r["probe"]) for r in rows] == [
        (method, step, task, kind)
        for method in ("mae_faces", "mae_images")
        for step in (0, 100)
        for task in ("segmentation", "classification")
        for kind in ("linear", "knn")
    ]
    assert all(0 <= r["score"] <= 1 for r in rows)
    metrics = json.loads((project / "results/probe/metrics.json").read_text())
    first, last = (rows[i]["score"] for i in (0, 4))
    assert metrics["mae_faces"]["segmentation"]["linear"] == {"scratch": round(first, 4), "last": round(last, 4)}
    assert not list((project / ".work").glob("probe-*")), "the unfinished work is gone once the outputs are there"


def test_no_label_of_a_test_solid_and_no_test_solid_is_read(project, monkeypatch):
    asked = []
    batch = probe.parsed_dataset().solids(frozenset({"faces"})).__class__.batch
    monkeypatch.setattr("brep_mae.datasets.loader.Solids.batch", lambda self, u: (asked.extend(u), batch(self, u))[1])
    assert len(probe.one("mae_faces")) == 8
    split = probe.parsed_dataset().split
    assert set(asked) == {*split["train"], *split["validation"]}


@pytest.mark.parametrize(("stage", "rows"), [(probe, "probe/curves.jsonl"), (fewshot, "fewshot/runs.jsonl")])
def test_without_labels_nothing_is_run_the_results_are_empty_and_a_line_says_so(project, capsys, stage, rows):
    label(project / "data/labels", [], (), ())
    stage.main()
    told = capsys.readouterr()
    assert "this data set has no labels" in told.out and " 0/0" in told.out + told.err
    file = project / "results" / rows
    assert file.read_text() == "" and json.loads((file.parent / "metrics.json").read_text()) == {}
