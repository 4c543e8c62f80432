"""Answers averaged over unlabelled neighbours by codes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.evaluation.problem import Problem, every_row, in_batches
from brep_mae.fewshot.heads import forest, neighbours
from brep_mae.models.extractor import FeatureExtractor, Features
from brep_mae.models.extractors.joined import Joined
from tests.fewshot.test_fewshot import problem_of, rows_for, setup  # noqa: F401


class Planted(FeatureExtractor):
    """Tells the classes of faces (`labels`), another one for a share `wrong` of them."""

    reads = frozenset({"faces"})

    def __init__(self, labels: dict[str, torch.Tensor], wrong: float, width: int) -> None:
        super().__init__()
        self.labels, self.wrong, self.dim = labels, wrong, width

    def forward(self, batch: Batch) -> Features:
        found = []
        for uid in batch.uid:
            rng = torch.Generator().manual_seed(int.from_bytes(uid.encode()[-3:]) + self.dim)
            told, noise = self.labels[uid], torch.rand(len(self.labels[uid]), self.dim + 1, generator=rng)
            told = torch.where(noise[:, 0] < self.wrong, (told + 1) % 3, told)
            found.append(F.one_hot(told, self.dim) + 0.01 * noise[:, 1:])
        return Features(torch.cat(found), torch.zeros(len(batch.uid), self.dim))


@pytest.fixture
def problem(setup) -> Problem:  # noqa: F811
    """Plain features that are wrong about a third of the faces, and codes by which faces of a class are alike."""
    given = problem_of(setup)
    labels = {uid: given.data.faces(uid).label.clamp(min=0) for uid in setup[1]}
    for uid, label in labels.items():
        given.data.faces(uid).label.copy_(label)
    both = Joined(Planted(labels, 0.33, 3), Planted(labels, 0.0, 5))
    others = in_batches(given.data, setup[1][4:12])
    return replace(given, backbone=both, unlabelled=lambda: every_row(given.task, both, others))


def test_what_faces_alike_are_taken_for_mends_answers_that_a_forest_on_plain_features_gets_wrong(problem):
    labelled, asked = rows_for(problem, problem.data.uids[:4]), rows_for(problem, problem.data.uids[12:])
    plain = replace(problem, backbone=next(iter(problem.backbone.both)))
    alone = forest.fit(plain, rows_for(plain, problem.data.uids[:4]), 0)(rows_for(plain, problem.data.uids[12:]))
    assert (alone == asked.y).mean() < 0.8
    assert (neighbours.fit(problem, labelled, 0)(asked) == asked.y).all()


def test_no_class_is_learned_from_codes_and_none_is_read_of_unlabelled_solids(problem):
    labelled, asked = rows_for(problem, problem.data.uids[:4]), rows_for(problem, problem.data.uids[12:])
    first = neighbours.fit(problem, labelled, 0)(asked)
    labelled.x[:, 3:] = np.eye(5)[(labelled.y + 1) % 3]  # to a forest that reads codes they tell another class
    for uid in problem.data.uids[4:12]:
        problem.data.faces(uid).label.zero_()
    assert np.array_equal(neighbours.fit(problem, labelled, 0)(asked), first)


def test_without_unlabelled_solids_it_is_the_forest_on_plain_features_and_one_encoder_is_both(problem):
    labelled, asked = rows_for(problem, problem.data.uids[:4]), rows_for(problem, problem.data.uids[12:])
    none = replace(problem, unlabelled=lambda: labelled.x[:0])
    grown = forest.grow(labelled.x[:, :3], labelled.y, 0)
    assert np.array_equal(neighbours.fit(none, labelled, 0)(asked), grown.predict(asked.x[:, :3]))
    _, codes = problem.backbone.both
    others = in_batches(problem.data, problem.data.uids[4:12])
    single = replace(problem, backbone=codes, unlabelled=lambda: every_row(problem.task, codes, others))
    rows, told = (rows_for(single, problem.data.uids[part]) for part in (slice(4), slice(12, None)))
    assert (neighbours.fit(single, rows, 0)(told) == told.y).all()
