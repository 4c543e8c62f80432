"""Messages over frozen features: a face hears of its neighbours, and what was pretrained stays as it is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.datasets.content import FACES
from brep_mae.evaluation.problem import FewshotTask, Problem, Rows, features_of, in_batches, tasks
from brep_mae.fewshot.heads import frozen, max_relative
from brep_mae.fewshot.heads.max_relative import ROUNDS, MaxRelative
from brep_mae.models.extractor import FeatureExtractor, Features
from brep_mae.settings import FewshotParams
from tests.stored import solids, store
from tests.synthetic import make_batch

TYPES = 5


class Types(FeatureExtractor):
    """A face is its surface type and nothing else; a weight that training could move, and a mode that it could set."""

    reads, dim = frozenset({"faces"}), TYPES

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(TYPES))
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, batch: Batch) -> Features:
        face = self.drop(self.scale * F.one_hot(batch.faces.surface, TYPES).float())
        return Features(face, face.new_zeros(len(batch.uid), TYPES).index_add(0, batch.faces.solid, face))


def beside_a_plane(batch: Batch) -> Tensor:
    """1 = a neighbour has surface type 0, which the face's own type does not say."""
    i, j = batch.faces.arc_index
    found = torch.zeros(len(batch.faces.surface), dtype=torch.long)
    found[i[batch.faces.surface[j] == 0]] = 1
    return found


@pytest.fixture
def problem(tmp_path) -> Problem:
    uids = store(tmp_path, 40)
    params = FewshotParams(
        shots=[20], seeds=1, steps=300, batch=8, lr=0.01, head_lr=0.01, noise=0.0, unlabelled=1, workers=1
    )
    task = FewshotTask("beside", 2, lambda f: f.face, beside_a_plane, lambda b: b.faces.solid)
    return Problem(task, Types().eval(), solids(tmp_path, uids, *FACES), lambda: np.zeros((0, TYPES)), params)


def rows(problem: Problem, *uids: str) -> Rows:
    batches = in_batches(problem.data, uids)
    return Rows(problem.task, batches, features_of(problem.backbone, batches))


def test_tells_what_only_neighbours_show(problem):
    uids = list(problem.data.uids)
    train, test = rows(problem, *uids[:30]), rows(problem, *uids[30:])
    right = {
        head.__name__: float((head.fit(problem, train, 0)(test) == test.y).mean()) for head in (frozen, max_relative)
    }
    commonest = float(np.bincount(test.y).max() / len(test.y))
    assert right[max_relative.__name__] > 0.9 > max(commonest, right[frozen.__name__]) + 0.1


def test_the_backbone_stays_as_it_is(problem, monkeypatch):
    kept, before = [], problem.backbone.scale.clone()
    own = max_relative.fine_tune
    monkeypatch.setattr(max_relative, "fine_tune", lambda *args: kept.append(own(*args)) or kept[0])
    max_relative.fit(problem, rows(problem, *problem.data.uids[:4]), 0)
    network = kept[0][0]
    assert torch.equal(network.codes.scale, before) and torch.equal(problem.backbone.scale, before)
    assert not network.train().codes.drop.training and network.of_face.training


def test_messages_reach_as_far_as_there_are_rounds():
    torch.manual_seed(0)
    network, batch = MaxRelative(Types()).eval(), make_batch([8])
    path = torch.arange(7)
    index = torch.cat([torch.stack([path, path + 1]), torch.stack([path + 1, path])], 1)
    surface = torch.zeros(8, dtype=torch.long)
    first, second = (
        network(replace(batch, faces=replace(batch.faces, arc_index=index, surface=surface + at))).face
        for at in (0, F.one_hot(torch.tensor(0), 8))
    )
    moved = (first - second).abs().amax(1)
    assert (moved[: ROUNDS + 1] > 1e-6).all() and (moved[ROUNDS + 1 :] == 0).all()


def test_solids_are_classified_by_their_faces_and_each_alone():
    torch.manual_seed(0)
    network, both = MaxRelative(Types()).eval(), make_batch([6, 4])
    assert network(both).solid.shape == (2, TYPES)
    assert torch.equal(network(both).solid[:1], network(make_batch([6])).solid)


def test_one_class_is_said_of_every_face_however_short_the_training(problem):
    task = replace(tasks(2, 0)[0], labels=lambda b: torch.zeros(len(b.faces.surface)).long())
    short = replace(problem, task=task, params=problem.params.model_copy(update={"steps": 1, "lr": 1e-6}))
    labelled = rows(short, *problem.data.uids[:2])
    for seed in range(5):
        assert (max_relative.fit(short, labelled, seed)(labelled) == 0).all()
