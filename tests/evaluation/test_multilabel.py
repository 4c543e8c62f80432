"""Which classes a solid shows: labels, pooled features and scores."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from brep_mae.datasets.batch import Batch, collate
from brep_mae.datasets.from_graph import from_graph
from brep_mae.evaluation.metrics import multilabel_scores
from brep_mae.evaluation.multilabel import UNKNOWN, f1_of_classes, in_question, macro_f1, pooled, shown_by_solids
from brep_mae.models.extractor import Features
from tests.synthetic import make_graph


def batch(labels: list[list[int]]) -> Batch:
    faces = collate([from_graph(make_graph(len(each)), frozenset({"faces"})) for each in labels])
    faces = faces.__class__(**vars(faces) | {"label": torch.tensor([c for each in labels for c in each])})
    return Batch(tuple("abc"[: len(labels)]), faces)


def test_a_solid_shows_the_classes_of_its_faces_and_what_no_labelled_face_has_may_be_unknown():
    found = shown_by_solids(batch([[0, 0, 2, 2], [1, -1, 1, 1], [-1, -1, -1, -1]]), 3)
    assert found.tolist() == [[1, 0, 1], [UNKNOWN, 1, UNKNOWN], [UNKNOWN] * 3]


def test_a_class_that_every_labelled_solid_shows_is_not_asked_for():
    shown = torch.tensor([[1, 1, 0, 1], [1, 0, 0, 1], [1, -1, 0, -1]])
    assert in_question(shown).tolist() == [1, 2, 3], "one that may be absent somewhere is"


def test_pooled_features_are_mean_and_maximum_of_the_faces_of_each_solid():
    given = batch([[0, 0, 0, 0], [0, 0, 0, 0, 0]])
    face = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    found = pooled(Features(face, torch.zeros(2, 3)), given)
    for row, own in zip(found, (face[:4], face[4:]), strict=True):
        assert torch.allclose(row, torch.cat([own.mean(0), own.max(0).values]))


def test_f1_is_that_of_scikit_learn_over_known_pairs_and_nothing_where_no_row_shows_the_class():
    rng = np.random.default_rng(0)
    shown, said = rng.integers(-1, 2, (40, 6)), rng.random((40, 6)) < 0.5
    shown[:, 5] = np.where(shown[:, 5] == 1, 0, shown[:, 5])
    found = f1_of_classes(torch.from_numpy(shown), torch.from_numpy(said)).numpy()
    for c in range(5):
        known = shown[:, c] >= 0
        assert found[c] == pytest.approx(f1_score(shown[known, c], said[known, c]))
    assert np.isnan(found[5])
    assert macro_f1(torch.from_numpy(shown), torch.from_numpy(said)) == pytest.approx(found[:5].mean())


def test_scores_of_a_case_worked_out_by_hand():
    shown = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, -1, 0]])
    probability = np.array([[0.9, 0.6, 0.1], [0.4, 0.7, 0.1], [0.2, 0.8, 0.9], [0.6, 0.9, 0.2]])
    found = multilabel_scores(shown, probability, probability >= 0.5)
    # class 0: 1 hit, 1 miss, 1 false alarm; class 1: 2 hits, 1 false alarm, its last row is not known; class 2: alarm
    assert found["f1"] == [pytest.approx(0.5), pytest.approx(0.8), None]
    assert found["macro_f1"] == pytest.approx(0.65) and found["micro_f1"] == pytest.approx(2 * 3 / (4 + 3 + 3))
    # ranked .9 yes, .6 no, .4 yes: (1 + 2 / 3) / 2; ranked .8 yes, .7 yes: 1
    assert found["average_precision"] == [pytest.approx(5 / 6), pytest.approx(1), None]
    assert found["map"] == pytest.approx((5 / 6 + 1) / 2)
    assert found["strict"] == 0
    assert multilabel_scores(shown, probability, shown == 1)["strict"] == 1


def test_thresholds_change_f1_and_not_the_mean_average_precision():
    rng = np.random.default_rng(1)
    shown, probability = rng.integers(0, 2, (50, 4)), rng.random((50, 4))
    low, high = (multilabel_scores(shown, probability, probability >= cut) for cut in (0.2, 0.8))
    assert low["map"] == high["map"] and low["macro_f1"] != high["macro_f1"]
