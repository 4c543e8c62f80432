"""Several stored data sets drawn from as one."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from brep_mae.checks import SettingsError
from brep_mae.datasets.batch import Faces, collate
from brep_mae.datasets.combined import AlternatingDataset, ConcatDataset
from brep_mae.datasets.content import FACES
from brep_mae.datasets.frames import FrameWriter
from brep_mae.datasets.loader import Solids
from brep_mae.schema import UNLABELLED
from tests.stored import N_FACES, label, solids, store
from tests.synthetic import make_graph

FACE_CLASSES, PART_CLASSES = 3, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    return folder, store(folder, 6)


@pytest.fixture
def parts(folder):
    """Two data sets that hold a solid in common, the second with labels of its own left out here and there."""
    path, uids = folder
    first, second = solids(path, uids[:4], *FACES), solids(path, uids[3:], *FACES)
    second.faces(uids[5]).label[::2] = UNLABELLED
    second.faces(uids[4]).part.fill_(UNLABELLED)
    return first, second, uids


def together(first, second) -> ConcatDataset:
    return ConcatDataset([(first, FACE_CLASSES, PART_CLASSES), (second, 5, 4), (first, 2, 0)])


def test_classes_are_counted_on_from_set_to_set(parts):
    first, second, uids = parts
    data = together(first, second)
    assert (data.face_classes, data.part_classes) == (3 + 5 + 2, 2 + 4 + 0)
    for set_, solids_, face, part in ((0, first, 0, 0), (1, second, 3, 2), (2, first, 8, 6)):
        own, got = solids_.faces(uids[3]), data.faces(f"{set_}/{uids[3]}")
        assert torch.equal(got.label, own.label + face) and torch.equal(got.part, own.part + part)


def test_what_has_no_label_has_none_in_whatever_set(parts):
    first, second, uids = parts
    data = together(first, second)
    own, got = second.faces(uids[5]).label, data.faces(f"1/{uids[5]}").label
    assert (own == UNLABELLED).any() and torch.equal(got == UNLABELLED, own == UNLABELLED)
    assert torch.equal(got[1::2], own[1::2] + 3)
    assert data.faces(f"1/{uids[4]}").part.tolist() == [UNLABELLED]


def test_which_of_many_solids_are_labelled(tmp_path):
    uids = store(tmp_path, 4)
    label(tmp_path / "labels", [make_graph(N_FACES[i], seed=i) for i in (2, 0)])
    first, second = solids(tmp_path, uids, *FACES), solids(tmp_path, uids[1:], *FACES)
    assert first.labelled([uids[3], uids[2], uids[0]]).tolist() == [False, True, True]
    assert first.labelled(first.uids[1:]).tolist() == [False, True, False]
    both = together(first, second)
    asked = [f"1/{uids[2]}", f"0/{uids[1]}", f"2/{uids[0]}", f"0/{uids[2]}"]
    assert both.labelled(asked).tolist() == [True, False, True, True]


def test_labels_of_the_sets_themselves_stay_as_they_are(parts):
    first, second, uids = parts
    before = second.faces(uids[3]).label.clone()
    together(first, second).batch([f"1/{uids[3]}", f"1/{uids[4]}"])
    assert torch.equal(second.faces(uids[3]).label, before)


def test_a_batch_holds_what_its_parts_hold(parts):
    first, second, uids = parts
    names = [f"1/{uids[4]}", f"0/{uids[0]}"]
    batch = together(first, second).batch(names)
    expected = collate([second.faces(uids[4]), first.faces(uids[0])])
    assert batch.uid == tuple(names) and batch.frames is None
    for field in fields(Faces):
        got, own = getattr(batch.faces, field.name), getattr(expected, field.name)
        if field.name == "analytic":
            assert all(torch.equal(getattr(got, k), v) for k, v in vars(own).items())
        elif field.name not in ("label", "part"):
            assert torch.equal(got, own), field.name


def test_a_solid_that_is_in_two_sets_is_two(parts):
    first, second, uids = parts
    data = ConcatDataset([(first, 3, 2), (second, 5, 4)])
    assert data.uids == tuple([f"0/{u}" for u in uids[:4]] + [f"1/{u}" for u in uids[3:]])
    assert len(data) == len(first) + len(second)
    twice = data.batch([f"0/{uids[3]}", f"1/{uids[3]}"]).faces
    n = len(first.faces(uids[3]).label)
    assert torch.equal(twice.label[n:], twice.label[:n] + FACE_CLASSES)
    assert torch.equal(twice.grid[n:], twice.grid[:n])


def test_an_epoch_draws_every_solid_of_every_set_once(parts):
    first, second, _ = parts
    data = ConcatDataset([(first, 3, 2), (second, 5, 4)])
    drawn = [uid for step in range(7) for uid in data.at_step(0, step, 1).uid]
    assert sorted(drawn) == sorted(data.uids)


def test_frames_of_several_sets_stand_in_the_order_asked_for(folder):
    path, uids = folder
    first, second = (solids(path, uids[side], *FACES, "frames") for side in (slice(0, 4), slice(3, 6)))
    batch = ConcatDataset([(first, 3, 2), (second, 5, 4)]).batch([f"1/{uids[4]}", f"0/{uids[0]}"])
    whole = solids(path, [uids[4], uids[0]], *FACES, "frames").batch([uids[4], uids[0]])
    assert torch.equal(batch.frames.image, whole.frames.image) and torch.equal(batch.frames.face, whole.frames.face)
    assert torch.equal(batch.faces.grid, whole.faces.grid)


def test_frames_of_different_sizes_are_refused(folder, tmp_path):
    path, uids = folder
    with FrameWriter(tmp_path, views=2, size=8) as frames:
        frames.add(uids[0], np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 8, 8), np.int16))
    first, second = solids(path, uids[:2], "frames"), Solids(path / "parsed", tmp_path, uids[:1], frozenset({"frames"}))
    with pytest.raises(ValueError, match="render them alike"):
        ConcatDataset([(first, 3, 2), (second, 3, 2)]).batch([f"0/{uids[0]}", f"1/{uids[0]}"])


def test_samples_of_several_kinds_take_turns_each_in_its_own_order(folder):
    path, uids = folder
    first, second = solids(path, uids[:4], "frames"), solids(path, uids[4:], *FACES)
    data = AlternatingDataset([first, second])
    for step in range(6):
        own = (first, second)[step % 2].at_step(7, step // 2, 2)
        assert data.at_step(7, step, 2).uid == own.uid
    assert [uid for batch in data.in_order(3) for uid in batch.uid] == uids and len(data) == 6


@pytest.mark.parametrize("cap, read", [(2, 2), (3, 2), (5, 4), (100, 6)])
def test_kinds_share_a_cap_on_batches_that_is_never_exceeded(folder, cap, read):
    """Of three batches for two kinds each gets one: half a batch more of each would make four."""
    path, uids = folder
    whole = solids(path, uids, *FACES)
    data = AlternatingDataset([whole, whole])
    met = [batch.uid for batch in data.capped(cap, 2).in_order(2)]
    assert len(met) == read
    assert met[: read // 2] == met[read // 2 :], "the same solids of both"
    assert met == [batch.uid for batch in data.capped(cap, 2).in_order(2)]
    with pytest.raises(SettingsError, match="1 batches are too few for 2 kinds"):
        data.capped(1, 2)
