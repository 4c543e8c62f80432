"""What a shape holds: solids to be used, and the rest with the reason why it is left out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from OCP.BOPTools import BOPTools_AlgoTools3D
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepLib import BRepLib
from OCP.gp import gp_Pnt, gp_Pnt2d
from OCP.IntTools import IntTools_Context
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_SHAPE, TopAbs_SHELL, TopAbs_SOLID, TopAbs_VERTEX
from OCP.TopExp import TopExp, TopExp_Explorer
from OCP.TopoDS import TopoDS, TopoDS_Compound, TopoDS_Face, TopoDS_Shape, TopoDS_Shell, TopoDS_Solid
from OCP.TopTools import TopTools_IndexedDataMapOfShapeListOfShape, TopTools_IndexedMapOfShape

from brep_mae.brep.read.colors import Color, no_color
from brep_mae.brep.read.entities import no_name
from brep_mae.brep.reject import Reject

SAME_SIZE = 1e-9
"""A placement whose scale differs from 1 by more changes sizes."""


@dataclass(frozen=True)
class ReadSolid:
    """One solid of a file, where its placement puts it.

    Args:
        shape: in mm, located.
        index: number of the solid in the file.
        name: name of the solid in the file, "" where it has none.
        unit_mm: the file's length unit; 1 where the format has none (BREP).
        face_name: face of `shape` -> its name in the file, "" where it has none; `no_name` where no face has one.
        product: name of the product that the solid is the shape of, "" where there is none.
        assembly: names from the root product down to the occurrence that places the solid, joined by slashes, "" for a
            lone part. Slashes within names become underscores.
        face_color: face of `shape` -> sRGB in 0..255: its own, else its shell's, else the solid's; None where the
            file gives none; `no_color` where the file has no colours.
        by_default: False where it was not read as the kernel does by default: then it must be sound to be used.
    """

    shape: TopoDS_Solid
    index: int
    name: str
    unit_mm: float
    face_name: Callable[[TopoDS_Face], str] = no_name
    product: str = ""
    assembly: str = ""
    face_color: Callable[[TopoDS_Face], Color | None] = no_color
    by_default: bool = True


def subshapes(shape: TopoDS_Shape, kind: object, within: object = TopAbs_SHAPE) -> Iterator[TopoDS_Shape]:
    """Sub-shapes of a kind, in the kernel's order, those inside a shape of kind `within` left out."""
    explorer = TopExp_Explorer(shape, kind, within)
    while explorer.More():
        yield explorer.Current()
        explorer.Next()


def together(shapes: Iterable[TopoDS_Shape]) -> TopoDS_Compound:
    """All of them as one shape."""
    builder, compound = BRep_Builder(), TopoDS_Compound()
    builder.MakeCompound(compound)
    for shape in shapes:
        builder.Add(compound, shape)
    return compound


def count_faces(shape: TopoDS_Shape) -> int:
    """Distinct faces."""
    faces = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_FACE, faces)
    return int(faces.Extent())


def solids_of(shape: TopoDS_Shape) -> list[TopoDS_Solid]:
    """The solids, then the closed shells outside a solid, made into solids."""
    solids = [TopoDS.Solid_s(solid) for solid in subshapes(shape, TopAbs_SOLID)]
    for shell in subshapes(shape, TopAbs_SHELL, TopAbs_SOLID):
        if BRep_Tool.IsClosed_s(shell):
            solids.append(solid_from(TopoDS.Shell_s(shell)))
    return solids


def solid_from(shell: TopoDS_Shell) -> TopoDS_Solid:
    """The solid a closed shell bounds, its faces turned outward."""
    builder, solid = BRep_Builder(), TopoDS_Solid()
    builder.MakeSolid(solid)
    builder.Add(solid, shell)
    BRepLib.OrientClosedSolid_s(solid)
    return solid


def shell_of(faces: Iterable[TopoDS_Shape]) -> TopoDS_Shell:
    """A shell of faces that share their edges."""
    builder, shell = BRep_Builder(), TopoDS_Shell()
    builder.MakeShell(shell)
    for face in faces:
        builder.Add(shell, face)
    shell.Closed(BRep_Tool.IsClosed_s(shell))
    return shell


def edge_uses(shape: TopoDS_Shape) -> list[int]:
    """How often each edge is used by faces, a seam twice by its own; edges at poles are left out."""
    faces = TopTools_IndexedDataMapOfShapeListOfShape()
    TopExp.MapShapesAndAncestors_s(shape, TopAbs_EDGE, TopAbs_FACE, faces)
    edges = ((TopoDS.Edge_s(faces.FindKey(i)), faces.FindFromIndex(i)) for i in range(1, faces.Extent() + 1))
    return [users.Extent() for edge, users in edges if not BRep_Tool.Degenerated_s(edge)]


def middle(face: TopoDS_Face) -> gp_Pnt:
    """A point inside the face, away from its sides."""
    point = gp_Pnt()
    BOPTools_AlgoTools3D.PointInFace_s(face, point, gp_Pnt2d(), IntTools_Context())
    return point


def leftovers(shape: TopoDS_Shape, where: str = "") -> list[Reject]:
    """One entry per open shell and per loose face, one for all loose curves and points together.

    Args:
        where: begins the details, such as a file's name.
    """
    rejects = []
    for shell in subshapes(shape, TopAbs_SHELL, TopAbs_SOLID):
        if not BRep_Tool.IsClosed_s(shell):
            rejects.append(Reject("open_shell", f"{where}an open shell of {count_faces(shell)} faces"))
    rejects += [Reject("sheet_body", f"{where}a face of its own") for _ in subshapes(shape, TopAbs_FACE, TopAbs_SHELL)]
    curves = sum(1 for _ in subshapes(shape, TopAbs_EDGE, TopAbs_FACE))
    points = sum(1 for _ in subshapes(shape, TopAbs_VERTEX, TopAbs_EDGE))
    if curves or points:
        rejects.append(Reject("wireframe", f"{where}{curves} curves and {points} points that belong to no face"))
    return rejects


def bare(shape: TopoDS_Shape) -> str:
    """What in the shape has no geometry, in words; "" where all is there. Faces that are meshes have no surface."""
    for face in map(TopoDS.Face_s, subshapes(shape, TopAbs_FACE)):
        if BRep_Tool.Surface_s(face) is None:
            return "a face without a surface, a mesh at most"
        for edge in map(TopoDS.Edge_s, subshapes(face, TopAbs_EDGE)):
            if not BRep_Tool.Degenerated_s(edge) and BRep_Tool.Curve_s(edge, 0.0, 0.0) is None:
                return "an edge without a curve"
            if BRep_Tool.CurveOnSurface_s(edge, face, 0.0, 0.0) is None:
                return "an edge without a curve on its surface"
    return ""


def misplaced(solid: TopoDS_Solid) -> bool:
    """True where a placement changes the size of what it places; a mirroring one does not."""
    location = solid.Location()
    return not location.IsIdentity() and abs(abs(location.Transformation().ScaleFactor()) - 1) > SAME_SIZE
