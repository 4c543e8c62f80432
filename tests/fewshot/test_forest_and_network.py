"""The forest on plain features and the fine-tuned network, answering together."""

from dataclasses import replace

import numpy as np
import pytest

from brep_mae.evaluation.problem import Problem
from brep_mae.fewshot.heads import finetuned, forest, forest_and_network
from brep_mae.models.extractors.hops import Hops
from brep_mae.models.extractors.joined import Joined
from tests.fewshot.test_fewshot import problem_of, rows_for, setup  # noqa: F401


@pytest.fixture
def problem(setup) -> Problem:  # noqa: F811
    given = problem_of(setup)
    return replace(given, backbone=Joined(Hops(), given.backbone), params=given.params.model_copy(update={"steps": 20}))


def both_sides(problem: Problem):
    return rows_for(problem, problem.data.uids[:4]), rows_for(problem, problem.data.uids[4:])


def alone(problem: Problem, head, which: int) -> np.ndarray:
    """What a head says that has one of the two encoders."""
    one = replace(problem, backbone=[*problem.backbone.both][which])
    learned, asked = both_sides(one)
    return head.fit(one, learned, 0)(asked)


@pytest.mark.parametrize("weight, head, which", [(0.0, forest, 0), (1e6, finetuned, 1)])
def test_each_of_the_two_learns_from_its_own_encoder_as_it_does_alone(problem, monkeypatch, weight, head, which):
    monkeypatch.setattr(forest_and_network, "NETWORK", weight)
    learned, asked = both_sides(problem)
    assert np.array_equal(forest_and_network.fit(problem, learned, 0)(asked), alone(problem, head, which))


def test_where_the_two_disagree_either_of_them_can_be_right(problem):
    learned, asked = both_sides(problem)
    told = forest_and_network.fit(problem, learned, 0)(asked)
    grown, tuned = alone(problem, forest, 0), alone(problem, finetuned, 1)
    apart = grown != tuned
    assert (told == grown)[apart].any() and (told == tuned)[apart].any()
    assert (told == grown)[~apart].all()


@pytest.mark.parametrize("shown", [{1, 2}, {1}])
def test_a_class_that_no_label_shows_is_never_told(problem, shown):
    learned, asked = both_sides(problem)
    for labels in (learned.y, *(batch.faces.label.numpy() for batch in learned.batches)):
        labels[(labels >= 0) & ~np.isin(labels, [*shown])] = max(shown)
    assert {*learned.y} == shown
    assert {*forest_and_network.fit(problem, learned, 0)(asked)} <= shown
