"""One walk over a solid: its faces, edges, coedges and vertices, numbered."""

from dataclasses import dataclass

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_FORWARD, TopAbs_REVERSED, TopAbs_WIRE
from OCP.TopExp import TopExp, TopExp_Explorer
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Edge, TopoDS_Face, TopoDS_Shape, TopoDS_Vertex
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.reject import Reject

MAX_FACES = 16_000
MANY_LOOPS = 100
"""Loops of a face, outer one included, from which on the kernel must not compare each with every other one: of 100 that
takes no time to speak of, of 3,000 a minute."""
FORWARD, REVERSED = int(TopAbs_FORWARD), int(TopAbs_REVERSED)
"""As plain numbers: comparing the kernel's own takes longer than asking for them."""


@dataclass(frozen=True)
class Topology:
    """Axes: F faces, E edges, C coedges, P vertices; coedges stand face after face, loop after loop.

    Args:
        faces: in the order of OCCT's map; reversed (F,) True where the face looks against its surface's normal, which
            a placement carries along as a vector, also one that mirrors.
        edges: as first met, degenerate ones included.
        coedges: edges oriented as their faces use them; forward (C,) True where that is the edge's own direction,
            before the placement of a face that it mirrors.
        coedge_face, coedge_edge: (C,).
        loops: (F,) number of trimming loops.
        edge_vertex: (2, E) start and end, -1 where there is none.
        vertex_mm: (P, 3).
        middle: (F, 3) a point near the solid that each face belongs to, in mm.
    """

    faces: list[TopoDS_Face]
    reversed: np.ndarray
    edges: list[TopoDS_Edge]
    coedges: list[TopoDS_Shape]
    forward: np.ndarray
    coedge_face: np.ndarray
    coedge_edge: np.ndarray
    loops: np.ndarray
    edge_vertex: np.ndarray
    vertex_mm: np.ndarray
    middle: np.ndarray


def walk(solid: TopoDS_Shape) -> Topology:
    """Edges that lie inside a face and bound nothing are left out.

    Args:
        solid: right way out.

    Raises:
        Reject: degenerate without a face or with one that bounds nothing, or too_many_faces.
    """
    face_map, edge_map = TopTools_IndexedMapOfShape(), TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(solid, TopAbs_FACE, face_map)
    count = face_map.Extent()
    if not count:
        raise Reject("degenerate", "it has no faces")
    if count > MAX_FACES:
        raise Reject("too_many_faces", f"{count} faces, the limit is {MAX_FACES}")
    faces: list[TopoDS_Face] = []
    edges: list[TopoDS_Edge] = []
    coedges: list[TopoDS_Shape] = []
    forward, coedge_face, coedge_edge, loops = [], [], [], np.zeros(count, np.int16)
    explorer = TopExp_Explorer()
    for number in range(count):
        face = TopoDS.Face_s(face_map.FindKey(number + 1))
        if int(face.Orientation()) > REVERSED:
            raise Reject("degenerate", f"face {number} lies inside the solid and bounds nothing")
        faces.append(face)
        loops[number] = face.NbChildren() if face.NbChildren() < 2 else _count(face)
        explorer.Init(face, TopAbs_EDGE)
        while explorer.More():
            edge = explorer.Current()
            explorer.Next()
            way = int(edge.Orientation())
            if way > REVERSED:
                continue
            index = edge_map.Add(edge) - 1
            if index == len(edges):
                edges.append(TopoDS.Edge_s(edge))
            coedges.append(edge)
            forward.append(way == FORWARD)
            coedge_face.append(number)
            coedge_edge.append(index)
    edge_vertex, vertex_mm = _vertices(edges)
    turned = np.array([is_mirrored(face) for face in faces], bool)  # there an orientation means the opposite
    return Topology(
        faces=faces,
        reversed=np.array([int(face.Orientation()) == REVERSED for face in faces], bool) != turned,
        edges=edges,
        coedges=coedges,
        forward=np.array(forward, bool) != turned[coedge_face],
        coedge_face=np.array(coedge_face, np.int64),
        coedge_edge=np.array(coedge_edge, np.int64),
        loops=loops,
        edge_vertex=edge_vertex,
        vertex_mm=vertex_mm,
        middle=np.tile(vertex_mm.mean(axis=0) if len(vertex_mm) else np.zeros(3), (count, 1)),
    )


def right_way_out(solid: TopoDS_Shape) -> TopoDS_Shape:
    """The solid, turned over if a mirroring placement turned it inside out.

    The kernel takes the normal of a mirrored surface anew from its derivatives, so that it changes sides. Some programs
    turn the solid that they mirror over for that, and some leave it as it was.
    """
    faces = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(solid, TopAbs_FACE, faces)
    mirrored = any(is_mirrored(TopoDS.Face_s(faces.FindKey(number + 1))) for number in range(faces.Extent()))
    return solid.Reversed() if mirrored and inside_out(solid) else solid


def is_mirrored(face: TopoDS_Face) -> bool:
    """True where the placement of the face's surface turns left into right."""
    location = TopLoc_Location()
    BRep_Tool.Surface_s(face, location)
    return not location.IsIdentity() and bool(location.Transformation().IsNegative())


def inside_out(solid: TopoDS_Shape) -> bool:
    """True where the faces look inwards by the kernel's own normals."""
    content = GProp_GProps()
    BRepGProp.VolumeProperties_s(solid, content)
    return bool(content.Mass() < 0)


def joined(solids: list[Topology]) -> Topology:
    """Several solids side by side, as if they were one."""
    faces, edges, points = (
        np.cumsum([0, *(len(values) for values in columns)])
        for columns in ([s.faces for s in solids], [s.edges for s in solids], [s.vertex_mm for s in solids])
    )
    ends = [np.where(s.edge_vertex >= 0, s.edge_vertex + n, -1) for s, n in zip(solids, points, strict=False)]
    return Topology(
        faces=[face for s in solids for face in s.faces],
        reversed=np.concatenate([s.reversed for s in solids]),
        edges=[edge for s in solids for edge in s.edges],
        coedges=[coedge for s in solids for coedge in s.coedges],
        forward=np.concatenate([s.forward for s in solids]),
        coedge_face=np.concatenate([s.coedge_face + n for s, n in zip(solids, faces, strict=False)]),
        coedge_edge=np.concatenate([s.coedge_edge + n for s, n in zip(solids, edges, strict=False)]),
        loops=np.concatenate([s.loops for s in solids]),
        edge_vertex=np.concatenate(ends, axis=1),
        vertex_mm=np.concatenate([s.vertex_mm for s in solids]),
        middle=np.concatenate([s.middle for s in solids]),
    )


def _vertices(edges: list[TopoDS_Edge]) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of each edge along its curve, and the points of all of them."""
    found = TopTools_IndexedMapOfShape()
    points: list[tuple[float, float, float]] = []
    ends = np.full((2, len(edges)), -1, np.int64)
    both = TopoDS_Vertex(), TopoDS_Vertex()
    for number, edge in enumerate(edges):
        TopExp.Vertices_s(edge, *both)
        for end, vertex in enumerate(both):
            if vertex.IsNull():
                continue
            index = found.Add(vertex) - 1
            if index == len(points):
                points.append(BRep_Tool.Pnt_s(vertex).Coord())
            ends[end, number] = index
    return ends, np.array(points, float).reshape(-1, 3)


def _count(face: TopoDS_Face) -> int:
    """Number of wires: a face may also hold loose vertices."""
    wires, count = TopExp_Explorer(face, TopAbs_WIRE), 0
    while wires.More():
        count += 1
        wires.Next()
    return count
