"""Features of faces read off images, and messages that flow the right way."""

from dataclasses import replace

import pytest
import torch

from brep_mae.datasets.batch import Batch, Frames
from brep_mae.models.backbone import faces_in_view, pool_patches
from brep_mae.models.blocks import Messages
from tests.contracts.test_methods import small
from tests.synthetic import make_batch, make_frames


def test_a_face_is_the_mean_of_its_patches_weighted_by_pixels():
    face = torch.full((2, 1, 4, 4), -1)
    face[0, 0, 0, 0] = 0  # one pixel of face 0 in patch 0
    face[0, 0, 0, 2:4] = 0  # and two in patch 1
    face[1, 0, 3, 3] = 1  # solid 1: face 1 in patch 3, face 0 nowhere
    patches = torch.arange(8.0).view(2, 1, 4, 1)
    out = pool_patches(patches, Frames(torch.zeros(2, 1, 3, 4, 4), face), torch.tensor([1, 2]))
    assert torch.allclose(out[:, 0], torch.tensor([(0 * 1 + 1 * 2) / 3, 0.0, 7.0]))


def test_a_face_is_in_view_if_it_has_a_pixel_in_some_frame_of_its_own_solid():
    face = torch.full((2, 2, 4, 4), -1)
    face[0, 1, 0, 0], face[1, 0, 3, 3] = 1, 0
    frames = Frames(torch.zeros(2, 2, 3, 4, 4), face)
    assert faces_in_view(frames, torch.tensor([2, 2])).tolist() == [False, True, True, False]


def test_images_without_faces_have_a_vector_for_the_whole_and_none_for_faces():
    backbone = small("mae_images").backbone()
    frames = make_frames([3, 3])
    with torch.no_grad():
        alone = backbone(Batch(("a", "b"), None, frames))
        whole = backbone(replace(make_batch([3, 3]), frames=frames))
    assert alone.face.shape == (0, backbone.dim) and torch.equal(alone.solid, whole.solid)


def codes(name: str, batch: Batch):
    """Backbone, what it makes of the batch, and the codes of its tokens with those that are valid."""
    torch.manual_seed(0)
    backbone = small(name).backbone().eval()
    with torch.no_grad():
        latent = backbone.encoder.read(backbone.tokens(batch))
        return backbone, backbone(batch), latent.x[:, 1:], latent.valid[:, 1:]


@pytest.mark.parametrize("name", ["mae_faces", "attribute_masking", "hybrid_pure", "m3ae"])
def test_a_solid_is_the_mean_least_and_greatest_of_its_own_tokens(name):
    """Beside a solid of 30 faces one of 2 is nearly all padding."""
    batch = make_batch([2, 30, 5], frames=name == "m3ae")
    backbone, features, x, valid = codes(name, batch)
    mean, least, greatest = features.solid.split(backbone.dim, 1)
    assert torch.equal(mean, (x * valid[..., None]).sum(1) / valid.sum(1, keepdim=True))
    for i in range(3):
        own = x[i][valid[i]]
        torch.testing.assert_close(mean[i], own.mean(0))
        assert torch.equal(least[i], own.amin(0)) and torch.equal(greatest[i], own.amax(0))
        if name != "m3ae":
            assert torch.equal(own, features.face[batch.faces.solid == i])


@pytest.mark.parametrize("name", ["mae_faces", "attribute_masking", "hybrid_pure", "m3ae"])
def test_a_small_solid_beside_a_large_one_is_what_it_is_alone(name):
    frames = name == "m3ae"
    batch = make_batch([2, 30], frames=frames)
    backbone, features, *_ = codes(name, batch)
    alone = replace(make_batch([2]), frames=Frames(batch.frames.image[:1], batch.frames.face[:1]) if frames else None)
    with torch.no_grad():
        torch.testing.assert_close(backbone(alone).solid, features.solid[:1])


@pytest.mark.parametrize("name", ["mae_images", "st_mae"])
def test_of_images_a_solid_is_the_mean_of_its_patches_alone(name):
    backbone, features, x, _ = codes(name, make_batch([2, 5], frames=True))
    assert features.solid.shape == (2, backbone.dim)
    torch.testing.assert_close(features.solid, x.unflatten(0, (2, -1)).mean((1, 2)))


def test_a_network_of_faces_and_frames_says_as_much_of_frames_alone():
    batch = replace(make_batch([2, 5]), faces=None, frames=make_frames([2, 5]))
    backbone, features, x, _ = codes("m3ae", batch)
    assert features.face.shape == (0, backbone.dim)
    torch.testing.assert_close(features.solid, torch.cat([x.mean(1), x.amin(1), x.amax(1)], 1))


def test_a_face_hears_the_arcs_that_leave_it():
    """An arc's content is written in the frame of its source, so the source must receive it."""
    torch.manual_seed(0)
    layer = Messages(4, 3)
    x, arcs = torch.randn(1, 3, 4), torch.randn(1, 3)
    index = torch.tensor([[0], [1]])
    before, after = layer(x, index, arcs), layer(x, index, arcs + 1)
    assert not torch.allclose(before[0, 0], after[0, 0])
    assert torch.equal(before[0, 1:], after[0, 1:])
