"""The loop resumes exactly, evaluates on fixed masks, and stops at a loss that is not a number."""

import json

import pytest
import torch

from brep_mae.checkpoints.backbones import STEPS, load_backbone, save_backbone, save_snapshot, snapshots
from brep_mae.checkpoints.state import load_state
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.checks import SettingsError
from brep_mae.composition.optim import adamw, lr_at
from brep_mae.composition.pretext import Pretext, build
from brep_mae.datasets.content import FACES
from brep_mae.masking.mask import Mask
from brep_mae.plugins import METHODS, known
from brep_mae.settings import OptimParams, PretrainParams
from brep_mae.targets import pixels
from brep_mae.training import loop
from brep_mae.training.loop import heldout_terms, train
from tests.contracts.test_methods import SPEC, small
from tests.stored import solids, store

CPU = torch.device("cpu")
RESUMED = ["mae_faces", "attribute_masking", "dbot_faces", "i_mae", "mixmask", "mlo_mae_faces", "mlo_mae_images"]
PARAMS = PretrainParams(seed=3, log_every=2, checkpoint_every=4, weight_decay=0.05, clip_norm=1.0, warmup=0.2)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    return folder, store(folder)


def fresh(steps: int, name: str = "mae_faces") -> Pretext:
    torch.manual_seed(0)
    return small(name, steps=steps, batch=4)


class Killed(Exception):
    pass


@pytest.mark.parametrize("name", RESUMED)
def test_a_training_cut_off_and_resumed_gives_the_losses_of_one_that_was_not(stored, tmp_path, name):
    """A teacher's weights, the number of its round and a queue of keys are part of what is resumed; dBOT's second
    round begins at step 5, between the checkpoint and the cut; attribute masking draws dropout in every step; MLO-MAE
    has three optimisers."""
    folder, uids = stored
    reads = fresh(10, name).reads
    data, held = solids(folder, uids[:12], *reads), solids(folder, uids[12:], *reads)
    whole = train(fresh(10, name), data, held, PARAMS, tmp_path / "a.pt", lambda row: None, CPU)

    seen = []

    def cut_off(row):
        seen.append(row)
        if row["step"] == 6:
            raise Killed

    with pytest.raises(Killed):
        train(fresh(10, name), data, held, PARAMS, tmp_path / "b.pt", cut_off, CPU)
    torch.manual_seed(99)  # nothing may depend on the draws before
    resumed = []
    again = train(fresh(10, name), data, held, PARAMS, tmp_path / "b.pt", resumed.append, CPU)
    assert resumed[0]["step"] == 6, "steps 1 to 4 were in the checkpoint and must not be trained again"
    assert json.dumps(again) == json.dumps(whole)
    ends = [load_state(tmp_path / file, CPU)["model"] for file in ("a.pt", "b.pt")]
    assert all(torch.equal(value, ends[1][key]) for key, value in ends[0].items())


def test_every_step_draws_another_dropout_and_another_seed_other_ones(stored, tmp_path):
    folder, uids = stored
    data, drawn = solids(folder, uids, *FACES), []
    for seed in (3, 4):
        pretext = fresh(4, "attribute_masking")
        pretext.encoder.register_forward_pre_hook(
            lambda net, _: drawn.append(torch.get_rng_state().numpy().tobytes()) if net.training else None
        )
        params = PARAMS.model_copy(update={"seed": seed, "log_every": 4})
        train(pretext, data, data.first(1), params, tmp_path / f"{seed}.pt", lambda row: None, CPU)
    assert len(drawn) == len(set(drawn)) == 8


@pytest.mark.parametrize("cut, written", [(0, True), (8, True), (8, False)])
def test_a_training_cut_off_and_resumed_keeps_the_snapshots_of_one_that_was_not(stored, tmp_path, cut, written):
    """Cut off right before a snapshot is written, and right after."""
    folder, uids = stored
    data = solids(folder, uids, *FACES)

    def run(name, cut_at=None):
        def keep(step, now):
            if step != cut_at or written:
                save_snapshot(tmp_path / name / STEPS, step, now.backbone())
            if step == cut_at:
                raise Killed

        train(fresh(10), data, data, PARAMS, tmp_path / f"{name}.pt", lambda row: None, CPU, keep)

    def kept(name):
        return {path.name: path.read_bytes() for path in (tmp_path / name / STEPS).iterdir()}

    run("whole")
    assert set(kept("whole")) == {f"{step:06d}.safetensors" for step in (0, 4, 8, 10)}
    with pytest.raises(Killed):
        run("cut", cut)
    assert kept("cut") != kept("whole")
    run("cut")
    assert kept("cut") == kept("whole")


def test_snapshots_are_read_back_by_step_from_the_untrained_network_to_the_checkpoint(stored, tmp_path):
    folder, uids = stored
    data, start, pretext = solids(folder, uids, *FACES), fresh(6), fresh(6)

    def keep(step, now):
        save_snapshot(tmp_path / STEPS, step, now.backbone())

    train(pretext, data, data, PARAMS, tmp_path / "a.pt", lambda row: None, CPU, keep)
    save_backbone(tmp_path, pretext.backbone(), "mae_faces", pretext.params.model_dump(), SPEC, "d")
    found = dict(snapshots(tmp_path))
    assert list(found) == [0, 4, 6]
    for backbone, expected in ((found[0], start.backbone()), (found[6], load_backbone(tmp_path))):
        for key, value in expected.state_dict().items():
            assert torch.equal(backbone.state_dict()[key], value)
    assert not torch.equal(found[0].encoder.class_token, found[6].encoder.class_token)
    (tmp_path / STEPS / "000004.safetensors").write_bytes(b"half a file")
    with pytest.raises(CheckpointError, match=r"000004\.safetensors: weights do not fit"):
        dict(snapshots(tmp_path))


def test_the_speed_of_a_row_leaves_evaluation_and_checkpoints_out(stored, tmp_path, monkeypatch):
    """By a clock that ticks only while held-out solids are evaluated and states are saved, training takes no time."""
    folder, uids = stored
    data, clock = solids(folder, uids, *FACES), [1.0]

    def slow(function):
        def wrapped(*arguments):
            clock[0] += 100.0
            return function(*arguments)

        return wrapped

    monkeypatch.setattr(loop, "heldout_terms", slow(loop.heldout_terms))
    monkeypatch.setattr(loop, "save_state", slow(loop.save_state))
    step = torch.optim.AdamW.step

    def one_second(self):
        clock[0] += 1.0
        return step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", one_second)
    monkeypatch.setattr(loop.time, "perf_counter", lambda: clock[0])
    rows = []
    train(fresh(10), data, data, PARAMS, tmp_path / "a.pt", rows.append, CPU)
    speeds = [(row["seconds"], row["solids_per_s"]) for row in rows if row["split"] == "train"]
    assert speeds == [(2.0, 4.0)] * 5


def test_a_new_round_starts_the_optimizer_and_the_learning_rate_anew(stored, tmp_path):
    """dBOT check 2, in the loop: 10 steps in two rounds leave AdamW with the moments of 5."""
    folder, uids = stored
    data = solids(folder, uids, *FACES)
    for name, steps in (("dbot_faces", 5), ("mae_faces", 10)):
        train(fresh(10, name), data, data, PARAMS, tmp_path / name, lambda row: None, CPU)
        state = load_state(tmp_path / name, CPU)
        assert {float(s["step"]) for s in state["optimizers"]["weights"]["state"].values()} == {steps}
    assert int(load_state(tmp_path / "dbot_faces", CPU)["model"]["teacher.round"]) == 1


def test_one_round_is_the_first_round_of_two(stored, tmp_path):
    """dBOT check 5 compares students after one round and after two."""
    folder, uids = stored
    data = solids(folder, uids, *FACES)
    one, two = small("dbot_faces", steps=4, batch=4, rounds=1), small("dbot_faces", steps=8, batch=4, rounds=2)
    two.load_state_dict(one.state_dict())
    for name, pretext in (("one", one), ("two", two)):
        train(pretext, data, data, PARAMS, tmp_path / name, lambda row: None, CPU)
    taught = two.teacher.network.encoder.state_dict()
    assert all(torch.equal(taught[k], v) for k, v in one.encoder.state_dict().items())
    assert not torch.equal(two.encoder.class_token, one.encoder.class_token)


def test_a_batch_in_parts_gives_the_losses_of_the_whole(stored, tmp_path, monkeypatch):
    """Where every part has as many hidden tokens that count; masks are fixed here, since parts draw their own, and
    patches of background count too."""
    monkeypatch.setattr(pixels, "shows_solid", lambda face, patch: torch.ones(len(face), 16).bool())
    folder, uids = stored
    data, losses = solids(folder, uids, "frames"), {}
    for batch, parts in ((4, 1), (4, 2), (2, 1)):
        pretext = fresh(8, "mae_images")
        pretext.params = pretext.params.model_copy(update={"batch": batch})
        pretext.mask.forward = lambda tokens, rng: Mask((torch.arange(16) % 3 > 0).expand(len(tokens.x), -1))
        params = PARAMS.model_copy(update={"accumulate": parts})
        rows = train(pretext, data, data, params, tmp_path / f"{batch}{parts}.pt", lambda row: None, CPU)
        losses[batch, parts] = [row["loss"] for row in rows]
    assert losses[4, 2] == pytest.approx(losses[4, 1], rel=1e-5)
    with pytest.raises(SettingsError, match="accumulate 3 does not divide batch 4"):
        params = PARAMS.model_copy(update={"accumulate": 3})
        train(fresh(8), data, data, params, tmp_path / "c.pt", lambda row: None, CPU)
    assert losses[2, 1] != pytest.approx(losses[4, 1], rel=1e-3), "control: half the batch is another training"


@pytest.mark.parametrize("name", known(METHODS))
def test_half_precision_trains_every_method_and_keeps_the_weights_in_float32(stored, tmp_path, name):
    folder, uids = stored
    pretext = fresh(3, name)
    data = solids(folder, uids, *pretext.reads)
    params = PARAMS.model_copy(update={"precision": "bf16"})
    half = train(pretext, data, data, params, tmp_path / "half.pt", lambda row: None, CPU)
    full = train(fresh(3, name), data, data, PARAMS, tmp_path / "full.pt", lambda row: None, CPU)
    assert {p.dtype for p in pretext.parameters()} == {torch.float32}
    assert half[0]["loss"] != full[0]["loss"] and half[0]["loss"] == pytest.approx(full[0]["loss"], rel=0.1)


def test_a_finished_training_is_not_trained_again(stored, tmp_path):
    folder, uids = stored
    data = solids(folder, uids, *FACES)
    history = train(fresh(4), data, data, PARAMS, tmp_path / "a.pt", lambda row: None, CPU)
    rows = []
    assert train(fresh(4), data, data, PARAMS, tmp_path / "a.pt", rows.append, CPU) == history
    assert rows == []


def test_held_out_terms_do_not_move_while_the_weights_do_not(stored):
    folder, uids = stored
    data, pretext = solids(folder, uids, *FACES), fresh(4)
    assert heldout_terms(pretext, data, 4, CPU, PARAMS) == heldout_terms(pretext, data, 4, CPU, PARAMS)


def test_a_loss_that_is_not_finite_names_the_step_and_the_solids(stored, tmp_path):
    folder, uids = stored
    data, pretext = solids(folder, uids, *FACES), fresh(4)
    with torch.no_grad():
        pretext.decoder.mask_token.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match=r"at step 0, solids .*#0"):
        train(pretext, data, data, PARAMS, tmp_path / "a.pt", lambda row: None, CPU)


def poison(pretext: Pretext, at: int, split: str) -> None:
    """From the forward on that comes after `at` steps, the gradients or the held-out losses are not finite, while the
    losses of the training are."""
    forward, steps = pretext.forward, [0]

    def poisoned(batch, rng):
        parts = forward(batch, rng)
        steps[0] += pretext.training
        if pretext.training and split == "train" and steps[0] > at:
            parts["loss"].register_hook(lambda gradient: gradient * float("inf"))
        if not pretext.training and split == "heldout" and steps[0] > at:
            parts["loss"] = parts["loss"] / 0
        return parts

    pretext.forward = poisoned


@pytest.mark.parametrize(
    "split, at, message", [("train", 4, "norm of the gradient is .* at step 4"), ("heldout", 4, "held-out .* step 6")]
)
def test_what_is_not_finite_stops_before_the_step_and_leaves_the_last_good_state(stored, tmp_path, split, at, message):
    folder, uids = stored
    data = solids(folder, uids, *FACES)
    whole = train(fresh(8), data, data, PARAMS, tmp_path / "whole.pt", lambda row: None, CPU)
    pretext, kept = fresh(8), []
    poison(pretext, at, split)
    with pytest.raises(FloatingPointError, match=message + r", solids .*#0.*; the last good state is kept"):
        train(pretext, data, data, PARAMS, tmp_path / "a.pt", lambda row: None, CPU, lambda s, _: kept.append(s))
    assert kept == [0, 4]
    assert all(torch.isfinite(p).all() for p in pretext.parameters()), "the optimizer did not step"
    rows = train(fresh(8), data, data, PARAMS, tmp_path / "a.pt", lambda row: None, CPU)
    assert rows == whole, "what was kept goes on as if nothing had been"


def test_every_epoch_shows_every_solid_once_in_another_order(stored):
    folder, uids = stored
    data = solids(folder, uids, *FACES)
    epochs = [[uid for step in range(4) for uid in data.at_step(0, 4 * e + step, 4).uid] for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(uids)
    assert epochs[0] != epochs[1]


def test_warmup_peak_and_end_of_the_learning_rate():
    rates = [lr_at(step, 100, 1.0, PARAMS.warmup) for step in range(100)]
    assert rates[0] == 0 and rates[10] == pytest.approx(0.5) and rates[99] < 0.001
    assert rates.index(max(rates)) == 20 and rates[20] == pytest.approx(1.0)


def test_tokens_biases_and_norms_do_not_decay():
    pretext = build("mae_images", _images(), SPEC)
    optimizer = adamw(pretext, 1e-3, OptimParams())
    free = {id(p) for p in optimizer.param_groups[1]["params"]}
    assert id(pretext.encoder.class_token) in free and id(pretext.decoder.mask_token) in free
    assert id(pretext.encoder.stack.norm.weight) in free
    assert id(pretext.decoder.embed.weight) not in free


def _images():
    from brep_mae import settings

    return settings.load().methods["mae_images"]
