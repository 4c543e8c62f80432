"""Generated and real labels together: which of them is listened to."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from brep_mae.evaluation.problem import Problem
from brep_mae.fewshot.heads import forest, joint
from brep_mae.models.extractors.hops import Hops
from tests.fewshot.test_fewshot import problem_of, rows_for, setup  # noqa: F401


@pytest.fixture
def problem(setup, monkeypatch) -> Problem:  # noqa: F811
    """A task that a forest solves: is a face's first feature above the median?"""
    planted, uids = replace(problem_of(setup), backbone=Hops()), setup[1]
    middle = np.median(rows_for(planted, uids).x[:, 0])
    for uid in uids:
        above = rows_for(planted, [uid]).x[:, 0] > middle
        planted.data.faces(uid).label.copy_(torch.from_numpy(above))
    whole = forest.ExtraTreesClassifier
    monkeypatch.setattr(forest, "ExtraTreesClassifier", lambda trees, **rest: whole(20, **rest))
    return planted


def beside(problem: Problem, right: bool) -> Problem:
    """With many generated rows like those of the last solids, whose labels are right, or the other way round."""
    uids = problem.data.uids[8:]
    generated = rows_for(problem, uids)
    if not right:
        generated.y = 1 - generated.y
    return replace(problem, generated=generated)


def shares(monkeypatch) -> list[float]:
    """Filled with the share of every forest that is grown."""
    asked, mixed = [], joint.mixed
    monkeypatch.setattr(joint, "mixed", lambda a, b, share, *rest: asked.append(share) or mixed(a, b, share, *rest))
    return asked


def test_wrong_generated_labels_are_left_aside_and_right_ones_are_not(problem, monkeypatch):
    labelled, asked = rows_for(problem, problem.data.uids[:6]), rows_for(problem, problem.data.uids[6:8])
    grown = shares(monkeypatch)
    good = joint.fit(beside(problem, right=True), labelled, 0)(asked)
    assert grown.pop() < 1
    bad = joint.fit(beside(problem, right=False), labelled, 0)(asked)
    assert grown.pop() >= 0.6
    misled = joint.mixed(beside(problem, right=False).generated, labelled, 0.0, 0, 20).predict(asked.x)
    assert (misled == asked.y).mean() < 0.5 < min((good == asked.y).mean(), (bad == asked.y).mean())


def test_a_share_is_that_of_the_weight_whatever_the_numbers_of_rows(problem, monkeypatch):
    seen = []
    monkeypatch.setattr(joint, "grow", lambda x, y, seed, weight, trees: seen.append((y, weight)))
    generated, real = rows_for(problem, problem.data.uids[4:]), rows_for(problem, problem.data.uids[:1])
    for share in joint.SHARES:
        joint.mixed(generated, real, share, 0, 20)
        y, weight = seen.pop()
        assert weight.sum() == pytest.approx(len(y))
        if share in (0, 1):
            assert np.array_equal(y, (generated, real)[share == 1].y)
        else:
            assert weight[len(generated.y) :].sum() / weight.sum() == pytest.approx(share)


def test_one_labelled_solid_chooses_nothing_and_no_generated_label_is_the_forest(problem, monkeypatch):
    labelled, asked = rows_for(problem, problem.data.uids[:1]), rows_for(problem, problem.data.uids[6:])
    grown = shares(monkeypatch)
    joint.fit(beside(problem, right=True), labelled, 0)
    assert grown == [joint.SHARES[0]]
    assert np.array_equal(joint.fit(problem, labelled, 0)(asked), forest.fit(problem, labelled, 0)(asked))
    assert len(grown) == 1
