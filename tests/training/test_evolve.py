"""ELo's acceptance check 3 (Piergiovanni et al. 2020, arXiv:2002.12177): the search itself, without any training."""

import json
from pathlib import Path

import numpy as np
import pytest

from brep_mae.training.evolve import CmaEs, RandomSearch, best, evolve, population

N = 8
OPTIMUM = np.array([0.2, 0.8, 0.0, 1.0, 0.5, 0.35, 0.9, 0.1])
"""Two of them at the border of the box."""


def quadratic(generation: int, points: np.ndarray) -> np.ndarray:
    return np.square(points - OPTIMUM).sum(1)


def test_the_population_is_that_of_the_default():
    assert [population(n) for n in (1, 2, 8, 17)] == [4, 6, 10, 12]


def test_check_3_the_minimum_of_a_shifted_quadratic_is_found_and_the_box_is_never_left():
    tried = evolve(CmaEs(N, seed=0), 60, quadratic)
    points = np.array([candidate.weights for candidate in tried])
    assert len(tried) == 600 and points.min() >= 0 and points.max() <= 1
    assert np.abs(points[-10:] - OPTIMUM).max() < 0.05 and best(tried).fitness < 1e-3


def test_check_3_control_at_random_the_same_budget_finds_nothing_like_it():
    tried = evolve(RandomSearch(N, seed=0), 60, quadratic)
    points = np.array([candidate.weights for candidate in tried])
    assert len(tried) == 600 and points.min() >= 0 and points.max() <= 1
    assert best(tried).fitness > 0.03


@pytest.mark.parametrize("search", [CmaEs, RandomSearch])
def test_check_3_the_same_seed_gives_the_same_trajectory_whatever_else_draws(search):
    def disturbed(generation: int, points: np.ndarray) -> np.ndarray:
        np.random.seed(generation)  # noqa: NPY002  what a library might do in between
        return quadratic(generation, points)

    first, again, other = (
        evolve(search(N, seed), 4, evaluate) for seed, evaluate in ((3, quadratic), (3, disturbed), (4, quadratic))
    )
    assert first == again and first != other


class Killed(Exception):
    pass


class Kept:
    """Evaluates point by point, keeps every fitness in a file, and dies where it is told to."""

    def __init__(self, folder: Path, dies_after: int = 10**9) -> None:
        self.folder, self.left, self.paid = folder, dies_after, 0

    def __call__(self, generation: int, points: np.ndarray) -> list[float]:
        return [self.one(self.folder / f"{generation}-{number}.json", point) for number, point in enumerate(points)]

    def one(self, file: Path, point: np.ndarray) -> float:
        if not file.exists():
            if self.left == 0:
                raise Killed
            self.left, self.paid = self.left - 1, self.paid + 1
            file.write_text(json.dumps(float(np.square(point - OPTIMUM).sum())))
        return json.loads(file.read_text())


def test_a_search_cut_off_goes_on_along_the_same_trajectory_and_pays_for_the_rest_alone(tmp_path):
    whole = evolve(CmaEs(N, seed=5), 5, quadratic)
    with pytest.raises(Killed):
        evolve(CmaEs(N, seed=5), 5, Kept(tmp_path, dies_after=23))
    resumed = Kept(tmp_path)
    assert evolve(CmaEs(N, seed=5), 5, resumed) == whole
    assert resumed.paid == 50 - 23


def test_the_next_generation_follows_from_what_the_last_one_scored():
    down, up = (evolve(CmaEs(N, 0), 3, lambda g, x, sign=sign: sign * quadratic(g, x)) for sign in (1, -1))
    assert [c.weights for c in down[:10]] == [c.weights for c in up[:10]]
    assert [c.weights for c in down[10:]] != [c.weights for c in up[10:]]


def test_a_fitness_that_is_not_finite_is_named():
    with pytest.raises(ValueError, match="generation 1: a fitness is not finite"):
        evolve(CmaEs(2, 0), 3, lambda generation, points: [np.nan if generation else 0.0] * len(points))
