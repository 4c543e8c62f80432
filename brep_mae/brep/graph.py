"""Solid -> face graph: a measured part, placed and named."""

import numpy as np
from OCP.TopoDS import TopoDS

from brep_mae.brep.analytic import edge_params, face_params
from brep_mae.brep.arcs import ahead
from brep_mae.brep.colors import no_color
from brep_mae.brep.entities import no_name
from brep_mae.brep.measure import boxes
from brep_mae.brep.part import Part, Parts
from brep_mae.brep.parts import ReadSolid
from brep_mae.brep.reject import Reject
from brep_mae.brep.soundness import NeedsRepair, is_sound
from brep_mae.brep.split import faces_of
from brep_mae.brep.uvgrid import axes
from brep_mae.schema import FIELD_POINT, NO_COLOR, NORMAL, POINT, TANGENT, UNLABELLED, FaceGraph, validate


def face_graph(solid: ReadSolid, uid: str, file: str, parts: Parts) -> FaceGraph:
    """Everything schema.FaceGraph holds, labels aside.

    Args:
        uid: seeds the field samples, and with it the record is the same on every run; a part that was met before in
            the file keeps the samples it has.
        file: name relative to the data set.
        parts: those of the file, with the sampling.

    Raises:
        Reject: too_many_faces or degenerate.
        NeedsRepair: the solid was read without repairs and is flawed.
    """
    part, matrix, offset = parts.of(solid.shape, uid)
    if not solid.repaired and id(part) not in parts.sound:
        if not is_sound(solid.shape, part):
            raise NeedsRepair
        parts.sound.add(id(part))
    topology, surfaces, edges = part.topology, part.surfaces, part.edges
    grids, samples, arcs, vertices = part.grids, part.samples, part.arcs, topology.vertex_mm
    centroid = part.centroid
    if matrix is not None:
        surfaces, edges = surfaces.moved(matrix, offset), edges.moved(matrix, offset)
        grids = _moved(grids, (POINT, NORMAL), matrix, offset)
        samples = _moved(samples, (FIELD_POINT,), matrix, offset)
        arcs = arcs | {"arc_grid": _moved(arcs["arc_grid"], (POINT, TANGENT), matrix, offset)}
        vertices, centroid = vertices @ matrix.T + offset, centroid @ matrix.T + offset
    face_box = boxes(topology, surfaces, part.trimming, edges, grids)
    low, high = face_box[:, :3].min(axis=0), face_box[:, 3:].max(axis=0)
    center, scale = (low + high) / 2, float((high - low).max()) / 2
    if not 0 < scale < 1e50:
        raise Reject("degenerate", f"the bounding box runs from {low} to {high} mm")
    if id(part) not in parts.labels:
        parts.labels[id(part)] = _names_and_colors(solid, part)  # the file gives them to the part, not to its copies
    names, colors = parts.labels[id(part)]
    stored, used = edges.exists, edges.exists[topology.coedge_edge]
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
            center_mm=center,
            scale_mm=np.array(scale),
            face_grid=grids.astype(np.float32),
            face_type=surfaces.kind.astype(np.int8),
            face_area_mm2=part.area.astype(np.float32),
            face_loops=topology.loops,
            face_box_mm=face_box.astype(np.float32),
            face_centroid_mm=centroid.astype(np.float32),
            face_axes=axes(grids).astype(np.float32),
            face_curvature=part.curvature.astype(np.float32),
            face_params_unit=face_params(topology, surfaces, center, scale).astype(np.float32),
            face_color=colors,
            face_parent=part.parent.astype(np.int32),
            face_label=np.full(len(grids), UNLABELLED, np.int16),
            edge_params_unit=edge_params(topology, surfaces, edges, center, scale)[stored].astype(np.float32),
            edge_vertex=topology.edge_vertex[:, stored].astype(np.int32),
            vertex_unit=((vertices - center) / scale).astype(np.float32),
            coedge_index=np.stack([topology.coedge_face, part.number[topology.coedge_edge]])[:, used].astype(np.int32),
            coedge_forward=ahead(topology, surfaces)[used],
            field_samples=samples.astype(np.float32),
            field_bounded=part.bounded,
            **(arcs | {"arc_grid": arcs["arc_grid"].astype(np.float32)}),
        )
    )


def _moved(array: np.ndarray, channels: tuple[slice, ...], matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Turns the vectors in `channels` and moves the first of them, which are points. Shapes: (..., D) -> the same"""
    array = array.copy()
    for channel in channels:
        array[..., channel] = array[..., channel] @ matrix.T
    array[..., channels[0]] += offset
    return array


def _names_and_colors(solid: ReadSolid, part: Part) -> tuple[list[str], np.ndarray]:
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
