"""Who is alike and who is opposed: the searches answer as tables of faces by faces do."""

import numpy as np
import pytest

from brep_mae.features import cavities
from brep_mae.features.cavities import TOLERANCE, cavity_scalars, first_alike


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def faces(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Normals and levels of n faces."""
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    normal = {
        "axes": axes[rng.integers(0, 6, n)],
        "noise": unit(axes[rng.integers(0, 6, n)] + 1e-8 * rng.normal(size=(n, 3))),
        "fan": unit(np.array([1, 0, 0]) + 0.1 * rng.normal(size=(n, 3))),  # chains of alikes
        "any": unit(rng.normal(size=(n, 3))),
    }[kind]
    plane = rng.random(n) < 0.8
    return normal, np.where(plane, rng.choice([0.2, 0.2005, 0.2012, 0.5], n), 10.0 + np.arange(n))


@pytest.mark.parametrize("kind", ["axes", "noise", "fan", "any"])
def test_the_first_face_alike(kind, monkeypatch):
    monkeypatch.setattr(cavities, "FEW", 8)
    normal, level = faces(kind, 500, np.random.default_rng(1))
    alike = (normal @ normal.T > 1 - TOLERANCE) & (np.abs(level[:, None] - level) < TOLERANCE)
    np.testing.assert_array_equal(first_alike(normal, level), alike.argmax(1))


@pytest.mark.parametrize("kind", ["axes", "noise", "fan", "any"])
def test_exits_and_opposite_exits(kind):
    """Counted face by face: of every cavity the different ways out, and those with another one opposite."""
    rng = np.random.default_rng(2)
    n = 120
    normal, level = faces(kind, n, rng)
    source, target = rng.integers(0, n, (2, 500))
    joined, on_hull = rng.random(500) < 0.1, rng.random(n) < 0.7
    found = dict(
        zip(
            cavities.CAVITY_SCALARS,
            cavity_scalars(source, target, joined, rng.random(500) < 0.5, on_hull, normal, level),
            strict=True,
        )
    )
    group = np.arange(n)
    for _ in range(n):
        for i, j in zip(source[joined], target[joined], strict=True):
            group[[i, j]] = group[[i, j]].min()
    way = (normal @ normal.T > 1 - TOLERANCE).argmax(1)
    for face in range(n):
        exits = {
            way[t] for s, t in zip(source, target, strict=True) if group[s] == group[face] != group[t] and on_hull[t]
        }
        opposed = [w for w in exits if any(normal[w] @ normal[v] < TOLERANCE - 1 for v in exits)]
        assert found["log_exits"][face] == pytest.approx(np.log1p(len(exits)))
        assert found["opposite"][face] == pytest.approx(len(opposed) / max(len(exits), 1))
