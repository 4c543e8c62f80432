"""Draws one random modelled part, every face named after the operation that made it."""

from collections.abc import Callable
from functools import partial
from math import hypot, pi

import numpy as np

from brep_mae.brep.reject import Reject
from brep_mae.brep.render.mesh import tessellate
from brep_mae.generate.generated_part import GeneratedPart, first_accepted
from brep_mae.generate.generators.modelled.bounds import bounds_mm
from brep_mae.generate.generators.modelled.classes import PART_CLASSES
from brep_mae.generate.generators.modelled.features.boxes import cells
from brep_mae.generate.generators.modelled.features.datum import datum, trim
from brep_mae.generate.generators.modelled.features.details import boss, hole, lettering, notch, pocket, slot
from brep_mae.generate.generators.modelled.features.edging import dress, finished
from brep_mae.generate.generators.modelled.features.fins import axle, fin
from brep_mae.generate.generators.modelled.features.panels import panel
from brep_mae.generate.generators.modelled.features.revolved import bent, drilled, lug, pin
from brep_mae.generate.generators.modelled.features.rows import grille
from brep_mae.generate.generators.modelled.features.trays import tray
from brep_mae.generate.generators.modelled.model import MAX_FACES, Model
from brep_mae.generate.generators.modelled.operations import Mirror, placed
from brep_mae.generate.generators.modelled.prismatic import block, bracket, housing, plate
from brep_mae.generate.generators.modelled.rotary import lever, segment, turned, wheel
from brep_mae.generate.generators.modelled.sketches.sketch import Frame
from brep_mae.generate.labelled import LabelledSolid, Rejected, check
from brep_mae.generate.primitives import Vector, cross

Rng = np.random.Generator

LEAST_OPERATIONS, MOST_OPERATIONS = 3, 30
MOST_REFUSED = 30  # operations that did not fit, before the part is taken as it is or thrown away
SIZES_MM = (8.0, 800.0)
FACES_MEDIAN, FACES_SPREAD = 45.0, 0.9  # log-normal number of faces that a part is modelled up to
MESH_SHARE = 1e-3  # of the part's size: how closely its triangles have to follow it, as in a frame of 250 pixels
ROUND = ("turned", "segment", "wheel")
SHARES = (0.15, 0.2, 0.15, 0.09, 0.07, 0.09, 0.15, 0.1)  # of the families
SYMMETRIC = 0.35  # share of the straight parts whose later operations are mirrored

FAMILIES: dict[str, Callable[[Model], None]] = {
    "plate": plate,
    "block": block,
    "bracket": bracket,
    "turned": turned,
    "segment": segment,
    "wheel": wheel,
    "housing": housing,
    "lever": lever,
}
"""The operations that make a part of this family what it is."""

OPERATIONS: dict[str, tuple[float, Callable[[Model, int], None]]] = {
    "pocket": (1.2, pocket),
    "hole": (1.4, hole),
    "boss": (1.4, boss),
    "notch": (0.9, notch),
    "slot": (0.4, slot),
    "datum": (0.7, datum),
    "trim": (0.7, trim),
    "lettering": (0.5, lettering),
    "panel": (1.4, panel),
    "grille": (0.7, grille),
    "cells": (0.8, cells),
    "tray": (0.8, tray),
    "finished": (0.8, finished),
    "fin": (0.9, fin),
    "axle": (0.4, axle),
    "drilled": (0.4, drilled),
    "pin": (0.3, pin),
    "bent": (0.35, bent),
    "lug": (0.25, lug),
    "fillet": (3.0, partial(dress, word="fillet")),
    "chamfer": (1.4, partial(dress, word="chamfer")),
}
"""Share, and maker of one operation: (model, faces still wanted), Rejected where it does not fit."""


def draw_part(seed: int, index: int) -> GeneratedPart:
    """Part `index` of the set with this seed."""

    def attempt(rng: Rng) -> tuple[str, LabelledSolid]:
        family = str(rng.choice(PART_CLASSES, p=SHARES))
        return family, build(rng, family)

    return first_accepted(attempt, seed, index)


def build(rng: Rng, family: str) -> LabelledSolid:
    """One attempt at a part: its family's first operations, then others until it has the faces it was drawn with.

    Raises:
        Rejected: the attempt has to be drawn again.
    """
    size_mm = float(np.exp(rng.uniform(*np.log(SIZES_MM))))
    model = Model(rng, size_mm, turned=family in ROUND, free_form=bool(rng.random() < 0.6))
    FAMILIES[family](model)
    if not model.turned and rng.random() < SYMMETRIC:
        model.mirror = _mirror(model)
    goal = float(np.clip(FACES_MEDIAN * np.exp(FACES_SPREAD * rng.standard_normal()), 8, 0.75 * MAX_FACES))
    refused = 0
    makers = [maker for _, maker in OPERATIONS.values()]
    shares = np.array([share for share, _ in OPERATIONS.values()]) * rng.uniform(0.2, 1.0, len(makers))
    while refused < MOST_REFUSED and model.operations < MOST_OPERATIONS:
        wanted = round(goal) - len(model.part.labels)
        if wanted <= 0 and model.operations >= LEAST_OPERATIONS:
            break
        try:
            makers[rng.choice(len(makers), p=shares / shares.sum())](model, wanted)
        except Rejected:
            refused += 1
    if model.operations < LEAST_OPERATIONS:
        raise Rejected("no operation fits")
    part = placed(model.part, _position(rng, size_mm))
    check(part)
    try:
        tessellate(part.solid, MESH_SHARE)
    except Reject as flaw:  # valid by BRepCheck, but nothing could show it
        raise Rejected("face without triangles") from flaw
    return part


def _mirror(model: Model) -> Mirror:
    """The middle of the part along x or y."""
    axis = int(model.rng.integers(2))
    return Mirror(axis, float(np.mean(bounds_mm(model.solid), axis=0)[axis]))


def _unit(x: float, y: float, z: float) -> Vector:
    length = hypot(x, y, z)
    return (x / length, y / length, z / length)


def _position(rng: Rng, size_mm: float) -> Frame:
    """Where the part lies: mostly with its axis along x, y or z, at times askew; near the origin or away from it."""
    axis, quarter = int(rng.integers(3)), int(rng.integers(4))
    unit = np.roll(np.eye(3), axis, axis=1) * rng.choice([-1.0, 1.0])
    frame = Frame((0.0, 0.0, 0.0), tuple(unit[0].tolist()), tuple(unit[2].tolist())).turned(quarter * pi / 2)
    if rng.random() < 0.2:
        x, other = _unit(*rng.standard_normal(3).tolist()), rng.standard_normal(3).tolist()
        frame = Frame(frame.origin, x, _unit(*cross(x, (other[0], other[1], other[2]))))
    away = rng.normal(0, size_mm, 3) * rng.choice([0.0, 1.0], p=[0.6, 0.4])
    return frame.moved(*map(float, away))
