"""The few-shot protocol: same labelled solids for all, honest scores, no test label in any choice."""

import numpy as np
import pytest
import torch

from brep_mae import settings
from brep_mae.datasets.loader import Solids
from brep_mae.pretext.pretext import build
from brep_mae.schema import UNLABELLED
from brep_mae.settings import FewshotParams
from brep_mae.training.checkpoint import save_backbone
from brep_mae.transfer import fewshot
from brep_mae.transfer.fewshot import EncoderSource, compare, labelled_order, majority, tasks
from brep_mae.transfer.metrics import confusion, scores
from tests.contracts.test_methods import FACTS
from tests.stored import solids, store

PARAMS = FewshotParams(shots=[1, 4], seeds=2, steps=3, batch=2, lr=1e-3, head_lr=1e-2, workers=1)


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fewshot")
    uids = store(folder)
    for name, extra in (("mae_faces", {}), ("mae_images", {"patch": 4})):
        tiny = {"dim": 32, "depth": 1, "heads": 2}
        values = dict(settings.load().methods[name]) | {"size": tiny, "decoder": tiny} | extra
        save_backbone(folder / name, build(name, values, FACTS).backbone(), name, values, FACTS, "digest")
    return folder, uids


def rows_of(setup, name, data: Solids | None = None):
    folder, uids = setup
    source = EncoderSource(name, "faces", folder / name, pretrained=True)
    data = data or solids(folder, uids, "faces", "frames")
    return list(compare(source, 0, tasks(3, 2), data, uids[:10], uids[10:], PARAMS))


@pytest.mark.parametrize("name", ["mae_faces", "mae_images"])
def test_a_row_per_task_shots_and_mode(setup, name):
    rows = rows_of(setup, name)
    assert {(r["task"], r["shots"], r["mode"]) for r in rows} == {
        (t, n, m) for t in ("segmentation", "classification") for n in (1, 4) for m in ("frozen", "finetuned")
    }
    assert all(0 <= r[k] <= 1 for r in rows for k in ("micro", "per_part", "miou", "covered", "ceiling"))


def test_same_seed_same_rows(setup):
    def numbers(rows):
        return [{k: v for k, v in r.items() if k != "seconds"} for r in rows]

    assert numbers(rows_of(setup, "mae_faces")) == numbers(rows_of(setup, "mae_faces"))


def test_labelled_solids_are_nested_the_same_for_all_encoders_and_differ_between_seeds():
    uids = [f"u{i}" for i in range(50)]
    assert labelled_order(uids, 0) == labelled_order(uids, 0)
    assert labelled_order(uids, 0)[:5] != labelled_order(uids, 1)[:5]


def test_noise_in_place_of_test_labels_changes_no_prediction(setup, monkeypatch):
    """Test labels are read by the scores alone: every prediction is the same when they are noise."""
    folder, uids = setup
    predictions = []

    def record(truth, predicted, *rest):
        predictions.append(predicted.copy())
        return scores(truth, predicted, *rest)

    monkeypatch.setattr(fewshot, "scores", record)
    rows_of(setup, "mae_faces")
    clean, predictions[:] = predictions[:], []

    data = solids(folder, uids, "faces", "frames")
    for uid in uids[10:]:
        faces = data.faces(uid)
        faces.label.copy_(torch.randint(0, 3, faces.label.shape))
        faces.part.copy_(torch.randint(0, 2, faces.part.shape))
    rows_of(setup, "mae_faces", data)
    assert all(np.array_equal(a, b) for a, b in zip(clean, predictions, strict=True))


def test_fine_tuning_leaves_the_given_backbone_alone(setup):
    folder, uids = setup
    backbone = EncoderSource("mae_faces", "faces", folder / "mae_faces", True).backbone(0)
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    data = solids(folder, uids, "faces")
    tuned, _ = fewshot.fine_tune(tasks(3, 0)[0], backbone, torch.nn.Linear(32, 3), data, uids[:2], PARAMS, 0)
    assert all(torch.equal(v, backbone.state_dict()[k]) for k, v in before.items())
    assert not torch.equal(tuned.encoder.stack.norm.weight, backbone.encoder.stack.norm.weight)


def test_majority_says_the_most_frequent_labelled_class(setup):
    folder, uids = setup
    data = solids(folder, uids, "faces")
    rows = list(majority(0, tasks(3, 0), data, uids[:10], uids[10:], PARAMS))
    assert [r["shots"] for r in rows] == [1, 4]
    labels = torch.cat([data.faces(u).label for u in labelled_order(uids[:10], 0)[:4]])
    guess = labels.bincount().argmax()
    truth = torch.cat([data.faces(u).label for u in uids[10:]])
    assert rows[1]["micro"] == pytest.approx(float((truth == guess).float().mean()))


def test_scores_by_hand():
    truth = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 0, 0])
    part = np.array([7, 7, 7, 7, 9, 9])
    got = scores(truth, predicted, part, labelled=np.array([0, 1, 1]), n_classes=4)
    assert got["micro"] == pytest.approx(3 / 6)
    assert got["per_part"] == pytest.approx((3 / 4 + 0) / 2)
    assert got["miou"] == pytest.approx((2 / 5 + 1 / 3 + 0) / 3)
    assert got["covered"] == pytest.approx(3 / 5)
    assert got["ceiling"] == pytest.approx(5 / 6)
    assert confusion(truth, predicted, 4).sum() == 6


def test_solids_without_a_label_cost_a_step_and_not_the_network(setup):
    folder, uids = setup
    backbone = EncoderSource("mae_faces", "faces", folder / "mae_faces", True).backbone(0)
    data = solids(folder, uids, "faces")
    data.faces(uids[0]).label.fill_(UNLABELLED)
    tuned, _ = fewshot.fine_tune(tasks(3, 0)[0], backbone, torch.nn.Linear(32, 3), data, uids[:1], PARAMS, 0)
    assert all(bool(p.isfinite().all()) for p in tuned.parameters())
