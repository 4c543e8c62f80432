"""`brep-mae models` lists what can be used, and says of the rest why it cannot."""

import json
import shutil
from pathlib import Path

import pytest

from brep_mae import schema
from brep_mae.checkpoints import listed
from brep_mae.output.note import sha256
from tests.cli.small_tasks import ok, run


@pytest.fixture
def shipped(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with one model in it."""
    model = shutil.copytree(encoder, tmp_path / "shipped" / "small")
    card = {
        "schema": schema.VERSION,
        "licence": "Apache-2.0",
        "sha256": sha256(model / "model.safetensors"),
        "trained_on": "boxes",
    }
    (model / "card.json").write_text(json.dumps(card))
    monkeypatch.setattr(listed, "SHIPPED", tmp_path / "shipped")
    return model


def problems(*arguments: object) -> dict[str, str]:
    found = json.loads(ok("models", *arguments, "--json"))
    return {one["name"]: one.get("problem", "") for each in found.values() for one in each}


def test_a_shipped_model_is_listed_with_its_card(shipped: Path) -> None:
    assert "small  encoder, attribute_masking; trained on boxes" in ok("models")
    (one,) = json.loads(ok("models", "--json"))["shipped"]
    assert one["card"]["licence"] == "Apache-2.0" and Path(one["folder"]) == shipped


def test_weights_that_are_not_those_of_the_card_are_told(shipped: Path) -> None:
    weights = shipped / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert "is not what card.json says" in problems()["small"]


def test_a_fitted_model_is_listed_with_its_card_and_is_no_encoder_where_it_reads_none(
    shipped: Path, parts: Path, tmp_path: Path
) -> None:
    made = tmp_path / "shipped" / "fitted"
    ok("fit", parts, "--of", "solid", "--encoder", "none", "--out", made, "--workers", 1)
    card = {"sha256": sha256(made / "classifier.safetensors"), "trained_on": "boxes", "licence": "Apache-2.0"}
    (made / "card.json").write_text(json.dumps(card))
    assert "fitted  says of each solid: block, shaft; trained on boxes" in ok("models")
    (made / "card.json").write_text(json.dumps(card | {"sha256": "other"}))
    assert "classifier.safetensors: is not what card.json says" in problems()["fitted"]
    done = run("embed", parts, "--encoder", made, "--out", tmp_path / "vectors.parquet")
    assert done.exit_code == 1 and "reads plain features alone, and no encoder; name another" in done.output


def test_a_folder_lists_its_models_and_what_is_wrong_with_one(encoder: Path, tmp_path: Path) -> None:
    for name in ("good", "old", "cut"):
        shutil.copytree(encoder, tmp_path / "models" / name)
    config = json.loads((encoder / "config.json").read_text()) | {"schema": 1}
    (tmp_path / "models" / "old" / "config.json").write_text(json.dumps(config))
    (tmp_path / "models" / "cut" / "model.safetensors").unlink()
    fitted = tmp_path / "models" / "fitted"
    fitted.mkdir()
    (fitted / "model.json").write_text(
        json.dumps({"schema": schema.VERSION, "unit": "face", "classes": ["hole", "stock"]})
    )
    (tmp_path / "models" / "notes").mkdir()
    told = problems(tmp_path / "models")
    assert told.keys() >= {"good", "old", "cut", "fitted"} and "notes" not in told
    assert not told["good"] and not told["fitted"]
    assert f"data schema 1, this is {schema.VERSION}" in told["old"] and "is missing" in told["cut"]
    assert "says of each face: hole, stock" in ok("models", tmp_path / "models")


def test_one_model_is_listed_by_its_own_folder(encoder: Path) -> None:
    assert problems(encoder)[encoder.name] == ""
