"""Models of MLflow's registry are taken wherever a folder is, and nothing that is registered runs code."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import brep_mae
from brep_mae import schema
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.tracking import tracking
from brep_mae.tracking.registry import model_folder, registered
from tests.brep.solids import box, write_step
from tests.cli.small_tasks import ok, run, small_encoder

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which a run's encoder is registered twice, and a folder as it is once."""
    root = tmp_path_factory.mktemp("stored")
    encoder = small_encoder(root / "encoder", grid=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
        with tracking.run("pretrain", "small", {}) as tracker:
            tracker.log_model(encoder, "small", {})
        client = mlflow.MlflowClient(tracking.tracking_uri())
        (logged,) = client.search_logged_models([client.get_experiment_by_name("brep_mae/pretrain").experiment_id])
        client.create_registered_model("small")
        for _ in range(2):
            client.create_model_version("small", f"models:/{logged.model_id}", description="boxes\nand more")
        client.set_registered_model_alias("small", "best", "2")
        client.create_registered_model("copied")
        client.create_model_version("copied", str(encoder))
    return root


@pytest.fixture
def store(stored: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{stored / 'mlflow.db'}")
    return stored


def test_what_is_registered_is_listed_under_the_names_that_load_it(store: Path) -> None:
    assert [(one.name, one.aliases) for one in registered()] == [
        ("models:/copied/1", ()),
        ("models:/small/1", ()),
        ("models:/small/2", ("models:/small@best",)),
    ]
    assert "models:/small/2  models:/small@best; boxes\n" in ok("models")
    assert json.loads(ok("models", "--json"))["registry"][2]["aliases"] == ["models:/small@best"]


def test_every_name_gives_the_folder_that_was_registered_and_loads_it(store: Path, monkeypatch) -> None:
    monkeypatch.setattr(mlflow.pyfunc, "load_model", lambda *_, **__: pytest.fail("stored code ran"))
    for name in ("models:/copied/1", "models:/small/1", "models:/small@best"):
        folder = model_folder(name)
        for file in ("config.json", "model.safetensors"):
            assert (folder / file).read_bytes() == (store / "encoder" / file).read_bytes()
        loaded: Any = brep_mae.load(name)
        ours: Any = brep_mae.load(store / "encoder")
        assert all(
            torch.equal(a, b) for a, b in zip(loaded.extractor.parameters(), ours.extractor.parameters(), strict=True)
        )


def test_commands_take_registered_models(store: Path, tmp_path: Path) -> None:
    lines = ["file,class"]
    for i in range(6):
        write_step(tmp_path / "parts" / f"{i}.step", box(1, 2, 3 + i % 2 * 9)) if i else (tmp_path / "parts").mkdir()
        lines += [f"{i}.step,{'long' if i % 2 else 'short'}"] if i else []
    (tmp_path / "parts" / "labels.csv").write_text("\n".join(lines) + "\n")
    parts = tmp_path / "parts"
    ok("embed", parts, "--out", tmp_path / "a.parquet", "--encoder", "models:/small@best", "--workers", 1)
    ok("embed", parts, "--out", tmp_path / "b.parquet", "--encoder", store / "encoder", "--workers", 1)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    ok("fit", parts, "--out", tmp_path / "model", "--encoder", "models:/small@best", "--workers", 1)
    client = mlflow.MlflowClient(tracking.tracking_uri())
    client.create_registered_model("fitted")
    client.create_model_version("fitted", str(tmp_path / "model"))
    said = ok("predict", parts, "--model", "models:/fitted/1", "--workers", 1)
    assert said == ok("predict", parts, "--model", tmp_path / "model", "--workers", 1)
    client.delete_registered_model("fitted")


@pytest.mark.parametrize(
    "name, reason",
    [
        ("models:/nobody/1", "Registered Model with name=nobody not found"),
        ("models:/small/7", "version=7"),
        ("models:/small@worst", "alias worst not found"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_the_remedy(store: Path, tmp_path: Path, name: str, reason: str) -> None:
    write_step(tmp_path / "a.step", box(1, 2, 3))
    done = run("predict", tmp_path / "a.step", "--model", name)
    assert done.exit_code == 1 and reason in done.output and "MLFLOW_TRACKING_URI names another" in done.output
    with pytest.raises(CheckpointError, match=reason):
        brep_mae.load(name)


def test_what_is_no_model_of_ours_is_refused_and_one_of_another_schema_too(store: Path, tmp_path: Path) -> None:
    client = mlflow.MlflowClient(tracking.tracking_uri())
    (tmp_path / "pickled").mkdir()
    np.save(tmp_path / "pickled" / "model.npy", np.array([{}], object), allow_pickle=True)
    old = shutil.copytree(store / "encoder", tmp_path / "old")
    (old / "config.json").write_text(json.dumps(json.loads((old / "config.json").read_text()) | {"schema": 1}))
    for name, reason in (("pickled", "holds 0 models"), ("old", f"data schema 1, this is {schema.VERSION}")):
        client.create_registered_model(name)
        client.create_model_version(name, str(tmp_path / name))
        with pytest.raises(CheckpointError, match=reason):
            brep_mae.load(f"models:/{name}/1")
        client.delete_registered_model(name)


def test_without_a_store_nothing_is_listed_and_none_is_made(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert registered() == [] and not list(tmp_path.iterdir())


def test_without_mlflow_the_remedy_is_told(monkeypatch) -> None:
    monkeypatch.setattr(tracking, "open_mlflow", lambda: None)
    with pytest.raises(CheckpointError, match=r"models:/small/1: the registry needs MLflow; .* pip install mlflow"):
        model_folder("models:/small/1")
