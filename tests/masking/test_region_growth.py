"""Regions of large graphs: the same ones as when every node is looked at for every region."""

from collections import deque

import numpy as np
import pytest

from brep_mae.masking.regions import LEAST, grow


def one_by_one(neighbours: list[set[int]], count: int, rng: np.random.Generator) -> set[int]:
    hidden: set[int] = set()
    while (missing := count - len(hidden)) > 0:
        size = int(rng.integers(min(LEAST, missing), missing + 1))
        size += missing - size == 1
        free = [node for node in range(len(neighbours)) if node not in hidden]
        beside = [node for node in free if neighbours[node] & hidden]
        start = beside if missing == 1 and beside else free
        queue = deque([start[rng.integers(len(start))]])
        region: set[int] = set()
        while queue and len(region) < size:
            node = queue.popleft()
            if node not in hidden | region:
                region.add(node)
                queue.extend(rng.permutation(sorted(neighbours[node])).tolist())
        hidden |= region
    return hidden


def graph(kind: str, n: int, rng: np.random.Generator) -> list[set[int]]:
    neighbours: list[set[int]] = [set() for _ in range(n)]
    if kind == "plate":
        ends = [(hub, node) for node in range(2, n) for hub in (0, 1)]
    elif kind == "pieces":
        ends = [(node, node + 1) for node in range(n - 1) if node % 3]
    else:
        ends = rng.integers(0, n, (2 * n, 2)).tolist()
    for i, j in ends:
        if i != j:
            neighbours[i].add(j)
            neighbours[j].add(i)
    return neighbours


@pytest.mark.parametrize("kind", ["plate", "pieces", "any"])
def test_the_same_draws_hide_the_same_faces(kind):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 60))
        neighbours, count = graph(kind, n, rng), int(rng.integers(1, n))
        expected = one_by_one(neighbours, count, np.random.default_rng(seed))
        found = grow(neighbours, count, np.random.default_rng(seed))
        assert found == expected and len(found) == count
