"""Fillets and chamfers: which edges are taken together, and how large they get."""

import numpy as np

from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.sharp import SharpEdge, sharp_edges
from brep_mae.generate.labelled import Rejected

MOST_EDGES, MOST_SPLINES = 20, 2  # the kernel's time for one operation grows fast with their number


def _group(rng: np.random.Generator, sharp: list[SharpEdge]) -> list[SharpEdge]:
    """Edges a modeller would pick at one go: around one face or two, one alone, parallel ones, equal circles."""
    first = sharp[rng.integers(len(sharp))]
    alike = [e for e in sharp if e.convex == first.convex]
    if rng.random() < 0.15:
        return [e for e in alike if not set(first.faces).isdisjoint(e.faces)]
    if rng.random() < 0.3:
        side = first.faces[rng.integers(2)]
        return [e for e in alike if side in e.faces]
    if rng.random() < 0.25:
        return [first]
    if first.direction is not None:
        near = [e for e in alike if e.direction is not None and abs(e.direction @ first.direction) > 0.9999]
        return [e for e in near if abs(e.length_mm - first.length_mm) < 0.02 * first.length_mm]
    if first.radius_mm:
        return [e for e in alike if abs(e.radius_mm - first.radius_mm) < 1e-4 * first.radius_mm]
    return [first]


def dress(model: Model, wanted: int, word: str) -> None:
    """Fillets or chamfers one group of edges; where the size is too much for the kernel, once more with half.

    Args:
        wanted: faces the part still wants.
        word: fillet or chamfer.
    """
    rng = model.rng
    sharp = [e for e in sharp_edges(model) if e.room_mm > 0.02 * model.size_mm and (word == "fillet" or e.convex)]
    if not sharp:
        raise Rejected(f"no edge for a {word}")
    group = _group(rng, sharp)
    splines = sum(e.free for e in group)
    if len(group) > MOST_EDGES or splines > MOST_SPLINES:
        raise Rejected("too many edges at once")
    size_mm = float(rng.uniform(0.18, 0.45)) * min(min(e.room_mm for e in group), 0.25 * model.size_mm)
    chosen = [e.edge for e in group]
    try:
        model.dress(word, chosen, size_mm)
    except Rejected:
        if splines:
            raise
        model.dress(word, chosen, size_mm / 2)
