"""What is stored of a learned mask in the course of its training: which of a few tokens it hides, and of which kind."""

import json

import numpy as np
import pytest
import torch
import yaml

from brep_mae.datasets.splits import write_split
from brep_mae.pretraining.masks import MaskHistory
from brep_mae.pretraining.picture import chosen
from brep_mae.report.masks import mask_figure, read_masks
from brep_mae.schema import SURFACE_TYPES
from brep_mae.tracking import tracking
from pipelines import pretrain
from tests.conftest import TOP
from tests.contracts.test_methods import small
from tests.stored import solids, store
from tests.synthetic import GRID


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    return folder, store(folder)


def history(stored, name):
    torch.manual_seed(0)
    pretext = small(name).train()
    return pretext, (data := solids(*stored, *pretext.reads)), MaskHistory(data, 4)


@pytest.mark.parametrize("name", ["mlo_mae_faces", "mlo_mae_images"])
def test_what_is_hidden_at_every_step_is_what_the_mask_scores_highest(stored, tmp_path, name):
    pretext, data, masks = history(stored, name)
    found = [masks.keep(tmp_path, 0, pretext)]
    with torch.no_grad():
        for weight in pretext.mask.parameters():
            weight.neg_()
    found.append(masks.keep(tmp_path, 100, pretext))
    assert pretext.training and found[0] != found[1]
    arrays = MaskHistory(data, 4).arrays(tmp_path)  # a resumed training has those from before
    assert arrays["steps"].tolist() == [0, 100]
    hidden, every = arrays["number"].transpose(1, 0, 2)
    for step, of in enumerate(found):
        assert of == pytest.approx(
            {f"hidden/{arrays['kinds'][i]}": hidden[step, i] / every[step, i] for i in every[0].nonzero()[0]}
        )
    drawn = data.batch(chosen(data))
    where = drawn.faces.solid if name == "mlo_mae_faces" else torch.arange(6).repeat_interleave(16)
    assert arrays["hidden"].shape == arrays["sigma"].shape == (2, len(where))
    for solid in where.unique():
        rows = (where == solid).numpy()
        for hides, sigma in zip(arrays["hidden"][:, rows], arrays["sigma"][:, rows], strict=True):
            assert sigma[hides].min() >= sigma[~hides].max()
    np.savez(tmp_path / "masks.npz", **arrays)
    assert mask_figure(tmp_path / "masks.npz").subfigs[0].axes
    assert {*read_masks(tmp_path / "masks.npz")} == {*arrays}


def test_faces_are_counted_by_the_type_of_their_surface(stored, tmp_path):
    pretext, data, masks = history(stored, "mlo_mae_faces")
    pretext.masks = lambda batch: (batch.faces.surface == 1, torch.ones(len(batch.faces.surface)))  # all cylinders
    shares = masks.keep(tmp_path, 0, pretext)
    surfaces = [int(s) for uid in data.uids for s in data.faces(uid).surface]
    assert shares == {
        f"hidden/{kind}": float(kind == "cylinder") for i, kind in enumerate(SURFACE_TYPES) if i in surfaces
    }
    number = masks.arrays(tmp_path)["number"][0, 1]
    assert number.tolist() == np.bincount(surfaces, minlength=len(SURFACE_TYPES)).tolist()


def test_patches_are_counted_by_whether_they_show_the_solid(stored, tmp_path):
    pretext, data, masks = history(stored, "mlo_mae_images")
    frames = data.batch(data.uids).frames.face

    def shows(face: torch.Tensor) -> torch.Tensor:
        patches = face.unfold(2, 4, 4).unfold(3, 4, 4).flatten(-2)
        return (patches >= 0).any(-1).flatten()

    pretext.masks = lambda batch: (shows(batch.frames.face), torch.ones(len(shows(batch.frames.face))))
    assert masks.keep(tmp_path, 0, pretext) == {"hidden/ground": 0.0, "hidden/solid": 1.0}
    assert masks.arrays(tmp_path)["number"][0, 1, 1] == shows(frames).sum()


def test_the_stage_leaves_the_masks_of_every_row_and_its_run_says_that_labels_guided_it(stored, tmp_path, monkeypatch):
    folder, uids = stored
    (tmp_path / "data").symlink_to(folder)
    (folder / "parsed/dataset.json").write_text(json.dumps({"parse": {"grid": GRID}, "digest": "d"}))
    write_split(folder / "parsed/split.parquet", {"train": uids[:10], "validation": uids[10:], "test": uids[10:]})
    params, tiny = yaml.safe_load((TOP / "params.yaml").read_text()), {"dim": 16, "depth": 1, "heads": 2}
    params["methods"]["mlo_mae_faces"] |= {"steps": 4, "batch": 4, "size": tiny, "decoder": tiny}
    params["pretrain"] |= {"log_every": 2, "checkpoint_every": 4}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(tracking, "open_mlflow", lambda: None)
    pretrain.main("mlo_mae_faces")
    assert read_masks(tmp_path / "models/mlo_mae_faces/masks.npz")["steps"].tolist() == [0, 2, 4]
    (run,) = (tmp_path / "runs").iterdir()
    written = "".join(path.read_text() for path in run.glob("*.jsonl"))
    assert '"guided_by_labels": "true"' in written and '"hidden/plane"' in written
    assert list(run.rglob("masks.png"))
