"""What is stored for a picture: several solids, every kind that a method predicts, seen content as it was given."""

import numpy as np
import pytest
import torch

from brep_mae.datasets.images import Images, store_images
from brep_mae.plugins import METHODS, known
from brep_mae.pretraining.picture import GREY, IMAGES, chosen, pictures
from brep_mae.report.drawings import reconstruction
from brep_mae.tokens.tokens import FACE, PATCH
from tests.contracts.test_methods import small
from tests.datasets.test_images import two_classes, write
from tests.stored import solids, store

DRAWN = {
    "mae_faces": {"uvgrid"},
    "hybrid": {"surface"},
    "mae_images": {"pixels"},
    "st_mae": {"pixels"},
    "i_mae": {"pixels"},
    "m3ae": {"uvgrid", "pixels"},
    "joint": {"uvgrid", "surface", "pixels"},
    "mixmask": set(),
    "dbot_faces": set(),
    "maskdistill_images": set(),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    return folder, store(folder)


def drawn(stored, name):
    pretext = small(name).eval()
    return pretext, pictures(pretext, solids(*stored, *pretext.reads), seed=0)


@pytest.mark.parametrize("name", DRAWN)
def test_every_target_with_a_picture_is_drawn_and_nothing_else(stored, tmp_path, name):
    assert name in known(METHODS)
    _, found = drawn(stored, name)
    assert set(found) == DRAWN[name]
    for kind, arrays in found.items():
        np.savez(tmp_path / kind, **arrays)
        assert reconstruction(tmp_path / f"{kind}.npz").axes


def test_three_solids_of_few_ordinary_and_many_faces(stored):
    data = solids(*stored, "frames")
    counts = [len(data.faces(uid).solid) for uid in chosen(data)]
    assert len(counts) == 3 and counts == sorted(set(counts))
    every = [len(data.faces(uid).solid) for uid in data.uids]
    assert counts[0] <= np.quantile(every, 0.25) and counts[2] >= np.quantile(every, 0.75)


def test_of_natural_images_the_first_few_are_drawn(tmp_path):
    write(tmp_path / "natural", two_classes(30))
    images = Images(store_images(tmp_path / "natural", 16, 0, 0.1, 0.1, tmp_path), "train")
    assert chosen(images) == list(images.uids[:IMAGES])
    found = pictures(small("mae_images").eval(), images, seed=0)["pixels"]
    assert found["images"].shape == (3, IMAGES, 1, 16, 16, 3)


@pytest.mark.parametrize("name", ["mae_faces", "hybrid", "m3ae"])
def test_seen_faces_stay_and_hidden_ones_are_predicted(stored, name):
    faces = drawn(stored, name)[1]["surface" if name == "hybrid" else "uvgrid"]
    same = (faces["grid"] == faces["predicted"]).all((1, 2, 3))
    assert (same == ~faces["hidden"]).all() and faces["hidden"].any()
    assert sorted(np.unique(faces["solid"])) == [0, 1, 2]
    assert (faces["solid"][faces["edge_face"][0]] == faces["solid"][faces["edge_face"][1]]).all()


@pytest.mark.parametrize("name", ["mae_images", "st_mae", "m3ae"])
def test_hidden_patches_are_grey_and_seen_ones_as_they_were_given(stored, name):
    images = drawn(stored, name)[1]["pixels"]
    note = "true means and background" if name == "st_mae" else "true background"  # the others predict plain pixels
    assert images["titles"].tolist() == ["original", "seen", f"predicted ({note})"]
    original, seen, predicted = images["images"]
    grey = (seen == round(GREY * 255)).all(-1)
    assert 0.5 < grey.mean() < 0.95
    assert (seen[~grey] == original[~grey]).all() and (predicted[~grey] == original[~grey]).all()
    assert (predicted[grey] != original[grey]).any()
    assert original.shape[:2] == (3, 1 if name == "m3ae" else 2)


def test_a_blend_shows_both_images_and_what_became_of_each(stored):
    images = drawn(stored, "i_mae")[1]["pixels"]
    titles = images["titles"].tolist()
    assert [t.removesuffix(" (true means and background)") for t in titles] == [
        "subordinate: original", "dominant: original", "blend", "seen", "subordinate: predicted", "dominant: predicted"
    ]  # fmt: skip
    subordinate, dominant, blend, seen, *predicted = images["images"].astype(float)
    assert np.abs(blend - (0.7 * dominant + 0.3 * subordinate)).max() < 1.5
    assert (subordinate[1] == dominant[0]).all(), "the partner is another solid, seen from the same side"
    grey = (seen == round(GREY * 255)).all(-1)
    for image in predicted:
        assert (image[~grey] == blend[~grey]).all()
    assert (predicted[0][grey] != predicted[1][grey]).any()


def test_joint_pictures_are_of_one_mask_and_of_the_first_frame(stored):
    pretext = small("m3ae").eval()
    batch = solids(*stored, *pretext.reads).batch(stored[1][:3])
    faces, patches = (pretext.pictures(batch, torch.Generator().manual_seed(0))[name] for name in ("uvgrid", "pixels"))
    assert (faces.kind, patches.kind) == (FACE, PATCH)
    assert torch.equal(patches.seen.frames.image, batch.frames.image[:, :1])
    tokens = pretext.tokens(faces.seen)
    hidden = pretext.mask(tokens, torch.Generator().manual_seed(0)).hidden
    for picture in (faces, patches):
        content = tokens.valid & (tokens.kind == picture.kind)
        assert torch.equal(picture.chosen, hidden[content])
