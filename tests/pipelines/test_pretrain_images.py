"""Image methods pretrain on natural images instead of frames, and the encoder goes on to renders."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from brep_mae.checkpoints.backbones import load_backbone
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.splits import write_split
from brep_mae.models.embed import embed
from brep_mae.settings import load
from tests.conftest import TOP
from tests.datasets.test_images import two_classes, write
from tests.stored import store
from tests.synthetic import GRID

NETWORK = {"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1], "bottleneck": False, "stride": 8}


@pytest.mark.parametrize("method", ["mae_images", "mixmask"])
def test_image_methods_take_a_path_of_natural_images(method):
    pretext = build(method, load(TOP / "params.yaml").methods[method] | {"images": "natural"}, DataSpec(GRID, 16))
    assert pretext.params.model_dump()["images"] == "natural"


def test_natural_images_train_an_encoder_that_answers_for_solids(tmp_path):
    method = "mixmask"
    uids = store(tmp_path / "data")
    facts = {"parse": {"grid": GRID}, "digest": "d"}
    (tmp_path / "data/parsed/dataset.json").write_text(json.dumps(facts))
    split = {"train": uids[:10], "validation": uids[10:], "test": uids[10:]}
    write_split(tmp_path / "data/parsed/split.parquet", split)
    write(tmp_path / "natural", two_classes(30) | {"cat/bad.png": b"no"})
    params = yaml.safe_load((TOP / "params.yaml").read_text())
    params["methods"][method] |= {"steps": 4, "batch": 4, "images": "natural", "network": NETWORK}
    params["pretrain"] |= {"log_every": 2, "checkpoint_every": 2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    environment = os.environ | {"PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1", "DVC_ROOT": str(tmp_path)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.pretrain", method]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "left out: 1 unreadable" in done.stdout
    config = json.loads((tmp_path / "models" / method / "config.json").read_text())
    assert config["data"] != "d"  # not the solids' digest
    backbone = load_backbone(tmp_path / "models" / method)
    rows = embed(backbone, tmp_path / "data/parsed", tmp_path / "data/frames", uids[:3])
    assert rows.shape == (3, backbone.dim)
