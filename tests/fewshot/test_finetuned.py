"""What fine-tuning trains, for how long, and which layer answers in the end."""

from dataclasses import replace

import pytest
import torch

from brep_mae.fewshot.heads import finetuned, from_scratch, frozen
from tests.fewshot.test_fewshot import PARAMS, problem_of, rows_for, setup  # noqa: F401


def test_more_solids_take_more_steps_to_be_seen_as_often():
    params = PARAMS.model_copy(update={"steps": 50, "epochs": 10, "batch": 4})
    assert [finetuned.steps_of(params, solids) for solids in (1, 10, 20, 50, 101)] == [50, 50, 50, 125, 253]
    assert finetuned.steps_of(params.model_copy(update={"epochs": 0}), 1000) == 50


def test_training_spends_nothing_on_classes_that_no_label_shows(setup):  # noqa: F811
    """The probe puts them far below the others, and there they stay."""
    problem, uids = problem_of(setup), setup[1][:4]
    for uid in uids:
        problem.data.faces(uid).label.remainder_(2)
    labelled = rows_for(problem, uids)
    start = frozen.probe(3, labelled.x, labelled.y)
    _, head = finetuned.fine_tune(problem, start, labelled, 0)
    assert head.bias[2] <= start.bias[2] == frozen.NEVER
    assert not torch.equal(head.bias[:2], start.bias[:2])


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_layer_that_answers_is_the_trained_one_and_a_probe_of_the_trained_features(setup, share, monkeypatch):  # noqa: F811
    problem, uids = problem_of(setup), setup[1]
    problem = replace(problem, params=PARAMS.model_copy(update={"reprobed": share, "steps": 20}))
    labelled, asked, kept, own = rows_for(problem, uids[:4]), rows_for(problem, uids[4:8]), [], finetuned.fine_tune
    monkeypatch.setattr(finetuned, "fine_tune", lambda *args: kept.append(own(*args)) or kept[0])
    heads = []
    monkeypatch.setattr(finetuned, "predict", lambda backbone, layer, rows: heads.append(layer) or rows.y)
    finetuned.fit(problem, labelled, 0)(asked)
    (tuned, trained), (layer,) = kept[0], heads

    again = frozen.probe(3, finetuned.seen_by(tuned, labelled).x, labelled.y)
    before = frozen.probe(3, labelled.x, labelled.y)
    x = torch.from_numpy(finetuned.seen_by(tuned, asked).x)
    torch.testing.assert_close(layer(x), (1 - share) * trained(x) + share * again(x))
    assert not torch.allclose(again.weight, before.weight), "of what the backbone says after training"


def test_lower_layers_move_less_by_layer_decay(setup):  # noqa: F811
    problem = problem_of(setup)

    def moved(decay: float) -> tuple[float, float]:
        decayed = replace(problem, params=PARAMS.model_copy(update={"layer_decay": decay}))
        tuned, _ = finetuned.fine_tune(
            decayed, torch.nn.Linear(problem.backbone.dim, 3), rows_for(problem, setup[1][:2]), 0
        )
        pairs = [(m, getattr(problem.backbone, m), getattr(tuned, m)) for m in ("tokens", "encoder")]
        below, above = (
            max(float((a - b).detach().abs().max()) for a, b in zip(old.parameters(), new.parameters(), strict=True))
            for _, old, new in pairs
        )
        return below, above

    (alike, top), (less, same) = moved(1.0), moved(0.1)
    assert less == pytest.approx(alike / 100, rel=0.2) and same == pytest.approx(top, rel=0.2)


def test_fine_tuning_leaves_the_given_backbone_alone(setup):  # noqa: F811
    problem = problem_of(setup)
    before = {k: v.clone() for k, v in problem.backbone.state_dict().items()}
    tuned, _ = finetuned.fine_tune(
        problem, torch.nn.Linear(problem.backbone.dim, 3), rows_for(problem, setup[1][:2]), 0
    )
    assert all(torch.equal(v, problem.backbone.state_dict()[k]) for k, v in before.items())
    assert not torch.equal(tuned.encoder.stack.norm.weight, problem.backbone.encoder.stack.norm.weight)


def test_a_head_from_scratch_starts_from_random_weights_that_the_seed_alone_decides(setup, monkeypatch):  # noqa: F811
    problem, starts = problem_of(setup), []
    monkeypatch.setattr(finetuned, "fine_tune", lambda p, head, *rest: starts.append(head.weight) or (p.backbone, head))
    labelled = rows_for(problem, setup[1][:4])
    for mode, seed in ((from_scratch, 3), (finetuned, 3), (from_scratch, 3), (from_scratch, 4)):
        mode.fit(problem, labelled, seed)
    first, probed, again, other = starts
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert float(first.detach().abs().max()) <= problem.backbone.dim**-0.5 < float(probed.detach().abs().max())


def test_partial_fine_tuning_moves_the_last_layer_and_nothing_before_it(setup):  # noqa: F811
    problem = problem_of(setup)
    tuned, _ = finetuned.fine_tune(
        problem, torch.nn.Linear(problem.backbone.dim, 3), rows_for(problem, setup[1][:2]), 0, top_only=True
    )
    moved = {k for k, v in problem.backbone.state_dict().items() if not torch.equal(v, tuned.state_dict()[k])}
    assert moved and all("stack." in name for name in moved) and not any("tokens." in name for name in moved)
