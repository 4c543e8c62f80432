"""Fillets and chamfers: which edges are taken together, and how large they get."""

import numpy as np

from brep_mae.generate.generators.modelled.features.details import boss, pocket
from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.sharp import SharpEdge, sharp_edges
from brep_mae.generate.labelled import Rejected, faces

MOST_EDGES, MOST_SPLINES = 20, 2  # the kernel's time for one operation grows fast with their number
LEAST_ROOM = 0.008  # beside an edge of what has just been made, as a share of the part's size


def _group(rng: np.random.Generator, sharp: list[SharpEdge]) -> list[SharpEdge]:
    """Edges a modeller would pick at one go: around one face or two, one alone, parallel ones, equal circles."""
    first = sharp[rng.integers(len(sharp))]
    alike = _alike(sharp, first)
    if rng.random() < 0.15:
        return [e for e in alike if not set(first.faces).isdisjoint(e.faces)]
    if rng.random() < 0.3:
        side = first.faces[rng.integers(2)]
        return [e for e in alike if side in e.faces]
    if rng.random() < 0.25:
        return [first]
    if first.direction is not None:
        return _equal(alike, first)
    if first.radius_mm:
        return [e for e in alike if abs(e.radius_mm - first.radius_mm) < 1e-4 * first.radius_mm]
    return [first]


def _equal(alike: list[SharpEdge], first: SharpEdge) -> list[SharpEdge]:
    """Straight ones that are parallel to the first and as long."""
    assert first.direction is not None, "only a straight edge has parallel ones"
    near = [e for e in alike if e.direction is not None and abs(e.direction @ first.direction) > 0.9999]
    return [e for e in near if abs(e.length_mm - first.length_mm) < 0.02 * first.length_mm]


def dress(model: Model, wanted: int, word: str) -> None:
    """Fillets or chamfers one group of edges; where the size is too much for the kernel, once more with half.

    Args:
        wanted: faces the part still wants.
        word: fillet or chamfer.
    """
    sharp = _large_enough(model, word, 0.02)
    if not sharp:
        raise Rejected(f"no edge for a {word}")
    _blend(model, _group(model.rng, sharp), word)


def finished(model: Model, wanted: int) -> None:
    """A pocket or a boss whose own edges are rounded or bevelled straight away: first those along its depth, then those
    about its floor, top or rim."""
    rng = model.rng
    before = model.known_faces()
    (pocket if rng.random() < 0.6 else boss)(model, wanted)
    word = "fillet" if rng.random() < 0.8 else "chamfer"
    for parallel in (True, False, False)[: rng.integers(1, 4)]:
        new = [not before.Contains(face) for face in faces(model.solid)]
        sharp = [e for e in _large_enough(model, word, LEAST_ROOM) if new[e.faces[0]] and new[e.faces[1]]]
        straight = [e for e in sharp if e.direction is not None]
        if not (straight if parallel else sharp):
            continue
        if parallel:
            group = max((_equal(_alike(sharp, first), first) for first in straight), key=len)
        else:
            first = sharp[rng.integers(len(sharp))]
            about = ([e for e in _alike(sharp, first) if side in e.faces] for side in first.faces)
            group = max(about, key=len)
        try:
            _blend(model, group, word)
        except Rejected:
            return  # what came before stays


def _large_enough(model: Model, word: str, least_room: float) -> list[SharpEdge]:
    least_mm = least_room * model.size_mm
    return [e for e in sharp_edges(model) if e.room_mm > least_mm and (word == "fillet" or e.convex)]


def _alike(sharp: list[SharpEdge], first: SharpEdge) -> list[SharpEdge]:
    return [e for e in sharp if e.convex == first.convex]


def _blend(model: Model, group: list[SharpEdge], word: str) -> None:
    splines = sum(e.free for e in group)
    if len(group) > MOST_EDGES or splines > MOST_SPLINES:
        raise Rejected("too many edges at once")
    size_mm = float(model.rng.uniform(0.18, 0.45)) * min(min(e.room_mm for e in group), 0.25 * model.size_mm)
    chosen = [e.edge for e in group]
    try:
        model.dress(word, chosen, size_mm)
    except Rejected:
        if splines:
            raise
        model.dress(word, chosen, size_mm / 2)
