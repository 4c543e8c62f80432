"""Sequences of tasks: what counts, what is kept, what is reported, and the baselines."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from brep_mae.checkpoints.weights import fingerprint
from brep_mae.continual.continual import run_sequence, train_alone, train_task
from brep_mae.continual.continual_baselines import run_baseline
from brep_mae.continual.continual_fit import evaluate, steps_to_95
from brep_mae.continual.continual_result import ContinualResult
from tests.continual.runs import generator, trained
from tests.continual.supermask_nets import DIM, KINDS, Settings, make_model, make_task


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
