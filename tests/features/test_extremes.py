"""How far points reach along directions: the search answers as the whole table of products does."""

import numpy as np
import pytest

from brep_mae.features import extremes
from brep_mae.features.extremes import Extremes

RNG = np.random.default_rng(0)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def gear(teeth: int) -> np.ndarray:
    """Thousands of points in each of two planes, of which half are corners: a hull made naively takes minutes."""
    angle = np.arange(4 * teeth) * np.pi / (2 * teeth)
    radius = np.where(np.arange(4 * teeth) % 4 < 2, 1.0, 0.98)
    ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return np.concatenate([np.column_stack([ring, np.full(len(ring), z)]) for z in (0.0, 0.1)])


TURN = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
CLOUDS = {
    "ball": unit(RNG.normal(size=(3000, 3))) * RNG.random((3000, 1)) ** (1 / 3),
    "sphere": unit(RNG.normal(size=(3000, 3))) + np.array([5.0, 0, 0]),
    "plate": np.column_stack([RNG.uniform(-1, 1, (3000, 2)), RNG.choice([0, 0.05], 3000)]) @ TURN,
    "gear": gear(3000) @ TURN,
    "flat": RNG.uniform(-1, 1, (3000, 3)) * [1, 1, 0],
    "line": RNG.uniform(-1, 1, (3000, 1)) * unit(np.ones((1, 3))),
    "one point, again and again": np.tile([[1.0, 2.0, 3.0]], (300, 1)),
    "the origin": np.zeros((300, 3)),
}


@pytest.mark.parametrize("corners", [extremes.MOST_CORNERS, 1000], ids=["hull", "too round for a hull"])
@pytest.mark.parametrize("name", sorted(CLOUDS))
def test_as_the_table_of_products(name, corners, monkeypatch):
    monkeypatch.setattr(extremes, "DIRECT", 1)
    monkeypatch.setattr(extremes, "MOST_CORNERS", corners)
    monkeypatch.setattr(extremes, "SAMPLE", 200)
    cloud = np.float32(CLOUDS[name]).astype(float)
    level = np.tile([0, 0, 1.0], (100, 1)) @ TURN
    normal = np.concatenate([unit(RNG.normal(size=(200, 3))), level, unit(level + 1e-6 * RNG.normal(size=(100, 3)))])
    at = RNG.normal(size=normal.shape)
    expected = (normal @ cloud.T).max(1) - (normal * at).sum(1)
    np.testing.assert_allclose(
        Extremes(cloud).over(at, normal), expected, rtol=0, atol=3e-7 * np.abs(cloud).max() + 1e-15
    )


def test_without_points_nothing_lies_over_a_plane():
    assert Extremes(np.zeros((0, 3))).over(np.ones((2, 3)), np.ones((2, 3))).tolist() == [0, 0]
