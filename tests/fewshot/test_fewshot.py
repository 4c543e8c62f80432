"""The few-shot protocol: same labelled solids for all, honest scores, no test label in any choice."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from brep_mae import plugins, settings
from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.checks import SettingsError
from brep_mae.composition.pretext import build
from brep_mae.datasets.content import FACES
from brep_mae.datasets.loader import Solids
from brep_mae.evaluation.metrics import confusion, scores
from brep_mae.evaluation.problem import Problem, Rows, every_row, features_of, in_batches, labelled_order, tasks
from brep_mae.fewshot import fewshot
from brep_mae.fewshot.fewshot import MAJORITY, EncoderSource, compare, head
from brep_mae.fewshot.heads import finetuned, forest, self_trained
from brep_mae.schema import UNLABELLED
from brep_mae.settings import FewshotParams
from tests.contracts.test_methods import SPEC
from tests.stored import solids, store

PARAMS = FewshotParams(
    shots=[1, 4], seeds=2, steps=3, batch=2, lr=1e-3, head_lr=1e-2, noise=0.1, unlabelled=6, workers=1
)


MODES = ("frozen", "finetuned")
ALL_MODES = plugins.known(plugins.HEADS)


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fewshot")
    uids = store(folder)
    for name, extra in (("mae_faces", {}), ("mae_images", {"patch": 4})):
        tiny = {"dim": 32, "depth": 1, "heads": 2}
        values = dict(settings.load().methods[name]) | {"size": tiny, "decoder": tiny} | extra
        save_backbone(folder / name, build(name, values, SPEC).backbone(), name, values, SPEC, "digest")
    return folder, uids


def rows_of(setup, name, data: Solids | None = None, modes=MODES):
    folder, uids = setup
    source = EncoderSource.stored(name, "faces", folder / name, pretrained=True)
    data = data or solids(folder, uids, *FACES, "frames")
    return list(compare(source, modes, 0, tasks(3, 2), data, labelled_order(uids[:10], 0), uids[10:], PARAMS))


def problem_of(setup) -> Problem:
    folder, uids = setup
    backbone = EncoderSource.stored("mae_faces", "faces", folder / "mae_faces", True).backbone(0)
    task, data = tasks(3, 0)[0], solids(folder, uids, *FACES)
    return Problem(task, backbone, data, lambda: every_row(task, backbone, in_batches(data, uids[4:10])), PARAMS)


def rows_for(problem: Problem, uids) -> Rows:
    batches = in_batches(problem.data, uids)
    return Rows(problem.task, batches, features_of(problem.backbone, batches))


@pytest.mark.parametrize("name", ["mae_faces", "mae_images"])
def test_a_row_per_task_shots_and_mode(setup, name):
    rows = rows_of(setup, name)
    assert {(r["task"], r["shots"], r["mode"]) for r in rows} == {
        (t, n, m) for t in ("segmentation", "classification") for n in (1, 4) for m in ("frozen", "finetuned")
    }
    assert all(0 <= r[k] <= 1 for r in rows for k in ("micro", "per_part", "miou", "covered", "ceiling"))


def test_of_no_solid_there_are_no_rows_as_wide_as_those_of_some(setup):
    problem = problem_of(setup)
    some = in_batches(problem.data, setup[1][:2])
    for task, width in zip(tasks(3, 2), (problem.backbone.dim, problem.backbone.solid_dim), strict=True):
        rows, none = (every_row(task, problem.backbone, batches) for batches in (some, []))
        assert none.shape == (0, width) and rows.shape[1] == width and none.dtype == rows.dtype


def test_same_seed_same_rows(setup):
    def numbers(rows):
        return [{k: v for k, v in r.items() if k != "seconds"} for r in rows]

    assert numbers(rows_of(setup, "mae_faces")) == numbers(rows_of(setup, "mae_faces"))


def test_labelled_solids_are_nested_the_same_for_all_encoders_and_differ_between_seeds():
    uids = [f"u{i}" for i in range(50)]
    assert labelled_order(uids, 0) == labelled_order(uids, 0)
    assert labelled_order(uids, 0)[:5] != labelled_order(uids, 1)[:5]


def test_classes_take_turns_where_a_solid_is_what_is_classified():
    uids, classes = [f"u{i}" for i in range(40)], [0] * 25 + [1] * 10 + [2] * 5
    order = labelled_order(uids, 3, classes)
    of = dict(zip(uids, classes, strict=True))
    assert sorted(order) == sorted(uids)
    assert all(sorted(of[u] for u in order[3 * k : 3 * k + 3]) == [0, 1, 2] for k in range(5))
    assert order != labelled_order(uids, 4, classes)


def test_noise_in_place_of_test_labels_changes_no_prediction(setup, monkeypatch):
    """Test labels are read by the scores alone: every prediction is the same when they are noise."""
    folder, uids = setup
    predictions = []

    def record(truth, predicted, *rest):
        predictions.append(predicted.copy())
        return scores(truth, predicted, *rest)

    monkeypatch.setattr(fewshot, "scores", record)
    rows_of(setup, "mae_faces", modes=ALL_MODES)
    clean, predictions[:] = predictions[:], []

    data = solids(folder, uids, *FACES, "frames")
    for uid in uids[10:]:
        faces = data.faces(uid)
        faces.label.copy_(torch.randint(0, 3, faces.label.shape))
        faces.part.copy_(torch.randint(0, 2, faces.part.shape))
    rows_of(setup, "mae_faces", data, ALL_MODES)
    assert len(clean) == 2 * 2 * len(ALL_MODES) and all(
        np.array_equal(a, b) for a, b in zip(clean, predictions, strict=True)
    )


def test_solids_set_aside_choose_among_states_and_do_not_train(setup, monkeypatch):
    folder, uids = setup
    asked, params = [], PARAMS.model_copy(update={"holdout": 0.5, "shots": [1, 4], "steps": 10})

    def record(problem, labelled, seed):
        asked.append((len(labelled.batches), len(problem.validation.batches)))
        return forest.fit(problem, labelled, seed)

    monkeypatch.setattr(fewshot, "head", lambda mode: record)
    source = EncoderSource.stored("mae_faces", "faces", folder / "mae_faces", pretrained=True)
    data = solids(folder, uids, *FACES)
    list(compare(source, ["any"], 0, tasks(3, 0), data, labelled_order(uids[:10], 0), uids[10:], params))
    assert asked == [(2, 2)], "one solid leaves nothing to train on"

    problem = problem_of(setup)
    states, start = [], torch.nn.Linear(problem.backbone.dim, 3)
    monkeypatch.setattr(finetuned, "predict", lambda backbone, head, rows: states.append(head.weight.clone()) or rows.y)
    aside = rows_for(problem, uids[4:6])
    chosen = replace(problem, validation=aside, params=params)
    _, head = finetuned.fine_tune(chosen, start, rows_for(problem, uids[:2]), 0)
    assert len(states) == 1 + finetuned.CHECKS and torch.equal(head.weight, states[-1]), "of equals the last"
    for best in (0, 2):
        answers = iter([aside.y if i == best else (aside.y + 1) % 3 for i in range(1 + finetuned.CHECKS)])
        monkeypatch.setattr(finetuned, "predict", lambda backbone, head, rows, answers=answers: next(answers))
        tuned, head = finetuned.fine_tune(chosen, start, rows_for(problem, uids[:2]), 0)
        assert torch.equal(head.weight, states[best]), "it told most rows right"
        moved = [not torch.equal(a, b) for a, b in zip(tuned.parameters(), problem.backbone.parameters(), strict=True)]
        assert any(moved) == (best > 0), "the start is one of the states"


def test_fine_tuning_asks_the_frozen_backbone_about_no_test_solid(setup, monkeypatch):
    folder, uids = setup
    asked = []

    @torch.no_grad()
    def features(backbone, batches):
        for batch in batches:
            asked.extend(batch.uid)
            yield backbone(batch)

    monkeypatch.setattr(fewshot, "features_of", features)
    source = EncoderSource.stored("mae_faces", "faces", folder / "mae_faces", pretrained=True)
    order, params = labelled_order(uids[:10], 0), PARAMS.model_copy(update={"shots": [4]})
    for modes in (["finetuned"], ["frozen"]):
        list(compare(source, modes, 0, tasks(3, 2), solids(folder, uids, *FACES), order, uids[10:], params))
        assert Counter(asked) == Counter(order[:4] + (uids[10:] if modes == ["frozen"] else [])), "once for both tasks"
        asked.clear()


def test_majority_says_the_most_frequent_labelled_class(setup):
    folder, uids = setup
    data = solids(folder, uids, *FACES)
    source, modes = MAJORITY
    rows = list(compare(source, modes, 0, tasks(3, 0), data, labelled_order(uids[:10], 0), uids[10:], PARAMS))
    assert [r["shots"] for r in rows] == [1, 4]
    labels = torch.cat([data.faces(u).label for u in labelled_order(uids[:10], 0)[:4]])
    guess = labels.bincount().argmax()
    truth = torch.cat([data.faces(u).label for u in uids[10:]])
    assert rows[1]["micro"] == pytest.approx(float((truth == guess).float().mean()))


def test_self_training_reads_unlabelled_solids_but_not_their_labels(setup):
    problem = problem_of(setup)
    data, uids = problem.data, setup[1]
    labelled, asked = rows_for(problem, uids[:4]), rows_for(problem, uids[10:])
    first = self_trained.fit(problem, labelled, 0)(asked)
    for uid in uids[4:10]:
        data.faces(uid).label.copy_((data.faces(uid).label + 1) % 3)
    assert np.array_equal(self_trained.fit(problem, labelled, 0)(asked), first)
    alone = replace(problem, unlabelled=lambda: labelled.x[:0])
    assert np.array_equal(self_trained.fit(alone, labelled, 0)(asked), forest.fit(alone, labelled, 0)(asked))


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
    problem = replace(problem_of(setup), params=PARAMS.model_copy(update={"batch": 1, "steps": 8}))
    problem.data.faces(setup[1][0]).label.fill_(UNLABELLED)
    labelled = rows_for(problem, setup[1][:2])
    tuned, _ = finetuned.fine_tune(problem, torch.nn.Linear(problem.backbone.dim, 3), labelled, 0)
    assert all(bool(p.isfinite().all()) for p in tuned.parameters())


def test_a_head_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(SettingsError, match=r"no head forrest; known are .* forest, .*frozen, .*; forest\?"):
        head("forrest")
