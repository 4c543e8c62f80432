"""The five acceptance checks of exclusive supermasks, with negative controls, and the numbers computed from a run."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brep_mae.checkpoints.weights import fingerprint
from brep_mae.continual.continual import ForgettingError, run_sequence, train_task
from brep_mae.continual.knowledge_transfer import transfer_scores
from brep_mae.continual.supermask import SupermaskModel
from tests.continual.runs import CASES, Run, answers, generator, trained
from tests.continual.supermask_nets import DIM, KINDS, Settings, make_model, make_task, shuffled_labels


@pytest.fixture(scope="module")
def exclusive() -> dict[tuple[str, str], Run]:
    return {case: trained(*case, "exssnet") for case in CASES}


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_check_1_logits_of_earlier_tasks_are_bit_identical(exclusive, case):
    """Check 1: torch.equal of every earlier task's logits, and a hash of its norm tensors, against the snapshot."""
    run = exclusive[case]
    for number, task in enumerate(run.tasks):
        assert torch.equal(answers(run.model, task, number), run.then[number])
        assert fingerprint(run.model.tasks[number].norm) == run.norm[number]


@pytest.mark.parametrize("kind", KINDS)
def test_check_1_holds_for_masks_alone(kind):
    """Check 1 in mode supsup, which owns no weight and leaves W as it was drawn."""
    run = trained(kind, "random", "supsup")
    assert all(torch.equal(answers(run.model, task, t), run.then[t]) for t, task in enumerate(run.tasks))
    assert fingerprint(run.model.weights()) == fingerprint(make_model(kind).weights())


@pytest.mark.parametrize("kind", KINDS)
def test_check_1_negative_control_without_exclusion_forgets(kind):
    """Check 1 must break in mode ssnet (the official code's `original`), and the result must say so."""
    tasks = [make_task(kind, seed) for seed in (0, 1)]
    tasks = [replace(task, val=task.train) for task in tasks]  # on others the best state may be the untrained one
    result = run_sequence(make_model(kind), tasks, Settings(weight_steps=12), "ssnet", generator())
    assert result.bit_identical == [[], [False]]


def test_check_1_raises_where_the_promise_is_broken(monkeypatch):
    """A defect that lets a task own all it uses must not pass as exssnet."""
    honest = SupermaskModel.fix_masks
    monkeypatch.setattr(SupermaskModel, "fix_masks", lambda self, task, mode: honest(self, task, "ssnet"))
    with pytest.raises(ForgettingError, match="training task 1 moved the logits of task 0"):
        run_sequence(make_model("conv"), [make_task("conv", s) for s in (0, 1)], Settings(), "exssnet", generator())


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_check_2_owned_sets_are_disjoint_while_masks_overlap(exclusive, case):
    """Check 2: E_i and E_j disjoint, |M_t| = n - int((1 - k) n), union of E = union of M, and some M_i, M_j overlap."""
    model = exclusive[case].model
    shared = 0
    for name, weight in model.weights().items():
        n = weight.numel()
        for state in model.tasks:
            assert int(state.masks[name].sum()) == n - int((1 - model.density) * n)
        for a, b in combinations(model.tasks, 2):
            assert not (a.own[name] & b.own[name]).any()
            shared += int((a.masks[name] & b.masks[name]).sum())
        assert torch.equal(sum(s.own[name].int() for s in model.tasks).bool(), model.used()[name])
    assert shared > 0


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_check_3_weights_outside_the_mask_do_not_matter(exclusive, case):
    """Check 3: randomise all weights outside M_t; the answers stay. Control: one weight inside moves them."""
    run = exclusive[case]
    kept = {name: weight.detach().clone() for name, weight in run.model.weights().items()}
    for number, task in enumerate(run.tasks):
        masks = run.model.tasks[number].masks
        for name, weight in run.model.weights().items():
            weight.data = torch.where(masks[name], kept[name], torch.randn(weight.shape, generator=generator()))
        assert torch.equal(answers(run.model, task, number), run.then[number])
        classifier = run.model.shared_classifier.weight
        classifier.data[0] += masks["shared_classifier.weight"][0].float()
        assert not torch.equal(answers(run.model, task, number), run.then[number])
        for name, weight in run.model.weights().items():
            weight.data = kept[name].clone()


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_check_4_each_phase_trains_one_thing(exclusive, case):
    """Check 4: phase 1 leaves the hash of W and changes S; phase 2 leaves that of all S and changes W."""
    moved = 0
    for name, pairs in exclusive[case].hashes.items():
        weights, scores = ({p[i] for p in pairs} for i in range(2))
        if name.endswith("/mask"):
            assert len(weights) == 1 and len(scores) > 1
        else:
            assert len(scores) == 1
            moved += len(weights) > 1
    assert moved == len(exclusive[case].tasks)


def noise_of(accuracy: float, rows: int) -> float:
    return 3 * (accuracy * (1 - accuracy) / rows) ** 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_check_5_transfer_picks_the_copy_and_refuses_noise(exclusive, kind):
    """Check 5: a copy of task i picks i; random labels give chance, and no transfer once the margin is on."""
    model = exclusive[kind, "random"].model
    before = fingerprint({f"{t}/{n}": s for t, state in enumerate(model.tasks) for n, s in state.scores.items()})
    norm = [fingerprint(state.norm) for state in model.tasks]
    task = replace(make_task(kind, 1, 3, batches=12), name="a copy")
    scores, report = transfer_scores(model, task.train, task.n_classes, "best", generator())
    assert report.chosen == [1], report
    assert report.accuracies[1] > report.threshold
    assert all(torch.equal(value, model.tasks[1].scores[name]) for name, value in scores.items())

    noise = shuffled_labels(make_task(kind, 7, batches=30))
    scores, report = transfer_scores(model, noise.train, 2, "best", generator(), margin=3.0)
    assert scores is None and report.chosen == []
    assert all(abs(accuracy - 0.5) < noise_of(0.5, report.rows) for accuracy in report.accuracies)

    for how in ("best", "all", "always"):
        scores, report = transfer_scores(model, task.train, task.n_classes, how, generator())
        for value in scores.values():
            value.mul_(-1)
    after = fingerprint({f"{t}/{n}": s for t, state in enumerate(model.tasks) for n, s in state.scores.items()})
    assert after == before and [fingerprint(state.norm) for state in model.tasks] == norm


def test_transfer_modes_differ_in_whom_they_take(exclusive):
    model = exclusive["conv", "random"].model
    noise = shuffled_labels(make_task("conv", 7, batches=30))
    always, report = transfer_scores(model, noise.train, 2, "always", generator(), margin=3.0)
    assert report.chosen == [int(np.argmax(report.accuracies))] and always is not None
    easy = make_task("conv", 0, batches=12)
    mean, report = transfer_scores(model, easy.train, 2, "all", generator())
    assert len(report.chosen) > 1
    name = "stem.0.weight"
    donors = torch.stack([model.tasks[t].scores[name] for t in report.chosen])
    assert torch.allclose(mean[name], donors.mean(0))
    assert transfer_scores(model, easy.train, 2, "none", generator())[0] is None


def test_transfer_gives_a_related_task_a_head_start():
    tasks = [make_task("conv", 0, 3), replace(make_task("conv", 0, 3), name="again")]
    reports = {}
    for transfer in ("none", "best"):
        settings = Settings(mask_steps=20, transfer=transfer)
        reports[transfer] = run_sequence(make_model("conv"), tasks, settings, "exssnet", generator()).reports[1]
    assert reports["best"].transferred.chosen == [0]
    assert reports["best"].steps_to_95 < reports["none"].steps_to_95


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda t: replace(t, train=[]), "no labelled row in its train"),
        (lambda t: replace(t, val=[(b, torch.full_like(y, -1)) for b, y in t.val]), "no labelled row in its val"),
        (lambda t: replace(t, test=[(b, y + 1) for b, y in t.test]), r"labels \[2\] in test"),
        (lambda t: replace(t, classes=("a", "b", "c"), val=[(b, y * 2) for b, y in t.val]), "c in val or test"),
        (lambda t: replace(t, classes=tuple("abcdefghi")), "9 classes; this model takes 2 to 3"),
        (lambda t: replace(t, name="task 0"), "already has a task of this name"),
        (lambda t: replace(t, train=[(b, y[:-1]) for b, y in t.train]), "47 labels for 48 rows"),
        (lambda t: replace(t, train=[(b * float("nan"), y) for b, y in t.train]), "loss nan"),
    ],
)
def test_a_bad_task_is_refused_with_the_reason_and_harms_nothing(exclusive, change, reason):
    run = exclusive["conv", "random"]
    state = fingerprint(run.model.weights())
    with pytest.raises((ValueError, FloatingPointError), match=reason):
        train_task(run.model, change(make_task("conv", 8)), Settings(), "exssnet", generator())
    assert len(run.model.tasks) == 3 and fingerprint(run.model.weights()) == state
    assert not any(p.requires_grad for p in run.model.parameters())


def test_failure_while_weights_train_puts_them_back(exclusive):
    run = exclusive["conv", "random"]
    state = fingerprint(run.model.weights())

    def stop(name: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        if name.endswith("/weights") and step > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_task(run.model, make_task("conv", 8), Settings(), "exssnet", generator(), on_step=stop)
    assert len(run.model.tasks) == 3 and fingerprint(run.model.weights()) == state
    assert all(torch.equal(answers(run.model, task, t), run.then[t]) for t, task in enumerate(run.tasks))


def test_hidden_shared_state_is_caught():
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = KINDS["conv"].net()
            self.register_buffer("scale", torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                self.scale.mul_(0.99)
            return self.net(x) * self.scale

    model = SupermaskModel(Counts(), 2, DIM, 0.3)
    with pytest.raises(RuntimeError, match="scale is shared by all tasks"):
        train_task(model, make_task("conv", 0), Settings(), "exssnet", generator())
