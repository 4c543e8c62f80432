"""Which samples are drawn when."""

import numpy as np
import pytest

from brep_mae.datasets.lazy import order
from brep_mae.datasets.lazy.order import BLOCK, TOGETHER, WHOLE, drawn

MANY = WHOLE + 1000


def test_up_to_a_number_an_epoch_is_one_permutation_of_all():
    """The numbers of every training that was published here depend on it."""
    expected = np.random.default_rng([7, 2]).permutation(101)
    steps = [drawn(7, step, 8, 101) for step in range(24, 36)]
    assert np.concatenate(steps).tolist() == expected[:96].tolist()
    assert len(drawn(7, 0, 500, 101)) == 101


def test_an_epoch_is_shuffled_once_and_not_in_every_step(monkeypatch):
    made, real = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: made.append(seed) or real(seed))
    for step in range(200):
        drawn(11, step, 10, 1000)
    assert len(made) == 2


@pytest.mark.parametrize("among", [WHOLE + 1, MANY])
def test_of_many_an_epoch_draws_each_at_most_once_and_leaves_out_less_than_a_block(among):
    per_epoch = among // BLOCK * BLOCK // 32
    epochs = [[drawn(3, epoch * per_epoch + step, 32, among) for step in range(per_epoch)] for epoch in range(2)]
    for steps in epochs:
        places = np.concatenate(steps)
        assert len(np.unique(places)) == len(places) > among - BLOCK - 32
        assert places.min() >= 0 and places.max() < among
    assert not np.array_equal(epochs[0][0], epochs[1][0])
    never = set(range(among)) - set(np.concatenate([np.concatenate(steps) for steps in epochs]).tolist())
    assert not never, "what one epoch leaves out the next one draws"


def test_of_many_a_step_needs_neither_the_steps_before_nor_an_array_of_all(monkeypatch):
    asked = []
    monkeypatch.setattr(
        order, "_shuffled", lambda n, *seed: asked.append(n) or np.random.default_rng(seed).permutation(n)
    )
    order._window.cache_clear()
    first = drawn(0, 12_345, 32, 10**9)
    assert max(asked) == 10**9 // BLOCK and sorted(asked)[-2] == BLOCK * TOGETHER
    order._window.cache_clear()
    assert np.array_equal(first, drawn(0, 12_345, 32, 10**9))


def test_of_many_a_step_draws_from_few_blocks_whose_samples_are_mixed():
    places = np.concatenate([drawn(5, step, 32, MANY) for step in range(64)])
    assert len(np.unique(places // BLOCK)) <= 2 * TOGETHER
    assert len(np.unique(drawn(5, 0, 32, MANY) // BLOCK)) > 10
