"""Classes of a data set as tasks: what counts in each, and what is left out."""

import numpy as np
import pytest
import torch

from brep_mae.continual.class_tasks import (
    TaskBatch,
    TaskFeatures,
    class_groups,
    face_tasks,
    multilabel_tasks,
    sample_tasks,
)
from brep_mae.datasets.content import FACES
from brep_mae.schema import UNLABELLED
from tests.contracts.test_methods import small
from tests.stored import N_FACES, solids, store
from tests.synthetic import make_batch

NAMES = ["hole", "slot", "step"]  # a face's class is its number modulo 3, a solid's its number modulo 2


@pytest.fixture
def sides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    uids = store(folder)
    cut = {"train": uids[:8], "validation": uids[8:12], "test": uids[12:]}
    return {side: solids(folder, part, *FACES) for side, part in cut.items()}


def test_faces_of_other_classes_stay_in_the_graph_and_are_ignored(sides):
    [task] = face_tasks(sides, [[2, 0]], NAMES, 3)
    assert task.name == "step+hole" and task.classes == ("step", "hole") and task.kind == "segmentation"
    labels = torch.cat([y for _, y in task.train])
    expected = [{2: 0, 0: 1, 1: -1}[face % 3] for n in N_FACES for face in range(n)]
    assert labels.tolist() == expected
    assert sum(len(asked.batch.faces.solid) for asked, _ in task.train) == sum(N_FACES)


def test_faces_of_other_classes_are_one_class_more_where_asked_and_unlabelled_ones_none(sides):
    sides["train"].faces(sides["train"].uids[0]).label[3] = UNLABELLED
    [task] = face_tasks(sides, [[2, 0]], NAMES, 3, others=True)
    assert task.name == "step+hole" and task.classes == ("step", "hole", "other")
    labels = torch.cat([y for _, y in task.train])
    expected = [{2: 0, 0: 1, 1: 2}[face % 3] for n in N_FACES for face in range(n)]
    assert labels.tolist() == [*expected[:3], -1, *expected[4:]]


def test_a_solid_shows_the_classes_of_its_faces(sides):
    uid = sides["train"].uids[0]
    sides["train"].faces(uid).label[1::3] = 0  # no slot on the first solid
    [task] = multilabel_tasks(sides, [[1, 2]], NAMES, 3)
    assert task.name == "shows slot+step" and task.kind == "multilabel"
    labels = torch.cat([y for _, y in task.train])
    assert labels.tolist() == [[0, 1]] + [[1, 1]] * 7


def test_a_class_is_not_known_to_be_absent_where_faces_have_no_label(sides):
    faces = sides["validation"].faces(sides["validation"].uids[0])
    faces.label[faces.label == 1] = UNLABELLED
    [task] = multilabel_tasks(sides, [[0, 1]], NAMES, 4)
    assert task.val[0][1][:2].tolist() == [[1, -1], [1, 1]]


def test_solids_of_other_classes_are_left_out(sides):
    classes = {uid: i % 3 for side in sides.values() for i, uid in enumerate(side.uids)}
    first, second = sample_tasks(sides, classes, [[0, 1], [1, 2]], NAMES, 2)
    assert torch.cat([y for _, y in first.train]).tolist() == [0, 1, 0, 1, 0, 1]
    asked = [uid for asked, _ in second.train for uid in asked.batch.uid]
    assert asked == [uid for uid in sides["train"].uids if classes[uid] > 0]


def test_a_class_that_training_never_shows_is_named(sides):
    with pytest.raises(ValueError, match="no training solid shows chamfer; label some"):
        face_tasks(sides, [[0, 3]], [*NAMES, "chamfer"], 3)


def test_a_solid_is_the_mean_of_its_faces_for_whatever_task():
    batch, backbone = make_batch([4, 9]), small("mae_faces").backbone().eval()
    features = TaskFeatures(backbone)
    with torch.no_grad():
        face, solid = backbone(batch).face, backbone(batch).solid[:, : backbone.dim]
        assert torch.equal(features(TaskBatch(batch, "segmentation")), face)
        torch.testing.assert_close(solid[1], face[4:].mean(0))
        for kind in ("classification", "multilabel"):
            assert torch.equal(features(TaskBatch(batch, kind)), solid)


def test_groups_leave_out_what_is_absent_or_unwanted():
    assert class_groups(np.array([5, 0, 1, 2, 9, 4]), [4], 2) == [[0, 2], [3, 5]]
    with pytest.raises(ValueError, match="lower"):
        class_groups(np.array([5, 1, 2]), [], 2)
