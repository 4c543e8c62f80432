"""Solid -> triangles that know their face."""

import math
from dataclasses import dataclass

import numpy as np
from OCP.Bnd import Bnd_Box
from OCP.BRep import BRep_Tool
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepBuilderAPI import BRepBuilderAPI_Copy
from OCP.BRepLib import BRepLib_ToolTriangulatedShape
from OCP.BRepMesh import BRepMesh_IncrementalMesh
from OCP.IMeshTools import IMeshTools_MeshAlgoType, IMeshTools_Parameters
from OCP.TopAbs import TopAbs_FACE, TopAbs_REVERSED, TopAbs_WIRE
from OCP.TopExp import TopExp
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.faces.topology import is_mirrored, right_way_out
from brep_mae.brep.reject import Reject

MAX_ANGLE_RAD = 0.3
"""Largest turn between neighbouring facets of a curved face."""
MANY_LOOPS = 100
"""Loops of a face, outer one included, from which on another algorithm triangulates the solid: the kernel's usual one
takes 13 times as long for a plate of 200 holes, and hours for one of thousands."""


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
    copy = BRepBuilderAPI_Copy(shape, False, False).Shape()
    BRepMesh_IncrementalMesh(copy, _parameters(copy, deflection * diagonal))
    found = _faces(right_way_out(copy))
    faces = [TopoDS.Face_s(found.FindKey(number + 1)) for number in range(found.Extent())]
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


def _parameters(shape: TopoDS_Shape, deflection: float) -> IMeshTools_Parameters:
    """Args: deflection: in the unit of the shape."""
    faces, most = _faces(shape), 0
    for number in range(faces.Extent()):
        loops = TopTools_IndexedMapOfShape()
        TopExp.MapShapes_s(faces.FindKey(number + 1), TopAbs_WIRE, loops)
        most = max(most, loops.Extent())
    parameters = IMeshTools_Parameters()
    parameters.Deflection, parameters.Angle = deflection, MAX_ANGLE_RAD
    if most >= MANY_LOOPS:
        parameters.MeshAlgo = IMeshTools_MeshAlgoType.IMeshTools_MeshAlgoType_Delabella
    return parameters
