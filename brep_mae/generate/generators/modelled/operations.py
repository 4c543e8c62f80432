"""Sweeps of sketches whose faces know what they are, and what becomes of labels in copies and merges."""

from collections.abc import Callable
from dataclasses import dataclass
from math import tau

import numpy as np
from OCP.BRepBuilderAPI import (
    BRepBuilderAPI_MakeFace,
    BRepBuilderAPI_MakePolygon,
    BRepBuilderAPI_Transform,
)
from OCP.BRepPrimAPI import BRepPrimAPI_MakePrism, BRepPrimAPI_MakeRevol
from OCP.BRepTools import BRepTools_Modifier
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt, gp_Trsf, gp_Vec
from OCP.ShapeCustom import ShapeCustom_ConvertToBSpline
from OCP.ShapeUpgrade import ShapeUpgrade_UnifySameDomain
from OCP.TopoDS import TopoDS_Shape

from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Loop, Profile, face
from brep_mae.generate.labelled import (
    LabelledSolid,
    Labels,
    Rejected,
    edges,
    faces,
    members,
    only_solid,
    sewn,
)


def _sweep(
    maker: BRepPrimAPI_MakePrism | BRepPrimAPI_MakeRevol, base: TopoDS_Shape, side: str, end: str
) -> LabelledSolid:
    if not maker.IsDone():
        raise Rejected("sweep failed")
    result = Labels(only_solid(maker.Shape()))
    for edge in edges(base):
        for swept in members(maker.Generated(edge)):
            result.mark(swept, side)
    for capped in (maker.FirstShape(), maker.LastShape()):
        result.mark(capped, end)
    return result.done()


def extrude(profile: Profile, frame: Frame, length_mm: float, word: str = "extrude") -> LabelledSolid:
    """Swept from the frame's plane along its normal; the labels are `<word>_side` and `<word>_end`.

    Args:
        length_mm: positive.
        word: extrude for what is added, cut for what is removed.
    """
    base = face(profile, frame)
    sweep = gp_Vec(gp_Dir(*frame.normal)).Multiplied(length_mm)
    # Without copies of its own geometry the far end could not be told from the near one when STEP is written.
    return _sweep(BRepPrimAPI_MakePrism(base, sweep, True), base, f"{word}_side", f"{word}_end")


def revolve(profile: Profile, frame: Frame, angle_rad: float = tau) -> LabelledSolid:
    """Turned about the frame's v axis, away from its plane along its normal; a full turn has no ends.

    Args:
        profile: on the side u >= 0 of the axis, which it may touch but not cross.
        angle_rad: in (0, 2 pi].
    """
    base = face(profile, frame)
    axis = gp_Ax1(gp_Pnt(*frame.origin), gp_Dir(*(-c for c in frame.y)))
    full = angle_rad >= tau - 1e-9
    maker = BRepPrimAPI_MakeRevol(base, axis, True) if full else BRepPrimAPI_MakeRevol(base, axis, angle_rad, True)
    return _sweep(maker, base, "revolve_side", "revolve_end")


def bevelling(outer: Loop, inner: Loop, frame: Frame, depth_mm: float) -> LabelledSolid:
    """What a chamfer takes off the rim of an opening that has four walls or more: its sides, flat and labelled chamfer,
    lead from the outline in the frame's plane to the one that lies deeper.

    Args:
        outer, inner: as many lines each, the sides of both parallel in turn.
    """
    above = [frame.point(*line.points[0]) for line in outer]
    below = [frame.point(*line.points[0], -depth_mm) for line in inner]
    walls = zip(above, below, below[1:] + below[:1], above[1:] + above[:1], strict=True)
    parts = []
    for label, outlines in (("cut_end", [above, below]), ("chamfer", list(walls))):
        for corners in outlines:
            polygon = BRepBuilderAPI_MakePolygon()
            for corner in corners:
                polygon.Add(corner)
            polygon.Close()
            parts.append((BRepBuilderAPI_MakeFace(polygon.Wire(), True).Face(), label))
    return sewn(parts)


def _handed_on(part: LabelledSolid, solid: TopoDS_Shape, heir: Callable[[TopoDS_Shape], TopoDS_Shape]) -> LabelledSolid:
    result = Labels(only_solid(solid))
    for old, label in zip(faces(part.solid), part.labels, strict=True):
        result.mark(heir(old), label)
    return result.done()


def free_form(part: LabelledSolid) -> LabelledSolid:
    """Swept splines as B-spline surfaces, as many CAD kernels write them; all other surfaces stay what they are."""
    change = ShapeCustom_ConvertToBSpline()
    change.SetExtrusionMode(True)
    change.SetRevolutionMode(True)
    modifier = BRepTools_Modifier(part.solid, change)
    if not modifier.IsDone():
        raise Rejected("no B-spline form")
    return _handed_on(part, modifier.ModifiedShape(part.solid), modifier.ModifiedShape)


def placed(part: LabelledSolid, frame: Frame) -> LabelledSolid:
    """Brought from the world's frame into another."""
    there = gp_Trsf()
    rows = list(zip(frame.x, frame.y, frame.normal, frame.origin, strict=True))
    there.SetValues(*(value for row in rows for value in row))
    move = BRepBuilderAPI_Transform(part.solid, there, True)
    return _handed_on(part, move.Shape(), move.ModifiedShape)


@dataclass(frozen=True)
class Mirror:
    """The plane where the coordinate `axis` (0 to 2 for x, y, z) is `at_mm`."""

    axis: int
    at_mm: float


def mirrored(part: LabelledSolid, mirror: Mirror) -> LabelledSolid:
    """Its image."""
    at, normal = np.zeros(3), np.eye(3)[mirror.axis]
    at[mirror.axis] = mirror.at_mm
    across = gp_Trsf()
    across.SetMirror(gp_Ax2(gp_Pnt(*at.tolist()), gp_Dir(*normal.tolist())))
    move = BRepBuilderAPI_Transform(part.solid, across, True)
    return _handed_on(part, move.Shape(), move.ModifiedShape)


def merged(part: LabelledSolid) -> LabelledSolid:
    """Neighbouring faces that continue each other made one, as a modeller shows them.

    Raises Rejected where they have two labels.
    """
    upgrade = ShapeUpgrade_UnifySameDomain(part.solid, True, True, False)
    upgrade.Build()
    history = upgrade.History()
    result = Labels(only_solid(upgrade.Shape()))
    for old, label in zip(faces(part.solid), part.labels, strict=True):
        if not history.IsRemoved(old):
            for piece in members(history.Modified(old)) or [old]:
                result.mark(piece, label)
    return result.done()
