"""What M3AE's and i-MAE's papers promise, read off the numbers of the stage `claims`; and the stage itself."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from brep_mae.datasets.splits import write_split
from brep_mae.pretext.pretext import build
from brep_mae.pretext.stored import CheckpointError, save_backbone
from brep_mae.pretext.whole import WHOLE, load_pretext, save_pretext
from brep_mae.seeds import generator
from pipelines import claims
from pipelines.stored import stored
from tests.contracts.test_methods import FACTS, batch_for, block
from tests.stored import store
from tests.synthetic import GRID

TINY = {"dim": 32, "depth": 2, "heads": 2}


def measured(method: str) -> dict:
    path = Path("results/claims.json")
    if not path.is_file():
        pytest.skip("results/claims.json is missing: `dvc repro claims` measures it")
    found = json.loads(path.read_text())
    if method not in found:
        pytest.skip(f"results/claims.json says nothing of {method}: it was not among the models")
    return found[method]


@pytest.mark.parametrize("kind", ["faces", "frames"])
def test_m3ae_check_5_the_own_other_kind_helps_on_solids_never_seen(kind):
    found = measured("m3ae")
    assert found[f"{kind}.own"] < found[f"{kind}.other"]
    assert found[f"{kind}.p"] < 0.01


@pytest.mark.parametrize("level", ["token", "pooled"])
@pytest.mark.parametrize("share", claims.SHARES)
def test_i_mae_check_5_latents_of_blends_are_separable_more_so_than_plain_mae_s(share, level):
    """Well above the plain MAE where one image is weaker: the other is what a plain MAE's latent of the blend says. At
    equal shares nothing tells the images apart, and the gain is small."""
    roles = measured("i_mae")[f"share_{share}"][level]
    for role in roles.values():
        assert role["i_mae"] > role["shuffled"] + 0.3
    subordinate = roles["subordinate"]
    assert subordinate["i_mae"] > subordinate["plain_mae"] + (0.1 if share < 0.5 else 0.0)


def save(method: str, models: Path = Path("models")) -> torch.nn.Module:
    """A tiny untrained network in models/METHOD."""
    values = block(method)
    values |= {k: v for k, v in {"size": TINY, "decoder": TINY, "patch": 4}.items() if k in values}
    pretext = build(method, values, FACTS)
    folder = models / method
    save_backbone(folder, pretext.backbone(), method, values, FACTS, "d")
    save_pretext(folder, pretext)
    return pretext


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with stored solids, in which the stage keeps its run to itself."""
    uids = store(tmp_path / "data")
    facts = {"parse": {"grid": GRID}, "digest": "d"}
    (tmp_path / "data/parsed/dataset.json").write_text(json.dumps(facts))
    split = {"train": uids[:8], "validation": uids[8:11], "test": uids[11:]}
    write_split(tmp_path / "data/parsed/split.json", split)
    (tmp_path / "params.yaml").write_text(Path("params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "1")
    return split


def test_the_stage_measures_what_is_there_and_says_what_is_not(project, capsys):
    save("mae_images")
    save("i_mae")
    claims.main()
    found = json.loads(Path("results/claims.json").read_text())
    assert list(found) == ["i_mae"]
    assert "m3ae is left out, for models/m3ae/pretext.safetensors is missing" in capsys.readouterr().out
    assert found["i_mae"]["images"] == {"fit": 16, "choose": 6, "score": 10}
    role = found["i_mae"]["share_0.3"]["token"]["dominant"]
    assert set(role) == {"i_mae", "plain_mae", "untrained", "shuffled"}
    assert role["plain_mae"] > role["shuffled"]
    save("m3ae")
    claims.main()
    again = json.loads(Path("results/claims.json").read_text())
    assert again["m3ae"]["faces.solids"] == len(project["test"])
    assert again["m3ae"]["frames.p"] > 0.01, "an untrained network has no gain"
    assert again["i_mae"] == found["i_mae"]


def test_neighbours_among_the_images_show_different_solids(project):
    data = stored()
    images = claims.images(data, "test")
    batch = data.solids(frozenset({"frames"}), "test").batch(project["test"])
    owner = [int(np.argmax((batch.frames.image == x).flatten(2).all(2).any(1))) for x in images]
    assert all(a != b for a, b in zip(owner, owner[1:] + owner[:1], strict=True))
    assert sorted(owner) == sorted([*range(5)] * 2)


@pytest.mark.parametrize("method", ["m3ae", "i_mae", "dbot_faces", "mixmask"])
def test_a_whole_network_comes_back_with_the_loss_it_had(tmp_path, method):
    pretext, batch = save(method, tmp_path).eval(), batch_for(method)
    torch.manual_seed(99)
    loaded = load_pretext(tmp_path / method)
    assert not loaded.training
    with torch.no_grad():
        own, again = (network(batch, generator(0))["loss"] for network in (pretext, loaded))
    assert torch.equal(own, again)
    (tmp_path / method / WHOLE).write_bytes(b"no")
    with pytest.raises(CheckpointError, match=f"{method}/{WHOLE}.*pretrain again"):
        load_pretext(tmp_path / method)
