"""Which samples a training step draws: shuffled anew in every epoch, and no batch lies in two epochs.

Up to WHOLE samples an epoch is one permutation, made once. Of more, blocks of neighbours are shuffled, and the samples
of some blocks among each other: memory does not grow with their number, and where they are in stored order a step reads
few shards. Blocks begin at another sample in every epoch, since the last of them is left out where it is not full.
"""

from functools import lru_cache

import numpy as np

WHOLE = 1 << 16
BLOCK, TOGETHER = 256, 32
"""Samples in a block, and blocks that are shuffled with each other."""


def drawn(seed: int, step: int, size: int, among: int) -> np.ndarray:
    """(size,) places of the step's samples, or of all where there are fewer."""
    size = min(size, among)
    usable = among if among <= WHOLE else among // BLOCK * BLOCK
    epoch, batch = divmod(step, usable // size)
    places = np.arange(batch * size, (batch + 1) * size)
    if among <= WHOLE:
        return _shuffled(among, seed, epoch)[places]
    window, place = np.divmod(places, BLOCK * TOGETHER)
    found = [_window(among, seed, epoch, int(w))[place[window == w]] for w in np.unique(window)]
    return np.concatenate(found)


@lru_cache(16)
def _shuffled(n: int, *seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(n)


@lru_cache(4)
def _window(among: int, seed: int, epoch: int, window: int) -> np.ndarray:
    """The samples of a window in the order in which they are drawn."""
    first = int(np.random.default_rng([seed, epoch, 0]).integers(among))
    blocks = _shuffled(among // BLOCK, seed, epoch)[window * TOGETHER : (window + 1) * TOGETHER]
    samples = (first + blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel() % among
    return samples[_shuffled(len(samples), seed, epoch, 1 + window)]
