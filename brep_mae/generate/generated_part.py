"""What every kind of generator hands over: a solid, a class per face and per part, and what it took to draw it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from OCP.TopoDS import TopoDS_Solid

from brep_mae.generate.labelled import LabelledSolid, Rejected

MAX_ATTEMPTS = 100


@dataclass(frozen=True)
class GeneratedPart:
    """A finished part.

    Invariant: `labels[i]` is the class of face i of `labelled.faces(solid)`, the order of `TopExp::MapShapes`.

    Args:
        family: class of the part.
        attempts: draws it took, this one included.
        rejected: how often each reason threw an earlier draw away.
    """

    solid: TopoDS_Solid
    labels: tuple[str, ...]
    family: str
    attempts: int
    rejected: Mapping[str, int]


def first_accepted(
    draw: Callable[[np.random.Generator], tuple[str, LabelledSolid]], seed: int, index: int
) -> GeneratedPart:
    """Part `index` of the set with this seed: the same on every machine, in whatever order parts are made.

    Args:
        draw: one attempt, (family, solid); raises Rejected where it has to be drawn again.

    Raises RuntimeError after MAX_ATTEMPTS attempts.
    """
    rng = np.random.default_rng([seed, index])
    rejected: Counter[str] = Counter()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            family, labelled = draw(rng)
        except Rejected as reason:
            rejected[str(reason)] += 1
            continue
        return GeneratedPart(labelled.solid, labelled.labels, family, attempt, rejected)
    raise RuntimeError(f"part {index} of seed {seed}: {MAX_ATTEMPTS} draws rejected {dict(rejected)}; try another seed")
