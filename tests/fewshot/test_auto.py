"""The head that chooses: by cross-validation over whole labelled solids, and by nothing else."""

import numpy as np
import pytest
import torch

from brep_mae.evaluation.problem import Problem
from brep_mae.fewshot.heads import auto, frozen, majority
from tests.fewshot.test_fewshot import problem_of, rows_for, setup  # noqa: F401


@pytest.fixture
def problem(setup) -> Problem:  # noqa: F811
    """A task that the probe solves and the most frequent class does not: is a face's first feature above the median?"""
    planted, uids = problem_of(setup), setup[1]
    middle = np.median(rows_for(planted, uids).x[:, 0])
    for uid in uids:
        above = rows_for(planted, [uid]).x[:, 0] > middle
        planted.data.faces(uid).label.copy_(torch.from_numpy(above))
    return planted


@pytest.mark.parametrize("heads", [(majority.fit, frozen.fit), (frozen.fit, majority.fit)])
def test_it_takes_the_better_of_two_heads_in_either_order(problem, monkeypatch, heads):
    labelled, asked = (rows_for(problem, problem.data.uids[part]) for part in (slice(8), slice(8, None)))
    monkeypatch.setattr(auto, "HEADS", heads)
    answers = [fit(problem, labelled, 0)(asked) for fit in (auto.fit, frozen.fit, majority.fit)]
    assert np.array_equal(answers[0], answers[1]) and not np.array_equal(answers[0], answers[2])


@pytest.mark.parametrize(("solids", "sizes"), [(2, [1] * 2), (5, [4] * 5), (12, [9, 9, 10, 10, 10])])
def test_a_solid_is_held_out_whole_and_each_of_them_once(problem, monkeypatch, solids, sizes):
    learned, scored = [], []

    def head(problem, labelled, seed):
        learned.append([uid for batch in labelled.batches for uid in batch.uid])
        return lambda rows: scored.append([uid for batch in rows.batches for uid in batch.uid]) or rows.y

    monkeypatch.setattr(auto, "HEADS", (head,))
    uids = problem.data.uids[:solids]
    auto.fit(problem, rows_for(problem, uids), 0)
    *folds, last = learned
    assert sorted(map(len, folds)) == sizes and sorted(last) == sorted(uids)
    assert sorted(uid for fold in scored for uid in fold) == sorted(uids), "each solid once"
    assert all(sorted(a + b) == sorted(uids) for a, b in zip(folds, scored, strict=True)), "never learned from"


def test_a_tie_or_a_single_solid_is_the_probe_s(problem, monkeypatch):
    def not_asked(problem, labelled, seed):
        raise AssertionError("there is nothing to compare")

    asked = rows_for(problem, problem.data.uids[8:])
    for solids, heads in ((1, (frozen.fit, not_asked)), (4, (frozen.fit, lambda *given: frozen.fit(*given)))):
        labelled, chosen = rows_for(problem, problem.data.uids[:solids]), []
        monkeypatch.setattr(auto, "HEADS", heads)
        assert np.array_equal(auto.fit(problem, labelled, 0)(asked), frozen.fit(problem, labelled, 0)(asked)), chosen
