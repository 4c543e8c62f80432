"""Randomness that is passed in: the same parts give the same draws, on every machine and after every restart."""

import numpy as np
import torch


def generator(*parts: int) -> torch.Generator:
    """A CPU generator that depends on all of `parts` (each >= 0) and on nothing drawn before."""
    state = np.random.SeedSequence(parts).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
