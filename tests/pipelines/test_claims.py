"""The stage `claims` measures what M3AE's and i-MAE's papers promise: right where the right numbers are known."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.checkpoints.pretexts import WHOLE, load_pretext, save_pretext
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.composition.pretext import build
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.splits import write_split
from brep_mae.evaluation import cross_modal
from brep_mae.masking.mask import Mask
from brep_mae.seeds import generator
from brep_mae.tokens.tokens import PATCH, Tokens
from pipelines import claims
from pipelines.shared.parsed_dataset import parsed_dataset
from tests.contracts.test_methods import SPEC, batch_for, block
from tests.stored import store
from tests.synthetic import GRID

TINY = {"dim": 32, "depth": 2, "heads": 2}


class Encoder(torch.nn.Module):
    """Says of every seen patch what a function of its pixels says, after an empty class token."""

    def __init__(self, says: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.says = says

    def forward(self, tokens: Tokens, mask: Mask) -> SimpleNamespace:
        seen = self.says(tokens.x)[~mask.hidden].unflatten(0, (len(tokens.x), -1))
        return SimpleNamespace(x=torch.nn.functional.pad(seen, (0, 0, 1, 0)))


class OfPixels:
    """Stands for a backbone of images, in patches of 2 x 2 pixels."""

    def __init__(self, says: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.encoder = Encoder(says)

    def tokens(self, batch: Batch) -> Tokens:
        x = torch.nn.functional.unfold(batch.frames.image[:, 0], 2, stride=2).transpose(1, 2)
        return Tokens(x, x, torch.ones(x.shape[:2], dtype=torch.bool), torch.full(x.shape[1:2], PATCH))


def taken_apart(x: torch.Tensor) -> torch.Tensor:
    """Both black and white images of a blend, where their shares differ; x (..., D) -> (..., 3 D)."""
    subordinate = ((x > 0.01) & (x < 0.49)) | (x > 0.99)
    return torch.cat([subordinate.float(), (x > 0.51).float(), x], -1)


def test_i_mae_scores_are_those_of_encoders_whose_scores_are_known(tmp_path, monkeypatch):
    """Images are independent black and white pixels. An encoder that takes blends apart has an R2 of 1. One that gives
    the blend itself back has, of the image with share s, s^2 / (s^2 + (1 - s)^2), and noise has 0. At equal shares
    nothing tells the images apart, so that nobody has more than a half."""
    rng = generator(0)
    monkeypatch.setattr(claims, "MODELS", tmp_path)
    (tmp_path / "i_mae").mkdir()
    (tmp_path / "i_mae/config.json").write_text(json.dumps({"params": {"mask_ratio": 0.75}}))
    stored_encoders = {"i_mae": OfPixels(taken_apart), "mae_images": OfPixels(lambda x: x)}
    monkeypatch.setattr(claims, "load_backbone", lambda folder: stored_encoders[folder.name])
    noise = OfPixels(lambda x: torch.randn(x.shape, generator=rng))
    monkeypatch.setattr(claims, "new_backbone", lambda folder: noise)
    count = {"train": 800, "validation": 300, "test": 500}
    monkeypatch.setattr(
        claims, "images", lambda _, side: torch.randint(2, (count[side], 3, 8, 8), generator=rng).float()
    )
    found = claims.i_mae(None)
    assert found["images"] == {"fit": 800, "choose": 300, "score": 500}
    for share in claims.SHARES:
        for level in ("token", "pooled"):
            for role, part in (("subordinate", share), ("dominant", 1 - share)):
                scores = found[f"share_{share}"][level][role]
                linear = part**2 / (part**2 + (1 - part) ** 2)
                assert scores["plain_mae"] == pytest.approx(linear, abs=0.06)
                assert scores["i_mae"] == pytest.approx(0.5 if share == 0.5 else 1.0, abs=0.06)
                assert scores["untrained"] == pytest.approx(0.0, abs=0.06)
                assert scores["shuffled"] == pytest.approx(0.0, abs=0.12)


@pytest.mark.parametrize("helps", [0.5, 0.0])
def test_m3ae_gains_are_those_of_a_network_whose_gains_are_known(project, monkeypatch, helps):
    """Its loss on faces is so much lower where the frames are the solid's own, that on patches twice as much where the
    faces are."""
    data, reads = parsed_dataset(), frozenset({"faces", "uvgrid", "frames"})
    test = data.solids(reads, "test")

    def losses(batch: Batch, rng: torch.Generator) -> dict[str, torch.Tensor]:
        error = 1 + 0.1 * torch.rand(len(batch.uid), generator=rng)
        own = [test.batch([uid]) for uid in batch.uid]
        frames = [torch.equal(a.frames.image[0], b) for a, b in zip(own, batch.frames.image, strict=True)]
        faces = [torch.equal(a.faces.grid, batch.faces.grid[batch.faces.solid == k]) for k, a in enumerate(own)]
        return {
            "uvgrid": error - helps * torch.tensor(frames).float(),
            "pixels": error - 2 * helps * torch.tensor(faces).float(),
        }

    network = SimpleNamespace(reads=reads, training=False, eval=lambda: None, train=lambda mode: None)
    monkeypatch.setattr(claims, "load_pretext", lambda folder: network)
    monkeypatch.setattr(cross_modal, "solid_losses", lambda model: losses)
    found = claims.m3ae(data)
    for kind, gain in (("faces", helps), ("frames", 2 * helps)):
        assert found[f"{kind}.solids"] == len(project["test"])
        assert found[f"{kind}.other"] - found[f"{kind}.own"] == pytest.approx(gain, abs=1e-6)
        assert found[f"{kind}.p"] < 1e-6 if helps else found[f"{kind}.p"] > 0.1


def save(method: str, models: Path = Path("models")) -> torch.nn.Module:
    """A tiny untrained network in models/METHOD."""
    values = block(method)
    values |= {k: v for k, v in {"size": TINY, "decoder": TINY, "patch": 4}.items() if k in values}
    pretext = build(method, values, SPEC)
    folder = models / method
    save_backbone(folder, pretext.backbone(), method, values, SPEC, "d")
    save_pretext(folder, pretext)
    return pretext


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with stored solids, in which the stage keeps its run to itself."""
    uids = store(tmp_path / "data")
    facts = {"parse": {"grid": GRID}, "digest": "d"}
    (tmp_path / "data/parsed/dataset.json").write_text(json.dumps(facts))
    split = {"train": uids[:8], "validation": uids[8:11], "test": uids[11:]}
    write_split(tmp_path / "data/parsed/split.parquet", split)
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
    data = parsed_dataset()
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
