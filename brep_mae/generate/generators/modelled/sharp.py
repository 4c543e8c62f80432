"""Edges of a part that the kernel can be trusted to round or bevel.

OCCT's fillets and chamfers may end the process where a blend runs into a curved face or a corner of more than three
edges (Open-Cascade-SAS/OCCT issues 690, 725), so that such edges are never offered.
"""

from dataclasses import dataclass

import numpy as np
from OCP.BRepAdaptor import BRepAdaptor_Curve, BRepAdaptor_Surface
from OCP.BRepGProp import BRepGProp
from OCP.BRepOffset import BRepOffset_Analyse
from OCP.ChFiDS import ChFiDS_TypeOfConcavity
from OCP.GeomAbs import GeomAbs_CurveType, GeomAbs_SurfaceType
from OCP.GProp import GProp_GProps
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_VERTEX
from OCP.TopExp import TopExp
from OCP.TopoDS import TopoDS_Edge
from OCP.TopTools import TopTools_IndexedDataMapOfShapeListOfShape, TopTools_IndexedMapOfShape

from brep_mae.generate.generators.modelled.model import Model, width_mm
from brep_mae.generate.labelled import edges, faces, members

SMOOTH_RAD = 0.1  # edges that turn less than this need no rounding

PLANE = GeomAbs_SurfaceType.GeomAbs_Plane
SIMPLE_SURFACES = {
    PLANE,
    GeomAbs_SurfaceType.GeomAbs_Cylinder,
    GeomAbs_SurfaceType.GeomAbs_Cone,
    GeomAbs_SurfaceType.GeomAbs_Sphere,
    GeomAbs_SurfaceType.GeomAbs_Torus,
}
FREE_SURFACES = {GeomAbs_SurfaceType.GeomAbs_BSplineSurface, GeomAbs_SurfaceType.GeomAbs_SurfaceOfExtrusion}
LINE, CIRCLE = GeomAbs_CurveType.GeomAbs_Line, GeomAbs_CurveType.GeomAbs_Circle
SPLINE = GeomAbs_CurveType.GeomAbs_BSplineCurve


@dataclass(frozen=True)
class SharpEdge:
    """An edge that turns by a clear angle.

    Args:
        faces: ids of the two faces it is between.
        direction: of a straight edge, else None.
        radius_mm: of a circle, else 0.
        room_mm: what a blend's size has to stay well below.
        free: True = a spline.
    """

    edge: TopoDS_Edge
    faces: tuple[int, int]
    convex: bool
    length_mm: float
    direction: np.ndarray | None
    radius_mm: float
    room_mm: float
    free: bool


class _Corners:
    """Which edges meet where, and between which faces they are; all by id."""

    def __init__(self, model: Model) -> None:
        solid, self.edges = model.solid, edges(model.solid)
        vertex_ids, face_ids = TopTools_IndexedMapOfShape(), TopTools_IndexedMapOfShape()
        TopExp.MapShapes_s(solid, TopAbs_VERTEX, vertex_ids)
        TopExp.MapShapes_s(solid, TopAbs_FACE, face_ids)
        owners = TopTools_IndexedDataMapOfShapeListOfShape()
        TopExp.MapShapesAndAncestors_s(solid, TopAbs_EDGE, TopAbs_FACE, owners)
        analysis = BRepOffset_Analyse(solid, SMOOTH_RAD)
        self.surface = [BRepAdaptor_Surface(face).GetType() for face in faces(solid)]
        self.pairs: list[tuple[int, int]] = []
        self.ends: list[tuple[int, int]] = []
        self.turns: list[ChFiDS_TypeOfConcavity] = []
        self.meeting: list[list[int]] = [[] for _ in range(vertex_ids.Extent())]
        for i, edge in enumerate(self.edges):
            beside = owners.FindFromKey(edge)
            self.pairs.append((face_ids.FindIndex(beside.First()) - 1, face_ids.FindIndex(beside.Last()) - 1))
            first, last = TopExp.FirstVertex_s(edge), TopExp.LastVertex_s(edge)
            self.ends.append((vertex_ids.FindIndex(first) - 1, vertex_ids.FindIndex(last) - 1))
            kinds = [interval.Type() for interval in members(analysis.Type(edge))]
            self.turns.append(kinds[0] if len(kinds) == 1 else ChFiDS_TypeOfConcavity.ChFiDS_Other)
            for vertex in set(self.ends[-1]):
                self.meeting[vertex].append(i)

    def smooth(self, i: int) -> bool:
        return self.turns[i] == ChFiDS_TypeOfConcavity.ChFiDS_Tangential

    def ends_well(self, i: int, vertex: int) -> bool:
        """True = a blend of the edge either stops at a flat face here, or goes on along a smooth continuation."""
        others = [k for k in self.meeting[vertex] if k != i]
        if len(others) != 2:
            return False
        if sum(self.smooth(k) for k in others) == 1:
            return True
        beyond = {face for k in others for face in self.pairs[k]} - set(self.pairs[i])
        straight = all(BRepAdaptor_Curve(self.edges[k]).GetType() in (LINE, CIRCLE) for k in others)
        return straight and len(beyond) == 1 and self.surface[beyond.pop()] == PLANE

    def bears(self, i: int) -> bool:
        curve, beside = BRepAdaptor_Curve(self.edges[i]).GetType(), {self.surface[face] for face in self.pairs[i]}
        if curve in (LINE, CIRCLE):
            fine = beside <= SIMPLE_SURFACES
        else:
            fine = curve == SPLINE and PLANE in beside and not FREE_SURFACES.isdisjoint(beside)
        first, last = self.ends[i]
        return fine and (first == last or (self.ends_well(i, first) and self.ends_well(i, last)))


def sharp_edges(model: Model) -> list[SharpEdge]:
    """Edges that a blend may be asked for, in the order of the part's edges."""
    corners = _Corners(model)
    widths = [width_mm(*pair) for pair in zip(faces(model.solid), model.areas_mm2, strict=True)]
    found = []
    for i, edge in enumerate(corners.edges):
        convex = corners.turns[i] == ChFiDS_TypeOfConcavity.ChFiDS_Convex
        if (convex or corners.turns[i] == ChFiDS_TypeOfConcavity.ChFiDS_Concave) and corners.bears(i):
            found.append(_sharp(edge, corners.pairs[i], convex, min(widths[face] for face in corners.pairs[i])))
    return found


def _sharp(edge: TopoDS_Edge, pair: tuple[int, int], convex: bool, room_mm: float) -> SharpEdge:
    curve = BRepAdaptor_Curve(edge)
    BRepGProp.LinearProperties_s(edge, length := GProp_GProps())
    direction, radius_mm = None, 0.0
    if curve.GetType() == LINE:
        along = curve.Line().Direction()
        direction = np.array([along.X(), along.Y(), along.Z()])
        room_mm = min(room_mm, length.Mass())
    elif curve.GetType() == CIRCLE:
        radius_mm = curve.Circle().Radius()
        room_mm = min(room_mm, radius_mm)
    return SharpEdge(edge, pair, convex, length.Mass(), direction, radius_mm, room_mm, curve.GetType() == SPLINE)
