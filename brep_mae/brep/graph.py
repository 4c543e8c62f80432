"""Solid -> face graph: faces, the coedges between them, and everything sampled on both."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from OCP.Bnd import Bnd_Box
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_FORWARD, TopAbs_REVERSED, TopAbs_WIRE
from OCP.TopExp import TopExp, TopExp_Explorer
from OCP.TopoDS import TopoDS
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.curves import Curve, edge_curve, parameter_curve
from brep_mae.brep.field import draw_pool, face_field
from brep_mae.brep.reject import Reject
from brep_mae.brep.step import ReadSolid
from brep_mae.brep.surfaces import CLOSED_FORMS
from brep_mae.brep.trimming import Coedge, Loops, TrimmedFace
from brep_mae.brep.uvgrid import backwards, edge_grid, face_grid, unit_grid
from brep_mae.schema import CONVEXITY, CURVE_TYPES, INSIDE, SURFACE_TYPES, UNLABELLED, FaceGraph, validate

MAX_FACES = 10_000
SMOOTH_RAD = np.deg2rad(1.0)
"""Below this angle between the normals an edge is smooth."""


@dataclass
class _Walk:
    """One pass over the faces of a solid: each face with its coedges, each edge with its curve."""

    faces: list[TrimmedFace] = field(default_factory=list)
    coedges: list[list[Coedge]] = field(default_factory=list)
    loops: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def face_graph(solid: ReadSolid, uid: str, file: str, grid: int, field_pool: int, field_samples: int) -> FaceGraph:
    """Everything schema.FaceGraph holds, labels aside.

    Args:
        uid: seeds the field samples, and with it the record is the same on every run.
        file: name relative to the data set.
        grid: samples per side of a grid.
        field_pool: points drawn per face, of which `field_samples` are kept.

    An edge between two faces gives one arc each way, a seam two arcs from its face to itself. Where more than two
    coedges meet in an edge (non-manifold), every ordered pair of them gives an arc. Free edges, degenerate edges and
    edges without a curve in space give none.

    Raises:
        Reject: too_many_faces or degenerate.
    """
    walk = _walk(solid)
    arcs = _arcs(walk)
    count = len(walk.faces)
    squares, cells = unit_grid(grid), grid * grid
    face_grids = np.empty((count, grid, grid, 7))
    samples = np.empty((count, field_samples, 6))
    bounded = np.empty(count, bool)
    key = int.from_bytes(uid.encode(), "big")
    for i, (face, coedges) in enumerate(zip(walk.faces, walk.coedges, strict=True)):
        pool = draw_pool(field_pool, np.random.default_rng([key, i]))
        inside, distance = Loops(face, coedges).locate(np.concatenate([squares, pool]))
        face_grids[i] = face_grid(face, squares, inside[:cells])
        samples[i], bounded[i] = face_field(face, pool, inside[cells:], distance[cells:], field_samples)
    center, scale = _box(walk, face_grids)
    return validate(
        FaceGraph(
            uid=uid,
            file=file,
            solid=solid.index,
            name=solid.name,
            unit_mm=solid.unit_mm,
            face_name=walk.names,
            center_mm=center,
            scale_mm=np.array(scale),
            face_grid=face_grids.astype(np.float32),
            face_type=np.array([SURFACE_TYPES.index(f.surface.kind) for f in walk.faces], np.int8),
            face_area_mm2=np.array([_area(f) for f in walk.faces], np.float32),
            face_loops=np.array(walk.loops, np.int16),
            face_label=np.full(count, UNLABELLED, np.int16),
            field_samples=samples.astype(np.float32),
            field_bounded=bounded,
            **_arc_arrays(walk, arcs, grid),
        )
    )


def _walk(solid: ReadSolid) -> _Walk:
    face_map, edge_map = TopTools_IndexedMapOfShape(), TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(solid.shape, TopAbs_FACE, face_map)
    if face_map.Extent() > MAX_FACES:
        raise Reject("too_many_faces", f"solid {solid.index} has {face_map.Extent()} faces, the limit is {MAX_FACES}")
    curves: list[Curve | None] = []
    walk = _Walk()
    for number in range(face_map.Extent()):
        face = TrimmedFace(TopoDS.Face_s(face_map.FindKey(number + 1)), number)
        coedges = []
        explorer = TopExp_Explorer(face.face, TopAbs_EDGE)
        while explorer.More():
            edge = TopoDS.Edge_s(explorer.Current())
            explorer.Next()
            if edge.Orientation() not in (TopAbs_FORWARD, TopAbs_REVERSED):
                continue  # lies inside the face and bounds nothing
            index = edge_map.Add(edge) - 1
            if index == len(curves):
                curves.append(edge_curve(edge))
            forward = (edge.Orientation() == TopAbs_FORWARD) != face.surface.mirrored
            coedges.append(Coedge(edge, index, forward, curves[index]))
        loops = 0
        explorer = TopExp_Explorer(face.face, TopAbs_WIRE)
        while explorer.More():
            loops += 1
            explorer.Next()
        assert len(walk.faces) == number  # a face's number is its place in every list
        walk.faces.append(face)
        walk.coedges.append(coedges)
        walk.loops.append(loops)
        walk.names.append(solid.face_name(face.face))
    return walk


def _arcs(walk: _Walk) -> list[tuple[int, int, Coedge, Coedge]]:
    """(source face, target face, coedge of the source, coedge of the target), by source."""
    users: dict[int, list[tuple[int, Coedge]]] = {}
    for number, coedges in enumerate(walk.coedges):
        for coedge in coedges:
            if coedge.curve is not None:
                users.setdefault(coedge.index, []).append((number, coedge))
    return [
        (number, other, coedge, opposite)
        for number, coedges in enumerate(walk.coedges)
        for coedge in coedges
        for other, opposite in users.get(coedge.index, ())
        if opposite is not coedge
    ]


def _arc_arrays(walk: _Walk, arcs: list[tuple[int, int, Coedge, Coedge]], grid: int) -> dict[str, Any]:
    curves: list[Curve] = []
    numbers: dict[int, int] = {}
    for _, _, coedge, _ in arcs:
        if coedge.index not in numbers and coedge.curve is not None:
            numbers[coedge.index] = len(curves)
            curves.append(coedge.curve)
    edge = np.array([numbers[arc[2].index] for arc in arcs], np.int32)
    forward = np.array([arc[2].forward for arc in arcs], bool)
    ends = np.array([arc[:2] for arc in arcs], np.int32).reshape(-1, 2).T.copy()
    along = np.array([edge_grid(curve, grid) for curve in curves]).reshape(-1, grid, 6)
    both = np.array([along, backwards(along)])
    tangents = np.array([curve.evaluate(np.array([curve.middle]))[1][0] for curve in curves]).reshape(-1, 3)[edge]
    normals: dict[int, np.ndarray] = {}
    for source, target, coedge, opposite in arcs:
        for face, side in ((source, coedge), (target, opposite)):
            if id(side) not in normals:
                normals[id(side)] = _normal_at_middle(walk.faces[face], side)
    sources = np.array([normals[id(arc[2])] for arc in arcs]).reshape(-1, 3)
    targets = np.array([normals[id(arc[3])] for arc in arcs]).reshape(-1, 3)
    angles = dihedral(sources, targets, np.where(forward[:, None], tangents, -tangents))
    convexity = np.where(angles > 0, CONVEXITY.index("convex"), CONVEXITY.index("concave"))
    convexity[np.abs(angles) < SMOOTH_RAD] = CONVEXITY.index("smooth")
    return {
        "arc_index": ends,
        "arc_edge": edge,
        "arc_grid": both[np.where(forward, 0, 1), edge].astype(np.float32),
        "arc_type": np.array([CURVE_TYPES.index(curve.kind) for curve in curves], np.int8)[edge],
        "arc_convexity": convexity.astype(np.int8),
        "arc_angle_rad": angles.astype(np.float32),
        "arc_length_mm": np.array([abs(curve.length()) for curve in curves], np.float32)[edge],
        "arc_seam": ends[0] == ends[1],
    }


def _normal_at_middle(face: TrimmedFace, coedge: Coedge) -> np.ndarray:
    """Outward normal of the face half way along the edge's parameter."""
    if face.surface.kind == "plane":
        return face.outward(face.low[None])[1][0]
    curve = parameter_curve(coedge.edge, face.face)
    if curve is None:
        return np.zeros(3)
    return face.outward(curve.evaluate(np.array([curve.middle]))[0])[1][0]


def dihedral(sources: np.ndarray, targets: np.ndarray, tangents: np.ndarray) -> np.ndarray:
    """Angle between outward normals in (-pi, pi], positive where the edge is convex.

    The source face is on the left of the tangent seen from outside, so at a convex edge the normal turns about the
    tangent by a positive angle on the way to the target. Shapes: three times (A, 3) -> (A,)
    """
    size = np.linalg.norm(tangents, axis=1)
    turn = (np.cross(sources, targets) * tangents).sum(axis=1) / np.where(size > 0, size, 1.0)
    angles = np.arctan2(turn, (sources * targets).sum(axis=1))
    return np.where(angles == -np.pi, np.pi, angles)


def _area(face: TrimmedFace) -> float:
    properties = GProp_GProps()
    BRepGProp.SurfaceProperties_s(face.face, properties)
    return abs(properties.Mass())


def _box(walk: _Walk, face_grids: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and half the longest side of the bounding box, in mm.

    Exact for closed-form faces between lines, circles and ellipses; for the others the box of their samples, since
    OCCT's exact box of one free-form face can take longer than reading the whole file.
    """
    box, low, high = Bnd_Box(), np.full(3, np.inf), np.full(3, -np.inf)
    for face, coedges, grid in zip(walk.faces, walk.coedges, face_grids, strict=True):
        curves = [coedge.curve for coedge in coedges if coedge.curve is not None]
        if face.surface.kind in CLOSED_FORMS and all(c.kind in ("line", "circle", "ellipse") for c in curves):
            BRepBndLib.AddOptimal_s(face.face, box, False, False)
            continue
        points = [grid[grid[..., INSIDE] > 0][:, :3]] + [curve.sample(curve.segments + 1)[0] for curve in curves]
        low = np.minimum(low, np.concatenate(points).min(axis=0, initial=np.inf))
        high = np.maximum(high, np.concatenate(points).max(axis=0, initial=-np.inf))
    if not box.IsVoid():
        box.SetGap(0.0)
        corners = np.array(box.Get())
        low, high = np.minimum(low, corners[:3]), np.maximum(high, corners[3:])
    scale = float((high - low).max()) / 2
    if not 0 < scale < 1e50:
        raise Reject("degenerate", f"the bounding box runs from {low} to {high} mm")
    return (low + high) / 2, scale
