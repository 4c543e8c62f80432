"""Which patches of a render or a photograph have a say in the loss, and what a picture shows of the others."""

from dataclasses import replace

import pytest
import torch

from brep_mae.datasets.batch import Batch, Frames
from brep_mae.seeds import generator
from brep_mae.targets.pixels import Pixels, patchify, shows_solid
from brep_mae.targets.terms import mean_error
from tests.contracts.test_methods import small
from tests.selected import selected


def render() -> Batch:
    """Two frames of 16 pixels: noise on the left half, which is face 0, and white on the right, where nothing is."""
    image, face = torch.ones(1, 2, 3, 16, 16), torch.full((1, 2, 16, 16), -1)
    image[..., :8] = torch.rand(1, 2, 3, 16, 8, generator=generator(0))
    face[..., :8] = 0
    return Batch(("a",), None, Frames(image, face))


def test_a_patch_shows_the_solid_with_its_first_pixel_and_a_photograph_with_every_patch():
    face = torch.full((2, 8, 8), -1)
    face[0, 3, 4] = 7
    assert shows_solid(face, 4).tolist() == [[False, True, False, False], [True] * 4]


@pytest.mark.parametrize("standardise", [True, False])
def test_only_patches_that_show_the_solid_count(standardise):
    batch, target = render(), Pixels(8, 4, standardise)
    codes = torch.randn(32, 8, generator=generator(1))
    left = (torch.arange(32) % 4 < 2).nonzero().squeeze(1)
    both, shown = (selected(codes[rows], rows) for rows in (torch.arange(32), left))
    (whole,), (part,) = (target(each, batch).values() for each in (both, shown))
    assert torch.isclose(mean_error(whole, both, "token"), mean_error(part, shown, "token"))
    target.calibrate([target.truth(both, batch)])
    unit = target.unit.clone()
    target.calibrate([target.truth(shown, batch)])
    assert torch.allclose(target.unit, unit) and unit.min() > 0.1


def test_what_is_seen_of_the_background_is_still_seen():
    """It tells where the solid ends."""
    pretext = small("mae_images").eval()
    batch = render()
    image = batch.frames.image.clone()
    image[..., 8:] = 0
    other = replace(batch, frames=replace(batch.frames, image=image))
    assert not torch.equal(pretext(batch, generator(0))["loss"], pretext(other, generator(0))["loss"])


@pytest.mark.parametrize("standardise", [True, False])
def test_a_picture_leaves_the_background_as_it_is(standardise):
    batch, target, rows = render(), Pixels(8, 4, standardise), torch.arange(32)
    shown = target.predict(selected(torch.randn(32, 8, generator=generator(1)), rows), batch)
    true = patchify(batch.frames.image[0], 4).flatten(0, 1)
    left = rows % 4 < 2
    assert torch.allclose(shown[~left], true[~left], atol=1e-6)
    assert not torch.allclose(shown[left], true[left], atol=0.1)
