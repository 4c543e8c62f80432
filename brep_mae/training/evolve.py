"""Search in the box [0, 1]^n for the point of least fitness: CMA-ES (Hansen 2016, arXiv:1604.00772), or at random.

ELo looks for the weights of losses in this way (Piergiovanni, Angelova, Ryoo 2020, arXiv:2002.12177). A search keeps no
state of its own on disk: the points of a generation follow from the seed and from what the earlier ones scored, so that
one that was cut off comes to the same points again, and only those whose score nobody kept cost anything.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import cma
import numpy as np

START, SIGMA = 0.5, 0.3
"""Where CMA-ES begins in every direction, and its first standard deviation."""


@dataclass(frozen=True)
class Candidate:
    """`weights` (n,) in [0, 1] that were tried as number `number` of generation `generation`; less `fitness` is
    better."""

    generation: int
    number: int
    weights: list[float]
    fitness: float


class Search(Protocol):
    """What proposes points of a generation and hears how they did."""

    def ask(self) -> np.ndarray:
        """(population, n) in [0, 1]"""

    def tell(self, points: np.ndarray, fitness: Sequence[float]) -> None: ...


def population(n: int) -> int:
    """Points of a generation in n dimensions, Hansen's default."""
    return 4 + math.floor(3 * math.log(n))


class CmaEs(Search):
    """CMA-ES with a generator of its own: what is drawn elsewhere does not matter."""

    def __init__(self, n: int, seed: int) -> None:
        draw = np.random.default_rng(seed)
        options = {
            "bounds": [0, 1],
            "popsize": population(n),
            "randn": lambda *shape: draw.standard_normal(shape),
            "seed": np.nan,  # leaves numpy's global generator alone
            "verbose": -9,
            "verb_log": 0,
        }
        self._strategy = cma.CMAEvolutionStrategy(np.full(n, START), SIGMA, options)

    def ask(self) -> np.ndarray:
        return np.array(self._strategy.ask())

    def tell(self, points: np.ndarray, fitness: Sequence[float]) -> None:
        self._strategy.tell(list(points), list(fitness))


class RandomSearch(Search):
    """The baseline of the same budget: points drawn evenly from the box, as many a generation as CMA-ES has."""

    def __init__(self, n: int, seed: int) -> None:
        self._shape, self._draw = (population(n), n), np.random.default_rng(seed)

    def ask(self) -> np.ndarray:
        return self._draw.random(self._shape)

    def tell(self, points: np.ndarray, fitness: Sequence[float]) -> None:
        pass


def evolve(search: Search, generations: int, evaluate: Callable[[int, np.ndarray], Sequence[float]]) -> list[Candidate]:
    """All candidates in the order in which they were tried.

    Args:
        evaluate: (generation, points) -> fitness of each. To survive a kill it keeps what it has found; see above.

    Raises ValueError for a fitness that is not finite.
    """
    tried: list[Candidate] = []
    for generation in range(generations):
        points = search.ask()
        fitness = [float(value) for value in evaluate(generation, points)]
        if not np.isfinite(fitness).all():
            raise ValueError(f"generation {generation}: a fitness is not finite: {fitness}; lower the method's lr")
        search.tell(points, fitness)
        pairs = enumerate(zip(points.tolist(), fitness, strict=True))
        tried += [Candidate(generation, number, point, value) for number, (point, value) in pairs]
    return tried


def best(tried: Sequence[Candidate]) -> Candidate:
    """The candidate of least fitness, the first of several."""
    return min(tried, key=lambda candidate: candidate.fitness)
