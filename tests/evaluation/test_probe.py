"""The probe at every snapshot: it finds what features hold, learns from training labels alone, and skips what it can't
score."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from brep_mae.datasets.content import FACES
from brep_mae.evaluation.probe import Sides, probe
from brep_mae.evaluation.problem import labelled_order, tasks
from brep_mae.models.extractor import Features
from brep_mae.schema import UNLABELLED
from brep_mae.settings import ProbeParams
from tests.stored import solids, store

PARAMS = ProbeParams(solids=8, neighbours=3, workers=1)


class Oracle(nn.Module):
    """Features that are the labels themselves, on the solids `known`, and noise on all others."""

    def __init__(self, known=None):
        super().__init__()
        self.known = known

    def forward(self, batch):
        told = torch.tensor([self.known is None or uid in self.known for uid in batch.uid])
        face = F.one_hot(batch.faces.label.clamp(min=0), 3).float()
        solid = F.one_hot(batch.faces.part, 2).float()
        rng = torch.Generator().manual_seed(0)
        noise = torch.rand(face.shape, generator=rng), torch.rand(solid.shape, generator=rng)
        return Features(
            torch.where(told[batch.faces.solid][:, None], face, noise[0]), torch.where(told[:, None], solid, noise[1])
        )


@pytest.fixture
def data(tmp_path):
    uids = store(tmp_path)
    return solids(tmp_path, uids, *FACES), uids[:10], uids[10:]


def scores(backbone, sides, todo=None, params=PARAMS):
    rows = probe(backbone, tasks(3, 2) if todo is None else todo, sides, params)
    return {(row["task"], row["probe"]): row["score"] for row in rows}


def test_features_that_hold_the_labels_score_one_and_noise_does_not(data):
    sides = Sides.of(*data, PARAMS)
    found = scores(Oracle(), sides)
    keys = {(task, probe) for task in ("segmentation", "classification") for probe in ("linear", "knn")}
    assert found == dict.fromkeys(keys, 1.0)
    assert max(scores(Oracle(known=()), sides).values()) < 0.9


def test_labels_of_the_side_that_is_scored_teach_nothing(data):
    """Where they are told by other directions than those of the training side, every answer is wrong."""
    sides = Sides.of(*data, PARAMS)

    class Turned(Oracle):
        def forward(self, batch):
            found = super().forward(batch)
            return Features(found.face.roll(1, 1), found.solid.roll(1, 1)) if batch.uid[0] in data[2] else found

    assert set(scores(Turned(), sides).values()) == {0.0}


def test_the_labelled_solids_are_those_that_the_few_shot_study_labels_first(data):
    sides = Sides.of(*data, PARAMS)
    assert [uid for batch in sides.train for uid in batch.uid] == labelled_order(data[1], 0)[:8]
    assert [uid for batch in sides.validation for uid in batch.uid] == data[2]


def test_nearest_neighbours_vote_by_direction_not_by_length(data):
    """By Euclidean distance the short features of class 0 would be nearest to every short feature."""

    class Lengths(Oracle):
        def forward(self, batch):
            found = super().forward(batch)
            short = torch.tensor([0.1, 1.0, 1.0]) if batch.uid[0] in data[1] else 0.2
            return Features(found.face * short, found.solid)

    assert scores(Lengths(), Sides.of(*data, PARAMS))["segmentation", "knn"] == 1.0


def test_rows_without_a_label_count_nowhere(data):
    for uid in data[2]:
        data[0].faces(uid).label[1:] = UNLABELLED

    class Wrong(Oracle):
        def forward(self, batch):
            found = super().forward(batch)
            face = torch.where((batch.faces.label == UNLABELLED)[:, None], torch.tensor([0.0, 0, 1]), found.face)
            return Features(face, found.solid)

    assert scores(Wrong(), Sides.of(*data, PARAMS))["segmentation", "linear"] == 1.0


def test_a_task_that_cannot_be_scored_gives_no_row(data):
    for uid in (*data[1], *data[2]):
        data[0].faces(uid).part.fill_(0)
    assert {task for task, _ in scores(Oracle(), Sides.of(*data, PARAMS))} == {"segmentation"}
    for uid in data[2]:
        data[0].faces(uid).label.fill_(UNLABELLED)
    assert scores(Oracle(), Sides.of(*data, PARAMS)) == {}


def test_fewer_labelled_rows_than_neighbours_all_vote(data):
    params = ProbeParams(solids=5, neighbours=20, workers=1)
    assert ("classification", "knn") in scores(Oracle(), Sides.of(*data, params), params=params)
