"""Solids with known answers, made with the kernel's own primitives, and the shortest way to their face graphs."""

from pathlib import Path

from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import (
    BRepPrimAPI_MakeBox,
    BRepPrimAPI_MakeCone,
    BRepPrimAPI_MakeCylinder,
    BRepPrimAPI_MakeSphere,
    BRepPrimAPI_MakeTorus,
)
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt, gp_Trsf, gp_Vec
from OCP.IFSelect import IFSelect_RetDone
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Writer
from OCP.TopAbs import TopAbs_SOLID
from OCP.TopExp import TopExp_Explorer
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Shape, TopoDS_Solid

from brep_mae.brep.graph import face_graph
from brep_mae.brep.step import ReadSolid, silence
from brep_mae.schema import FaceGraph


def first_solid(shape: TopoDS_Shape) -> TopoDS_Solid:
    return TopoDS.Solid_s(TopExp_Explorer(shape, TopAbs_SOLID).Current())


def graph_of(shape: TopoDS_Shape, grid: int = 6, pool: int = 200, keep: int = 20, uid: str = "0#0") -> FaceGraph:
    solid = ReadSolid(first_solid(shape), 0, "", 1.0, lambda face: "")
    return face_graph(solid, uid, "made.step", grid, pool, keep)


def box(x: float, y: float, z: float, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> TopoDS_Shape:
    return BRepPrimAPI_MakeBox(gp_Pnt(*at), x, y, z).Shape()


def notched_block() -> TopoDS_Shape:
    """A cube with a smaller cube cut out of one corner: 9 faces, 3 concave edges and 18 convex ones."""
    return BRepAlgoAPI_Cut(box(2, 2, 2), box(1, 1, 1, (1, 1, 1))).Shape()


def write_step(path: Path, *shapes: TopoDS_Shape, unit: str = "MM", assembly: bool = False) -> Path:
    """One root per shape; True writes compounds as assemblies of placed parts."""
    silence()
    writer = STEPControl_Writer()
    Interface_Static.SetCVal_s("write.step.unit", unit)
    Interface_Static.SetIVal_s("write.step.assembly", int(assembly))
    for shape in shapes:
        writer.Transfer(shape, STEPControl_AsIs)
    assert writer.Write(str(path)) == IFSelect_RetDone
    Interface_Static.SetCVal_s("write.step.unit", "MM")
    return path


AXES = gp_Ax2(gp_Pnt(1, 2, 3), gp_Dir(1, 2, 2))
SHAPES = {
    "box": box(1, 2, 3),
    "cylinder": BRepPrimAPI_MakeCylinder(AXES, 2, 5).Shape(),
    "part of a cylinder": BRepPrimAPI_MakeCylinder(AXES, 2, 5, 2.0).Shape(),
    "cone": BRepPrimAPI_MakeCone(AXES, 3, 1, 4).Shape(),
    "cone with apex": BRepPrimAPI_MakeCone(AXES, 0, 2, 4).Shape(),
    "sphere": BRepPrimAPI_MakeSphere(AXES, 2).Shape(),
    "torus": BRepPrimAPI_MakeTorus(AXES, 3, 1).Shape(),
    "notched block": notched_block(),
}


def placed(how: str, shape: TopoDS_Shape) -> TopoDS_Shape:
    """The shape under a placement that turns, mirrors, or is worked into its geometry."""
    trsf = gp_Trsf()
    if how == "moved":
        trsf.SetRotation(gp_Ax1(gp_Pnt(1, 0, 2), gp_Dir(1, 1, 0)), 0.7)
        trsf.SetTranslationPart(gp_Vec(5, -3, 2))
    else:
        trsf.SetMirror(gp_Ax2(gp_Pnt(4, 0, 0), gp_Dir(1, 1, 3)))
    if how == "mirrored geometry":
        return BRepBuilderAPI_Transform(first_solid(shape), trsf, True).Shape()
    return first_solid(shape).Located(TopLoc_Location(trsf), False)
