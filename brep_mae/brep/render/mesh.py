"""Solid -> triangles that know their face."""

import math
from dataclasses import dataclass

import numpy as np
from OCP.Bnd import Bnd_Box
from OCP.BRep import BRep_Tool
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepBuilderAPI import BRepBuilderAPI_Copy
from OCP.BRepLib import BRepLib_ToolTriangulatedShape
from OCP.BRepMesh import (
    BRepMesh_DelabellaMeshAlgoFactory,
    BRepMesh_EdgeDiscret,
    BRepMesh_FaceDiscret,
    BRepMesh_IncrementalMesh,
    BRepMesh_MeshAlgoFactory,
    BRepMesh_ModelBuilder,
    BRepMesh_ModelHealer,
    BRepMesh_ModelPostProcessor,
    BRepMesh_ModelPreProcessor,
)
from OCP.IMeshTools import IMeshTools_Context, IMeshTools_MeshAlgoFactory
from OCP.Message import Message_ProgressRange
from OCP.TopAbs import TopAbs_FACE, TopAbs_REVERSED, TopAbs_WIRE
from OCP.TopExp import TopExp
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Face, TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.faces.topology import MANY_LOOPS, is_mirrored, right_way_out
from brep_mae.brep.reject import Reject

MAX_ANGLE_RAD = 0.3
"""Largest turn between neighbouring facets of a curved face."""


@dataclass(frozen=True)
class Mesh:
    """Triangles of one solid. V vertices, none shared between faces; C triangles, counter-clockwise from outside.

    Shapes:
        point (V, 3) float64 in the unit of the shape; normal (V, 3) float64, outward, of the surface itself;
        triangle (C, 3) int64; face (C,) int64 in [0, n_faces)
    """

    point: np.ndarray
    normal: np.ndarray
    triangle: np.ndarray
    face: np.ndarray
    n_faces: int


def count_faces(shape: TopoDS_Shape) -> int:
    """Faces of `shape`, one that is used twice counted once."""
    return _faces(shape).Extent()


def _faces(shape: TopoDS_Shape) -> TopTools_IndexedMapOfShape:
    faces = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_FACE, faces)
    return faces


def tessellate(shape: TopoDS_Shape, deflection: float) -> Mesh:
    """Triangulates a copy of `shape`'s topology, so that the shape keeps whatever triangulation it had, or none.

    Args:
        deflection: how far a triangle may lie from its surface, as a share of the bounding box's diagonal.

    Raises:
        Reject: degenerate, for a shape without extent or a face that gets no triangles.
    """
    box = Bnd_Box()
    BRepBndLib.Add_s(shape, box, False)
    diagonal = 0.0 if box.IsVoid() else math.sqrt(box.SquareExtent())
    if not 0 < diagonal < 1e50:
        raise Reject("degenerate", "the solid has no faces, or is unbounded")
    faces = _triangulated(shape, deflection * diagonal)
    points: list[tuple[float, float, float]] = []
    normals: list[tuple[float, float, float]] = []
    triangles, counts = [], []
    for number, face in enumerate(faces):
        location = TopLoc_Location()
        mesh = BRep_Tool.Triangulation_s(face, location)
        if mesh is None or not mesh.NbTriangles():
            raise Reject("degenerate", f"face {number} of {len(faces)} cannot be triangulated")
        BRepLib_ToolTriangulatedShape.ComputeNormals_s(face, mesh)
        move, backwards = location.Transformation(), (face.Orientation() == TopAbs_REVERSED) != is_mirrored(face)
        corner = np.array([mesh.Triangle(i).Get() for i in range(1, mesh.NbTriangles() + 1)]) - 1 + len(points)
        for i in range(1, mesh.NbNodes() + 1):
            points.append(mesh.Node(i).Transformed(move).Coord())
            normals.append(mesh.Normal(i).Transformed(move).Coord())  # of the surface, whichever side is solid
        if backwards:
            normals[-mesh.NbNodes() :] = [(-x, -y, -z) for x, y, z in normals[-mesh.NbNodes() :]]
        if backwards != move.IsNegative():
            corner = corner[:, ::-1]
        triangles.append(corner)
        counts.append(len(corner))
    face_of = np.repeat(np.arange(len(counts)), counts)
    return Mesh(np.array(points), np.array(normals), np.concatenate(triangles), face_of, len(counts))


def _triangulated(shape: TopoDS_Shape, deflection: float) -> list[TopoDS_Face]:
    """The faces of a copy of the shape, with triangles where the kernel could make some.

    For a face of very many loops its usual algorithm takes hours, and its search for loops that cross, before any
    algorithm, most of the time. So a solid with one is done by another and without that search; with it, where a face
    gets no triangles.

    Args:
        deflection: in the unit of the shape.
    """
    if _most_loops(shape) < MANY_LOOPS:
        return _meshed(shape, deflection, BRepMesh_MeshAlgoFactory(), checked=True)
    faces = _meshed(shape, deflection, BRepMesh_DelabellaMeshAlgoFactory(), checked=False)
    if _without(faces):
        return _meshed(shape, deflection, BRepMesh_DelabellaMeshAlgoFactory(), checked=True)
    return faces


def _without(faces: list[TopoDS_Face]) -> bool:
    """Whether a face has no triangles."""
    return any(BRep_Tool.Triangulation_s(face, TopLoc_Location()) is None for face in faces)


def _meshed(
    shape: TopoDS_Shape, deflection: float, algorithm: IMeshTools_MeshAlgoFactory, checked: bool
) -> list[TopoDS_Face]:
    copy = BRepBuilderAPI_Copy(shape, False, False).Shape()
    steps = IMeshTools_Context()
    steps.SetModelBuilder(BRepMesh_ModelBuilder())
    steps.SetEdgeDiscret(BRepMesh_EdgeDiscret())
    if checked:
        steps.SetModelHealer(BRepMesh_ModelHealer())
    steps.SetPreProcessor(BRepMesh_ModelPreProcessor())
    steps.SetFaceDiscret(BRepMesh_FaceDiscret(algorithm))
    steps.SetPostProcessor(BRepMesh_ModelPostProcessor())
    mesher = BRepMesh_IncrementalMesh()
    mesher.SetShape(copy)
    parameters = mesher.ChangeParameters()
    parameters.Deflection, parameters.Angle = deflection, MAX_ANGLE_RAD
    mesher.Perform(steps, Message_ProgressRange())
    found = _faces(right_way_out(copy))
    return [TopoDS.Face_s(found.FindKey(number + 1)) for number in range(found.Extent())]


def _most_loops(shape: TopoDS_Shape) -> int:
    """Loops of the face that has most of them."""
    faces, most = _faces(shape), 0
    for number in range(faces.Extent()):
        loops = TopTools_IndexedMapOfShape()
        TopExp.MapShapes_s(faces.FindKey(number + 1), TopAbs_WIRE, loops)
        most = max(most, loops.Extent())
    return most
