"""Solids with known answers, made with the kernel's own primitives, and the shortest way to their face graphs."""

import math
from dataclasses import dataclass
from pathlib import Path

from OCP.BRepAlgoAPI import BRepAlgoAPI_Common, BRepAlgoAPI_Cut, BRepAlgoAPI_Fuse
from OCP.BRepBuilderAPI import BRepBuilderAPI_GTransform, BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import (
    BRepPrimAPI_MakeBox,
    BRepPrimAPI_MakeCone,
    BRepPrimAPI_MakeCylinder,
    BRepPrimAPI_MakeSphere,
    BRepPrimAPI_MakeTorus,
)
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_GTrsf, gp_Mat, gp_Pnt, gp_Trsf, gp_Vec, gp_XYZ
from OCP.IFSelect import IFSelect_RetDone
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Writer
from OCP.TopAbs import TopAbs_SOLID
from OCP.TopExp import TopExp_Explorer
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Shape, TopoDS_Solid

from brep_mae.brep.faces.loops import Loops
from brep_mae.brep.faces.topology import Topology, right_way_out, walk
from brep_mae.brep.faces.trimming import Trimming
from brep_mae.brep.geometry.curves import Curves, edge_curves
from brep_mae.brep.geometry.surfaces import Surfaces
from brep_mae.brep.graph.graph import face_graph
from brep_mae.brep.read.step import ReadSolid, silence
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.placing import MeasuredSolids
from brep_mae.schema import FaceGraph


def first_solid(shape: TopoDS_Shape) -> TopoDS_Solid:
    return TopoDS.Solid_s(TopExp_Explorer(shape, TopAbs_SOLID).Current())


def graph_of(
    shape: TopoDS_Shape,
    grid: int = 6,
    pool: int = 200,
    keep: int = 20,
    uid: str = "0#0",
    curvature: bool = False,
    split_closed: bool = False,
) -> FaceGraph:
    solid = ReadSolid(first_solid(shape), 0, "", 1.0, lambda face: "")
    return face_graph(solid, uid, "made.step", MeasuredSolids(Sampling(grid, pool, keep, curvature, split_closed)))


@dataclass(frozen=True)
class Apart:
    """A solid taken apart as face_graph does, for tests in double precision."""

    topology: Topology
    surfaces: Surfaces
    edges: Curves
    loops: Loops
    trimming: Trimming


def parts_of(shape: TopoDS_Shape) -> Apart:
    topology = walk(right_way_out(first_solid(shape)))
    surfaces, edges = Surfaces(topology.faces), edge_curves(topology.edges)
    loops = Loops(topology, surfaces, edges)
    return Apart(topology, surfaces, edges, loops, Trimming(topology, surfaces, loops))


def box(x: float, y: float, z: float, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> TopoDS_Shape:
    return BRepPrimAPI_MakeBox(gp_Pnt(*at), x, y, z).Shape()


def plate(hole: float) -> TopoDS_Shape:
    """A square plate of side 1 with a round hole in its middle."""
    drill = BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(0.5, 0.5, -1), gp_Dir(0, 0, 1)), hole, 3.0)
    return BRepAlgoAPI_Cut(box(1, 1, 0.25), drill.Shape()).Shape()


def stadium(offset: tuple[float, float, float], width: float, length: float) -> TopoDS_Shape:
    """A cutter along x from `offset`, 3 long: a slot along z with round ends, centred on the offset."""
    x, y, z = offset
    shape = box(3, width, length - width, (x, y - width / 2, z - (length - width) / 2))
    for end in (-1, 1):
        axis = gp_Ax2(gp_Pnt(x, y, z + end * (length - width) / 2), gp_Dir(1, 0, 0))
        shape = BRepAlgoAPI_Fuse(shape, BRepPrimAPI_MakeCylinder(axis, width / 2, 3.0).Shape()).Shape()
    return shape


def slotted_cylinder(across_the_seam: bool) -> TopoDS_Shape:
    """Radius 2, height 6, a slot 1 wide and 3 long through one side of it, half way up, at angle 0 or pi."""
    cutter = stadium((0.5 if across_the_seam else -3.5, 0.0, 3.0), 1.0, 3.0)
    return BRepAlgoAPI_Cut(BRepPrimAPI_MakeCylinder(2.0, 6.0).Shape(), cutter).Shape()


def drilled_torus(angle: float = 2.0) -> TopoDS_Shape:
    """A part of a torus of radii 3 and 1, from angle 0 on, with a round hole half way from above."""
    axis = gp_Ax2(gp_Pnt(3 * math.cos(angle / 2), 3 * math.sin(angle / 2), 0.0), gp_Dir(0, 0, 1))
    drill = BRepPrimAPI_MakeCylinder(axis, 0.5, 2.0).Shape()
    return BRepAlgoAPI_Cut(BRepPrimAPI_MakeTorus(3.0, 1.0, angle).Shape(), drill).Shape()


def notched_block() -> TopoDS_Shape:
    """A cube with a smaller cube cut out of one corner: 9 faces, 3 concave edges and 18 convex ones."""
    return BRepAlgoAPI_Cut(box(2, 2, 2), box(1, 1, 1, (1, 1, 1))).Shape()


def stretched(shape: TopoDS_Shape) -> TopoDS_Shape:
    """Twice as long along x, which leaves nothing round a circle: as free-form faces and edges."""
    return BRepBuilderAPI_GTransform(shape, gp_GTrsf(gp_Mat(2, 0, 0, 0, 1, 0, 0, 0, 1), gp_XYZ())).Shape()


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


CUT = {
    "plate": plate(0.3),
    "slotted cylinder": slotted_cylinder(False),
    "cylinder slotted across the seam": slotted_cylinder(True),
    "part of a torus": drilled_torus(),
    "drilled torus": drilled_torus(2 * math.pi),
    "sphere without a pole": BRepAlgoAPI_Cut(SHAPES["sphere"], box(3, 3, 3, (1, 2, 3))).Shape(),
    "cone across its seam": BRepAlgoAPI_Common(SHAPES["cone"], box(6, 6, 6, (-3, -3, 3))).Shape(),
}
"""Faces trimmed by more than their own ends."""

PLACEMENTS = ["moved", "mirrored", "mirrored and turned over", "mirrored geometry"]


def transformation(how: str) -> gp_Trsf:
    trsf = gp_Trsf()
    if how == "moved":
        trsf.SetRotation(gp_Ax1(gp_Pnt(1, 0, 2), gp_Dir(1, 1, 0)), 0.7)
        trsf.SetTranslationPart(gp_Vec(5, -3, 2))
    elif how.startswith("mirrored"):
        trsf.SetMirror(gp_Ax2(gp_Pnt(4, 0, 0), gp_Dir(1, 1, 3)))
    return trsf


def placed(how: str, shape: TopoDS_Shape) -> TopoDS_Shape:
    """The shape under a placement that turns, mirrors, or is worked into its geometry."""
    if how == "mirrored geometry":
        return BRepBuilderAPI_Transform(first_solid(shape), transformation(how), True).Shape()
    there = first_solid(shape).Located(TopLoc_Location(transformation(how)), False)
    return there.Reversed() if how == "mirrored and turned over" else there
