"""The five acceptance checks of exclusive supermasks, with negative controls, and the numbers computed from a run."""

import json
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brep_mae.checkpoints.weights import fingerprint
from brep_mae.continual.continual import ForgettingError, run_sequence, train_alone, train_task
from brep_mae.continual.continual_baselines import run_baseline
from brep_mae.continual.continual_fit import Task, evaluate, steps_to_95
from brep_mae.continual.continual_result import ContinualResult
from brep_mae.continual.knowledge_transfer import transfer_scores
from brep_mae.continual.supermask import SupermaskModel
from tests.transfer.supermask_nets import DIM, KINDS, Settings, make_model, make_task, shuffled_labels

CASES = [
    (kind, base) for kind in KINDS for base in ("random", "pretrained") if (kind, base) != ("resnet18", "pretrained")
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def answers(model: SupermaskModel, task: Task, number: int) -> Tensor:
    model.eval()
    with torch.no_grad():
        return model(task.test[0][0], number)


@dataclass
class Run:
    """A trained model, what its logits were when each task ended, and hashes of W and S at each step of training."""

    model: SupermaskModel
    tasks: list[Task]
    then: list[Tensor] = field(default_factory=list)
    norm: list[str] = field(default_factory=list)
    hashes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def trained(kind: str, base: str, mode: str) -> Run:
    tasks = [make_task(kind, seed, n) for seed, n in ((0, 2), (1, 3), (2, 2))]
    run = Run(make_model(kind, base), tasks)

    def record(name: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        scores = {f"{t}/{n}": s for t, state in enumerate(run.model.tasks) for n, s in state.scores.items()}
        run.hashes.setdefault(name, []).append((fingerprint(run.model.weights()), fingerprint(scores)))

    rng = generator()
    for number, task in enumerate(tasks):
        train_task(run.model, task, Settings(), mode, rng, on_step=record)
        run.then.append(answers(run.model, task, number))
        run.norm.append(fingerprint(run.model.tasks[number].norm))
    return run


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


def test_ignored_rows_count_neither_in_loss_nor_in_accuracy():
    task = make_task("graph", 0)

    def blank(split, fill):
        rows = torch.arange(48) % 2 == 0
        return [
            (b, labels.masked_fill(rows, -1) if fill is None else labels.masked_fill(rows, fill)) for b, labels in split
        ]

    ignored = replace(task, train=blank(task.train, None), val=blank(task.val, None), test=blank(task.test, None))
    result = run_sequence(make_model("graph"), [ignored], Settings(), "exssnet", generator())
    model = make_model("graph")
    train_task(model, ignored, Settings(), "exssnet", generator())
    right = rows = 0
    for batch, labels in ignored.test:
        with torch.no_grad():
            guess = model.eval()(batch, 0).argmax(1)
        right += int((guess == labels)[labels >= 0].sum())
        rows += int((labels >= 0).sum())
    assert result.accuracy[0, 0] == right / rows


def test_the_best_state_on_validation_is_kept_not_the_last():
    model, task = make_model("vit", "pretrained"), make_task("vit", 0, 3)
    report = train_task(model, task, Settings(12, 12, weight_lr=0.2), "exssnet", generator())
    accuracies = [accuracy for _, accuracy in report.curve]
    kept = evaluate(model, model, task.val, 0)[0]
    assert kept == report.val_accuracy == max(accuracies) > accuracies[-1]


def test_without_a_validation_split_the_last_state_is_kept():
    task, states = replace(make_task("vit", 0, 3), val=[], test=[]), []
    model = make_model("vit", "pretrained")

    def record(name: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        assert set(metrics) == {"loss"}
        states.append(fingerprint(model.weights()))

    report = train_task(model, task, Settings(12, 12, weight_lr=0.2), "exssnet", generator(), on_step=record)
    assert (report.curve, report.val_accuracy, report.steps_to_95) == ([], None, None)
    assert states[0] != states[-1] == fingerprint(model.weights())
    with pytest.raises(ValueError, match="no labelled row in its val"):
        run_sequence(make_model("vit"), [task], Settings(), "exssnet", generator())


def test_result_numbers_by_hand():
    result = ContinualResult.empty("exssnet", ["a", "b", "c"])
    result.accuracy[:] = [[0.9, np.nan, np.nan], [0.95, 0.6, np.nan], [0.5, 0.7, 0.8]]
    assert result.average_accuracy == pytest.approx(2 / 3)
    assert result.forgetting == pytest.approx([0.5 - 0.95, 0.7 - 0.6])
    assert result.forward_transfer([0.8, 0.7, 0.8]) == pytest.approx([0.1, -0.1, 0.0])
    assert json.loads(json.dumps(result.to_dict()))["accuracy"][0] == [0.9, None, None]
    assert steps_to_95([(0, 0.1), (5, 0.94), (10, 0.95), (20, 1.0)], 1.0) == 10


def test_sequence_reports_capacity_overlap_and_progress(tmp_path):
    seen = []
    tasks = [make_task("conv", s) for s in (0, 1)]
    model = make_model("conv")
    result = run_sequence(
        model, tasks, Settings(), "exssnet", generator(), on_step=lambda *a: seen.append(a), folder=tmp_path
    )
    assert result.forgetting == [0.0] and result.bit_identical == [[], [True]]
    first, second = (sum(result.capacity[name][t] for name in result.sizes) for t in range(2))
    size = sum(int(mask.sum()) for mask in model.tasks[1].masks.values())
    assert result.overlap[1, 0] == pytest.approx((size - second) / size)
    assert (first, second) == tuple(report.own for report in result.reports)
    assert {name for name, *_ in seen} == {f"task {t}/{phase}" for t in (0, 1) for phase in ("mask", "weights")}
    assert {"loss", "val_loss", "val_accuracy"} == set(seen[0][3])
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "base.safetensors",
        "task_00000.safetensors",
        "task_00001.safetensors",
    ]
    alone = train_alone(lambda: make_model("conv"), tasks, Settings(), "exssnet", generator())
    assert result.forward_transfer(alone)[0] == result.accuracy[0, 0] - alone[0]


def test_same_seed_same_masks():
    runs = [trained("vit", "random", "exssnet") for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(runs[0].then, runs[1].then, strict=True))


def test_full_network_still_takes_tasks_by_mask_alone():
    model, rng = make_model("conv", density=0.9), generator()
    for seed in range(12):
        report = train_task(model, make_task("conv", seed, batches=1), Settings(3, 2), "exssnet", rng)
    assert all(bool(used.all()) for used in model.used().values())
    assert report.own == 0 and not any(name_own.any() for name_own in model.tasks[-1].own.values())


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


def test_baselines_fine_tuning_forgets_frozen_does_not_and_joint_fills_the_last_row():
    tasks = [make_task("conv", seed) for seed in (0, 1, 2)]
    run = {}
    for kind in ("finetune", "frozen", "joint"):
        torch.manual_seed(5)
        run[kind] = run_baseline(KINDS["conv"].net, DIM, tasks, Settings(15, 10, weight_lr=0.01), kind, generator())
    assert run["finetune"].bit_identical[-1] == [False, False] and min(run["finetune"].forgetting) < -0.1
    assert run["frozen"].bit_identical[-1] == [True, True] and run["frozen"].forgetting == [0.0, 0.0]
    assert np.isnan(run["joint"].accuracy[0, 0]) and run["joint"].average_accuracy > run["finetune"].average_accuracy
    assert run["joint"].reports[0].curve[-1][0] == 3 * 25
