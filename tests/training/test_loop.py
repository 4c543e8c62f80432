"""The loop resumes exactly, evaluates on fixed masks, and stops at a loss that is not a number."""

import json

import pytest
import torch

from brep_mae.pretext.pretext import Pretext, build
from brep_mae.settings import PretrainParams
from brep_mae.training.loop import heldout_terms, train
from brep_mae.training.optim import adamw, lr_at
from tests.contracts.test_methods import FACTS, small
from tests.stored import solids, store

CPU = torch.device("cpu")
PARAMS = PretrainParams(seed=3, log_every=2, checkpoint_every=4, weight_decay=0.05, clip_norm=1.0, warmup=0.2)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    return folder, store(folder)


def fresh(steps: int) -> Pretext:
    torch.manual_seed(0)
    pretext = small("mae_faces")
    pretext.params = pretext.params.model_copy(update={"steps": steps, "batch": 4})
    return pretext


class Killed(Exception):
    pass


def test_a_training_cut_off_and_resumed_gives_the_losses_of_one_that_was_not(stored, tmp_path):
    folder, uids = stored
    data, held = solids(folder, uids[:12], "faces"), solids(folder, uids[12:], "faces")
    whole = train(fresh(10), data, held, PARAMS, tmp_path / "a.pt", lambda row: None, CPU)

    seen = []

    def cut_off(row):
        seen.append(row)
        if row["step"] == 6:
            raise Killed

    with pytest.raises(Killed):
        train(fresh(10), data, held, PARAMS, tmp_path / "b.pt", cut_off, CPU)
    resumed = []
    again = train(fresh(10), data, held, PARAMS, tmp_path / "b.pt", resumed.append, CPU)
    assert resumed[0]["step"] == 6, "steps 1 to 4 were in the checkpoint and must not be trained again"
    assert json.dumps(again) == json.dumps(whole)


def test_a_finished_training_is_not_trained_again(stored, tmp_path):
    folder, uids = stored
    data = solids(folder, uids, "faces")
    history = train(fresh(4), data, data, PARAMS, tmp_path / "a.pt", lambda row: None, CPU)
    rows = []
    assert train(fresh(4), data, data, PARAMS, tmp_path / "a.pt", rows.append, CPU) == history
    assert rows == []


def test_held_out_terms_do_not_move_while_the_weights_do_not(stored):
    folder, uids = stored
    data, pretext = solids(folder, uids, "faces"), fresh(4)
    assert heldout_terms(pretext, data, 4, CPU) == heldout_terms(pretext, data, 4, CPU)


def test_a_loss_that_is_not_finite_names_the_step_and_the_solids(stored, tmp_path):
    folder, uids = stored
    data, pretext = solids(folder, uids, "faces"), fresh(4)
    with torch.no_grad():
        pretext.decoder.mask_token.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match=r"at step 0, solids .*#0"):
        train(pretext, data, data, PARAMS, tmp_path / "a.pt", lambda row: None, CPU)


def test_every_epoch_shows_every_solid_once_in_another_order(stored):
    folder, uids = stored
    data = solids(folder, uids, "faces")
    epochs = [[uid for step in range(4) for uid in data.at_step(0, 4 * e + step, 4).uid] for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(uids)
    assert epochs[0] != epochs[1]


def test_warmup_peak_and_end_of_the_learning_rate():
    rates = [lr_at(step, 100, 1.0, PARAMS) for step in range(100)]
    assert rates[0] == pytest.approx(0.05) and rates[19] == pytest.approx(1.0) and rates[99] < 0.001
    assert rates.index(max(rates)) in (19, 20)


def test_tokens_biases_and_norms_do_not_decay():
    pretext = build("mae_images", _images(), FACTS)
    optimizer = adamw(pretext, 1e-3, 0.05)
    free = {id(p) for p in optimizer.param_groups[1]["params"]}
    assert id(pretext.encoder.class_token) in free and id(pretext.decoder.mask_token) in free
    assert id(pretext.encoder.stack.norm.weight) in free
    assert id(pretext.decoder.embed.weight) not in free


def _images():
    from brep_mae import settings

    return settings.load().methods["mae_images"]
