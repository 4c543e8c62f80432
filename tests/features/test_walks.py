"""Random walks: those told apart by hubs are as likely as powers of the whole matrix say."""

import numpy as np
import pytest

from brep_mae.features import walks
from brep_mae.features.walks import WALK_STEPS, walk_encoding


def by_powers(arc_index: np.ndarray, n_faces: int) -> np.ndarray:
    adjacency = np.zeros((n_faces, n_faces))
    np.add.at(adjacency, (arc_index[0], arc_index[1]), 1.0)
    np.fill_diagonal(adjacency, 0.0)
    degree = adjacency.sum(1)
    step = adjacency / np.maximum(degree, 1.0)[:, None]
    back = [np.linalg.matrix_power(step, k).diagonal() for k in range(1, WALK_STEPS + 1)]
    return np.column_stack([*back, np.log1p(degree)])


def both_ways(pairs: np.ndarray) -> np.ndarray:
    return np.concatenate([pairs, pairs[::-1]], 1)


def arcs(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    ring = np.stack([np.arange(n), (np.arange(n) + 1) % n])
    if kind == "plate":  # two hubs that all others touch, by two arcs now and then
        rest = np.arange(2, n)
        return both_ways(np.concatenate([[rest * 0, rest], [rest * 0 + 1, rest], [rest[:9] * 0, rest[:9]]], 1))
    if kind == "chords":
        return both_ways(np.concatenate([ring, rng.integers(0, n, (2, 2 * n))], 1))
    return {"ring": both_ways(ring), "one way": rng.integers(0, n, (2, 3 * n)), "none": ring[:, :0]}[kind]


@pytest.mark.parametrize("hubs, many", [(walks.HUBS, walks.MANY), (1, 6), (90, 0)])
@pytest.mark.parametrize("kind", ["plate", "chords", "ring", "one way", "none"])
def test_as_the_powers_of_the_matrix_say(kind, hubs, many, monkeypatch):
    monkeypatch.setattr(walks, "ROWS", 16)
    monkeypatch.setattr(walks, "MANY", many)
    monkeypatch.setattr(walks, "HUBS", hubs)
    index = arcs(kind, 90, np.random.default_rng(3))
    found = walk_encoding(index, 90)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_powers(index, 90), atol=1e-6)
