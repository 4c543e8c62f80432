"""Connected regions of faces, the counterpart of block-wise masking on a graph."""

from collections import defaultdict, deque

import numpy as np
import torch
from torch import nn

from brep_mae.masking.block import hidden_count
from brep_mae.masking.mask import Mask
from brep_mae.masking.random import check_ratio, drawn
from brep_mae.tokens.tokens import Tokens

LEAST = 2
"""Faces in the smallest region, where the solid's graph allows it."""


def grow(neighbours: list[set[int]], count: int, rng: np.random.Generator) -> set[int]:
    """Exactly `count` nodes in regions that grow breadth first from random seeds.

    A region takes between LEAST and all missing nodes, or its whole component where that is smaller.
    """
    hidden: set[int] = set()
    free = np.ones(len(neighbours), bool)
    while (missing := count - len(hidden)) > 0:
        size = int(rng.integers(min(LEAST, missing), missing + 1))
        size += missing - size == 1  # no single node is left over for the next region
        start = np.flatnonzero(free)
        if missing == 1:
            # A component may have ended early and left one node over: it joins a region that is there.
            beside = [node for node in start.tolist() if neighbours[node] & hidden]
            start = np.array(beside) if beside else start
        queue = deque([int(start[rng.integers(len(start))])])
        region: set[int] = set()
        while queue and len(region) < size:
            node = queue.popleft()
            if free[node] and node not in region:
                region.add(node)
                queue.extend(rng.permutation(sorted(neighbours[node])).tolist())
        hidden |= region
        free[list(region)] = False
    return hidden


class RegionMask(nn.Module):
    """Hides the same share of every solid's faces, in regions that hang together.

    Args:
        ratio: share of faces to hide, in (0, 1).

    Shapes:
        tokens.valid (B, N), tokens.arcs  ->  Mask.hidden (B, N)
    """

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self.ratio = check_ratio(ratio)

    def forward(self, tokens: Tokens, rng: torch.Generator) -> Mask:
        if tokens.arcs is None:
            raise ValueError("regions need tokens with arcs")
        batch, length = tokens.valid.shape
        neighbours: defaultdict[int, set[int]] = defaultdict(set)  # padding has none
        for i, j in tokens.arcs.index.T.tolist():
            neighbours[i].add(j % length)
        hidden, numpy_rng = torch.zeros(batch, length, dtype=torch.bool), drawn(rng)
        for row, n in enumerate(tokens.valid.sum(1).tolist()):
            own = [neighbours[row * length + place] for place in range(n)]
            hidden[row, list(grow(own, hidden_count(n, self.ratio), numpy_rng))] = True
        return Mask(hidden.to(tokens.valid.device))
