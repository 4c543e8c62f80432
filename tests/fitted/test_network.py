"""The encoder trained on the labelled parts: what it may learn from, and what is kept of it."""

import json
import shutil

import numpy as np
import pytest
import torch

from brep_mae.checkpoints.backbones import load_backbone
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.datasets.labelling.labels import SolidLabels, write_labels
from brep_mae.datasets.shards import open_shards, write_shard
from brep_mae.fewshot.heads import forest_and_network
from brep_mae.fitted import fit as fit_
from brep_mae.fitted import network
from brep_mae.fitted.candidates import Choice
from brep_mae.fitted.fit import FitError, fit
from brep_mae.fitted.model import load_model, save_model
from tests.cli.small_tasks import small_encoder
from tests.stored import FACE_CLASSES
from tests.synthetic import make_graph

GRID = int(make_graph(6, seed=0).face_grid.shape[1])


@pytest.fixture
def parts(tmp_path):
    graphs = [make_graph(6, seed=i) for i in range(8)]
    write_shard(tmp_path / "00000.arrow", graphs)
    (tmp_path / "dataset.json").write_text(json.dumps({"parse": {"grid": GRID}}))
    labels = {
        one.uid: SolidLabels(one.face_label, one.part_label, "test" if i > 5 else "") for i, one in enumerate(graphs)
    }
    write_labels(tmp_path / "labels", FACE_CLASSES, (), labels, {})
    return tmp_path


@pytest.fixture
def encoder(tmp_path_factory):
    return small_encoder(tmp_path_factory.mktemp("encoder"), GRID)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(network, "RECIPE", network.RECIPE.model_copy(update={"steps": 5, "epochs": 0}))


def test_it_never_learns_from_a_file_that_is_held_out_or_kept_back(parts, encoder, short, monkeypatch):
    """Every part is held out once, so a training of a fold must miss some; the test's are in none."""
    seen, train = [], forest_and_network.fine_tune

    def noted(problem, head, labelled, seed):
        seen.append({uid for batch in labelled.batches for uid in batch.uid})
        return train(problem, head, labelled, seed)

    monkeypatch.setattr(forest_and_network, "fine_tune", noted)
    fit(parts, "face", encoder, fine_tune=True)
    uids = list(open_shards(parts).uids)
    assert [len(fold) for fold in seen[:5]] == [4, 5, 5, 5, 5] and not set().union(*seen) & set(uids[6:])
    assert all(any(uid not in fold for fold in seen[:5]) for uid in uids[:6])


@pytest.mark.parametrize("unit", ["face", "solid"])
def test_what_was_trained_is_kept_and_answers_alike_and_the_encoder_stays(
    parts, encoder, short, monkeypatch, tmp_path_factory, unit
):
    if unit == "solid":
        labels = {
            uid: SolidLabels(np.full(6, -1, np.int16), i % 2, "") for i, uid in enumerate(open_shards(parts).uids)
        }
        write_labels(parts / "labels", (), ("p", "q"), labels, {})
    before = (encoder / "model.safetensors").read_bytes()

    def taken(table, seed, on_fold):
        nothing = np.zeros(len(table.y), bool)
        return Choice("forest_and_network", None, 0.0, 0.0, {}, nothing, np.zeros_like(table.y))

    monkeypatch.setattr(fit_, "choose", taken)
    model, encoders = fit(parts, unit, encoder, fine_tune=True)
    assert encoders == [encoder] and (encoder / "model.safetensors").read_bytes() == before
    folder = tmp_path_factory.mktemp("fitted")
    save_model(model, folder, *encoders)
    new, old = load_backbone(folder / "encoder").state_dict(), load_backbone(encoder).state_dict()
    assert any(not torch.equal(new[name], old[name]) for name in old)
    graph = open_shards(parts)[7]
    (told,), (again,) = (each.answer(parts, "7", [graph]) for each in (model, load_model(folder)))
    assert told == again
    shutil.rmtree(folder / "encoder")
    with pytest.raises(
        CheckpointError, match=r"an encoder that its classifier reads is missing; fit it again, or restore"
    ):
        load_model(folder)


def test_what_cannot_be_trained_is_told_with_the_remedy(parts, encoder):
    with pytest.raises(FitError, match=r"no encoder to train: name one with --encoder, or leave out --fine-tune"):
        fit(parts, "face", None, fine_tune=True)
    with pytest.raises(FitError, match=r"one class of each solid, and these may show several: leave out --fine-tune"):
        fit(parts, "solid", encoder, fine_tune=True)
