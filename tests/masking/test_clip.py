"""Samplers of a clip: 12 views of 196 patches, as a turntable of 224 pixels gives them."""

import torch

from brep_mae.masking.clip import Sampler, clip_mask
from brep_mae.seeds import generator
from brep_mae.tokens.tokens import PATCH, Tokens

VIEWS, PATCHES = 12, 196


def clip(samples: int) -> Tokens:
    place = torch.arange(VIEWS * PATCHES)
    where = torch.stack([place // PATCHES, place % PATCHES], -1).float().expand(samples, -1, -1)
    x = torch.zeros(samples, len(place), 1)
    return Tokens(x, where, torch.ones(x.shape[:2], dtype=torch.bool), torch.full_like(place, PATCH))


def seen(sampler: Sampler, ratio: float, samples: int) -> torch.Tensor:
    """(samples, VIEWS, PATCHES) True = seen"""
    return ~clip_mask(sampler, ratio)(clip(samples), generator(0)).hidden.view(samples, VIEWS, PATCHES)


def test_agnostic_counts_vary_between_views_but_not_in_the_clip():
    """ST-MAE check 1: 235 of 2352, hypergeometric within a view."""
    drawn = seen("agnostic", 0.9, 500)
    assert (drawn.sum((1, 2)) == 235).all()
    per_view = drawn.sum(2).float()
    assert abs(float(per_view.mean()) - 19.6) < 0.2
    assert abs(float(per_view.std()) - 4.0) < 0.5
    assert not (drawn == drawn[:, :1]).all(2).any(0)[1:].any()


def test_tube_hides_the_same_patches_in_all_views():
    drawn = seen("tube", 0.9, 20)
    assert (drawn == drawn[:, :1]).all()
    assert (drawn[:, 0].sum(1) == 19).all()
    assert len({tuple(d.flatten().tolist()) for d in drawn}) == 20


def test_frame_hides_whole_views():
    drawn = seen("frame", 0.75, 20)
    assert (drawn.all(2) | ~drawn.any(2)).all()
    assert (drawn.any(2).sum(1) == 3).all()


def test_a_frame_ratio_that_would_leave_nothing_leaves_one_view():
    assert (seen("frame", 0.99, 5).any(2).sum(1) == 1).all()
