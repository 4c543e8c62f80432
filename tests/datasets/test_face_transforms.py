"""Noise on the scalars of faces and arcs."""

from dataclasses import replace

import pytest
import torch

from brep_mae.datasets.face_transforms import jitter_scalars
from brep_mae.features.invariants import ARC_SCALARS, FACE_SCALARS
from brep_mae.seeds import generator
from tests.synthetic import make_batch

SCALARS = {"invariant": len(FACE_SCALARS), "arc_invariant": len(ARC_SCALARS)}


@pytest.mark.parametrize("key", sorted(SCALARS))
@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_scalars_move_by_about_the_spread_and_one_hot_columns_do_not(key, spread):
    batch, n = make_batch([40, 40, 40]), SCALARS[key]
    moved = getattr(jitter_scalars(batch, spread, generator(0)).faces, key) - getattr(batch.faces, key)
    assert moved[:, :n].std() == pytest.approx(spread, rel=0.05)
    assert abs(float(moved[:, :n].mean())) < 0.05 * spread
    assert (moved[:, :n].std(0) > spread / 2).all(), "each of them"
    assert (moved[:, n:] == 0).all() and moved.shape[1] > n


def test_the_given_batch_and_all_else_of_it_stay_as_they_are():
    batch, again = make_batch([6, 4]), make_batch([6, 4])
    jittered = jitter_scalars(batch, 0.3, generator(0))
    for key, value in vars(batch.faces).items():
        if key == "analytic":
            assert jittered.faces.analytic is value
            continue
        assert torch.equal(value, getattr(again.faces, key)), key
        assert torch.equal(getattr(jittered.faces, key), value) == (key not in SCALARS), key
    assert jittered.uid == batch.uid


def test_same_generator_same_noise_and_no_spread_no_noise():
    batch = make_batch([6])
    first, same, other = (jitter_scalars(batch, 0.3, generator(s)).faces.invariant for s in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert torch.equal(jitter_scalars(batch, 0.0, generator(1)).faces.arc_invariant, batch.faces.arc_invariant)


def test_a_batch_without_faces_has_nothing_to_move():
    batch = replace(make_batch([4], frames=True), faces=None)
    assert jitter_scalars(batch, 0.3, generator(0)) is batch
