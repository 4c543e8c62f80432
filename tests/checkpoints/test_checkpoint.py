"""Checkpoints come back exactly, say what is wrong with them, and cannot run code."""

import json
import pickle

import pytest
import torch

from brep_mae import schema, settings
from brep_mae.checkpoints.backbones import (
    CONFIG,
    WEIGHTS,
    load_backbone,
    new_backbone,
    save_backbone,
    save_snapshot,
    snapshots,
    weights_named,
)
from brep_mae.checkpoints.pretexts import WHOLE, load_pretext, save_pretext
from brep_mae.checkpoints.state import load_state, save_state
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.checks import SettingsError
from brep_mae.composition.pretext import build
from brep_mae.plugins import METHODS, known
from tests.contracts.test_methods import SPEC
from tests.synthetic import make_batch


@pytest.fixture
def saved(tmp_path):
    values = settings.load().methods["mae_faces"]
    backbone = build("mae_faces", values, SPEC).backbone().eval()
    save_backbone(tmp_path, backbone, "mae_faces", values, SPEC, "digest")
    return tmp_path, backbone


@pytest.mark.parametrize("name", known(METHODS))
def test_every_method_s_backbone_round_trips(name, tmp_path):
    values = settings.load().methods[name]
    backbone = build(name, values, SPEC).backbone().eval()
    save_backbone(tmp_path, backbone, name, values, SPEC, "digest")
    batch = make_batch([5, 8], frames=True)
    with torch.no_grad():
        a, b = backbone(batch), load_backbone(tmp_path)(batch)
    assert torch.equal(a.face, b.face) and torch.equal(a.solid, b.solid)


def test_the_scratch_baseline_has_the_network_but_not_the_weights(saved):
    folder, backbone = saved
    fresh = new_backbone(folder)
    assert {k: v.shape for k, v in fresh.state_dict().items()} == {k: v.shape for k, v in backbone.state_dict().items()}
    assert not torch.equal(fresh.encoder.class_token, backbone.encoder.class_token)


def test_other_schema_and_other_weights_are_refused_with_the_reason(saved):
    folder, _ = saved
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | {"schema": 0}))
    with pytest.raises(CheckpointError, match=f"made with data schema 0, this is {schema.VERSION}; pretrain again"):
        load_backbone(folder)
    weights = (folder / WEIGHTS).read_bytes()
    values = settings.load().methods["mae_faces"] | {"size": {"dim": 48, "depth": 3, "heads": 4}}
    save_backbone(folder, build("mae_faces", values, SPEC).backbone(), "mae_faces", values, SPEC, "digest")
    (folder / WEIGHTS).write_bytes(weights)
    with pytest.raises(CheckpointError, match="weights do not fit"):
        load_backbone(folder)
    save_backbone(folder, saved[1], "mae_faces", {}, SPEC, "digest")
    (folder / WEIGHTS).unlink()
    with pytest.raises(SettingsError, match=r"config\.json: methods\.mae_faces: mask_ratio is missing"):
        load_backbone(folder)


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS, "steps/000003.safetensors", WHOLE])
def test_a_flipped_bit_anywhere_in_a_model_is_found(tmp_path, file):
    values = settings.load().methods["mae_faces"] | {"size": {"dim": 16, "depth": 0, "heads": 1}}
    pretext = build("mae_faces", values, SPEC)
    save_backbone(tmp_path, pretext.backbone(), "mae_faces", values, SPEC, "digest")
    save_snapshot(tmp_path / "steps", 3, pretext.backbone())
    save_pretext(tmp_path, pretext)

    def load():
        return load_backbone(tmp_path), dict(snapshots(tmp_path)), load_pretext(tmp_path)

    load()
    whole = (tmp_path / file).read_bytes()
    spaces = {i for i, byte in enumerate(whole) if file == CONFIG and byte in b" \n"}
    for place in range(0, len(whole), max(1, len(whole) // 150)):
        if place not in spaces:  # between two words of JSON, which a flipped bit may turn into other white space
            (tmp_path / file).write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            with pytest.raises(CheckpointError, match="pretrain again"):
                load()


class Bomb:
    def __reduce__(self):
        return (print, ("code from a stranger's file ran",))


def test_a_training_state_that_would_run_code_is_refused(tmp_path, capsys):
    path = tmp_path / "state.pt"
    torch.save({"model": Bomb()}, path)
    with pytest.raises(CheckpointError, match="delete it to train from the start"):
        load_state(path, torch.device("cpu"))
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        load_state(path, torch.device("cpu"))
    assert "ran" not in capsys.readouterr().out


def test_one_flipped_bit_in_a_training_state_is_found(tmp_path):
    path = tmp_path / "state.pt"
    save_state(path, {"model": {"weight": torch.ones(1000)}, "step": 1})
    content = bytearray(path.read_bytes())
    content[content.index(torch.ones(8).numpy().tobytes()) + 100] ^= 1
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["step"] == 1, "control: torch reads it without a word"
    with pytest.raises(CheckpointError, match=r"state\.pt: .* is damaged"):
        load_state(path, torch.device("cpu"))


def test_no_state_is_no_error(tmp_path):
    assert load_state(tmp_path / "none.pt", torch.device("cpu")) is None


def test_the_weights_that_a_block_names_are_known_by_their_content(saved, tmp_path_factory):
    folder, file = saved[0], tmp_path_factory.mktemp("timm") / "vit.safetensors"
    file.write_bytes(b"1")
    block = {
        "lr": 0.1,
        "init": None,
        "teachers": {"a": {"path": str(folder)}, "b": {"path": str(file)}, "c": {"path": ""}},
    }
    before = weights_named(block)
    assert set(before) == {str(folder), str(file)} and weights_named(block) == before
    file.write_bytes(b"2")
    after = weights_named(block)
    assert after[str(file)] != before[str(file)] and after[str(folder)] == before[str(folder)]
    assert weights_named({"teacher": {"path": str(folder / "nobody")}}) == {}
