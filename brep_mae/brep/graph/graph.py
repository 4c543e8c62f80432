"""Solid -> face graph: a measured part, placed and named."""

import numpy as np
from OCP.TopoDS import TopoDS

from brep_mae.brep.read.colors import no_color
from brep_mae.brep.read.entities import no_name
from brep_mae.brep.read.solids import ReadSolid
from brep_mae.brep.reject import Reject
from brep_mae.brep.solid.measured import MeasuredSolid
from brep_mae.brep.solid.placing import MeasuredSolids
from brep_mae.brep.solid.soundness import NeedsRepair, impossible, is_sound
from brep_mae.brep.solid.split import faces_of
from brep_mae.schema import NO_COLOR, UNLABELLED, FaceGraph, validate


def face_graph(solid: ReadSolid, uid: str, file: str, parts: MeasuredSolids) -> FaceGraph:
    """Everything schema.FaceGraph holds, labels aside.

    Args:
        uid: seeds the field samples, and with it the record is the same on every run; a part that was met before in
            the file keeps the samples it has.
        file: name relative to the data set.
        parts: those of the file, with the sampling.

    Raises:
        Reject: too_many_faces or degenerate.
        NeedsRepair: the solid was not read as by default and is flawed.
    """
    part, placed = parts.of(solid.shape, uid)
    if id(part) not in parts.sound:
        if not solid.by_default and not is_sound(solid.shape, part):
            raise NeedsRepair
        if flaw := impossible(part):
            raise Reject("degenerate", flaw)
        parts.sound.add(id(part))
    if id(part) not in parts.labels:
        parts.labels[id(part)] = _names_and_colors(solid, part)  # the file gives them to the part, not to its copies
    names, colors = parts.labels[id(part)]
    return validate(
        FaceGraph(
            uid=uid,
            file=file,
            solid=solid.index,
            name=solid.name,
            product=solid.product,
            assembly=solid.assembly,
            unit_mm=solid.unit_mm,
            face_name=names,
            face_color=colors,
            face_label=np.full(len(part.area), UNLABELLED, np.int16),
            **part.unmoved,
            **placed,
        )
    )


def _names_and_colors(solid: ReadSolid, part: MeasuredSolid) -> tuple[list[str], np.ndarray]:
    """What the file calls each face, and its colour (F, 3)."""
    count = len(part.parent)
    names, colors = [""] * count, np.full((count, 3), NO_COLOR, np.int16)
    if solid.face_name is no_name and solid.face_color is no_color:
        return names, colors
    faces = faces_of(solid.shape)
    named = [TopoDS.Face_s(faces.FindKey(number + 1)) for number in part.parent.tolist()]
    if solid.face_name is not no_name:
        names = [solid.face_name(face) for face in named]
    if solid.face_color is not no_color:
        colors[:] = [solid.face_color(face) or (NO_COLOR,) * 3 for face in named]
    return names, colors
