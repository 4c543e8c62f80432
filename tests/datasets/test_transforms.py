"""Random crops and colours: pure, per image, and within what was asked for."""

import torch

from brep_mae.datasets.batch import Frames
from brep_mae.datasets.transforms import jitter_colors, random_resized_crop, random_resized_frames
from brep_mae.seeds import generator

RAMP = torch.linspace(0, 1, 32).expand(64, 3, 32, 32)
"""Brightness tells the column."""


def test_the_same_generator_gives_the_same_views_and_images_differ():
    images = torch.rand(6, 3, 16, 16, generator=generator(1))
    for change in (
        lambda rng: random_resized_crop(images, 0.2, rng, flip=True),
        lambda rng: jitter_colors(images, 0.4, rng),
    ):
        assert torch.equal(change(generator(3)), change(generator(3)))
        assert not torch.equal(change(generator(3)), change(generator(4)))
    same = images[:1].expand(6, -1, -1, -1)
    assert len(jitter_colors(same, 0.4, generator(3)).unique(dim=0)) > 3
    assert len(random_resized_crop(same, 0.2, generator(3), flip=True).unique(dim=0)) == 6


def test_a_crop_shows_a_part_of_its_image_no_smaller_than_asked():
    cropped = random_resized_crop(RAMP, 0.5, generator(0), flip=False)
    assert cropped.min() >= 0 and cropped.max() <= 1
    span = cropped[:, 0, 0, -1] - cropped[:, 0, 0, 0]
    assert (span > (0.5 * 3 / 4) ** 0.5 - 0.05).all() and (span < 1.001).all()
    assert span.std() > 0.03


def test_half_of_the_images_are_mirrored_where_asked_and_none_elsewhere():
    def mirrored(flip: bool) -> int:
        out = random_resized_crop(RAMP, 0.5, generator(0), flip)
        return int((out[:, 0, 0, 0] > out[:, 0, 0, -1]).sum())

    assert mirrored(False) == 0
    assert 16 < mirrored(True) < 48


def test_faces_of_pixels_follow_the_image():
    """A face's number is its colour, in blocks of 8 pixels: away from their borders both stay alike."""
    number = torch.randint(0, 200, (3, 2, 4, 4), generator=generator(5)).repeat_interleave(8, 2).repeat_interleave(8, 3)
    frames = Frames((number / 255)[:, :, None].expand(-1, -1, 3, -1, -1), number)
    changed = random_resized_frames(frames, 0.3, generator(1), flip=True)
    assert changed.face.dtype == number.dtype and changed.image.shape == frames.image.shape
    assert ((changed.image[:, :, 0] * 255 - changed.face).abs() < 0.01).float().mean() > 0.7
    assert set(changed.face.unique().tolist()) <= set(number.unique().tolist())
    assert (changed.face != number).any()
    same = random_resized_crop(frames.image.flatten(0, 1), 0.3, generator(1), flip=True)
    assert torch.equal(same, changed.image.flatten(0, 1))


def test_no_jitter_changes_no_colour():
    images = torch.rand(4, 3, 16, 16, generator=generator(2))
    still = jitter_colors(images, 0.0, generator(5))
    grey = (still[:, 0] == still[:, 1]).flatten(1).all(1)
    assert not grey.all()
    assert torch.allclose(still[~grey], images[~grey], atol=1e-5)


def test_colours_stay_in_range_and_one_image_in_five_loses_them():
    images = torch.rand(500, 3, 4, 4, generator=generator(6))
    out = jitter_colors(images, 0.4, generator(7))
    assert out.min() >= 0 and out.max() <= 1
    grey = (out[:, 0] == out[:, 1]).flatten(1).all(1).float().mean()
    assert 0.15 < grey < 0.25
    untouched = (out == images).flatten(1).all(1).float().mean()
    assert 0.1 < untouched < 0.22


def test_hue_moves_colour_and_keeps_brightness():
    red = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1).expand(200, 3, 2, 2)
    out = jitter_colors(red, 0.4, generator(8))
    coloured = out[(out[:, 0] != out[:, 1]).flatten(1).all(1)]
    assert (coloured[:, 2] - coloured[:, 1]).abs().max() > 0.03  # no longer a red with equal green and blue
