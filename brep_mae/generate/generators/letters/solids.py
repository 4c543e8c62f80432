"""Letters as flat faces, and the sweeps that make solids of them."""

from collections.abc import Sequence

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Curve
from OCP.BRepAlgoAPI import BRepAlgoAPI_Fuse
from OCP.BRepBuilderAPI import (
    BRepBuilderAPI_MakeEdge,
    BRepBuilderAPI_MakeFace,
    BRepBuilderAPI_MakePolygon,
    BRepBuilderAPI_MakeWire,
    BRepBuilderAPI_Transform,
)
from OCP.BRepPrimAPI import BRepPrimAPI_MakePrism
from OCP.Geom import Geom_BSplineCurve, Geom_TrimmedCurve
from OCP.GeomAbs import GeomAbs_CurveType
from OCP.GeomFill import GeomFill
from OCP.gp import gp_Dir, gp_Pln, gp_Pnt, gp_Trsf, gp_Vec
from OCP.ShapeUpgrade import ShapeUpgrade_UnifySameDomain
from OCP.TColgp import TColgp_Array1OfPnt
from OCP.TColStd import TColStd_Array1OfInteger, TColStd_Array1OfReal
from OCP.TopoDS import TopoDS, TopoDS_Edge, TopoDS_Face, TopoDS_Shape, TopoDS_Wire

from brep_mae.generate.generators.letters.outlines import Contour, Region, area
from brep_mae.generate.labelled import (
    SEWING_MM,
    LabelledSolid,
    Labels,
    Rejected,
    edges,
    faces,
    members,
    only_solid,
    sewn,
)
from brep_mae.generate.primitives import Z

GROUND = gp_Pln(gp_Pnt(), gp_Dir(*Z))


def _edge(curve: np.ndarray) -> TopoDS_Edge:
    """A straight line, or the clamped uniform quadratic B-spline of these poles."""
    points = [gp_Pnt(float(x), float(y), 0.0) for x, y in curve]
    if len(points) == 2:
        return BRepBuilderAPI_MakeEdge(*points).Edge()
    poles = TColgp_Array1OfPnt(1, len(points))
    for i, point in enumerate(points):
        poles.SetValue(i + 1, point)
    spans = len(points) - 2
    knots, times = TColStd_Array1OfReal(1, spans + 1), TColStd_Array1OfInteger(1, spans + 1)
    for i in range(spans + 1):
        knots.SetValue(i + 1, float(i))
        times.SetValue(i + 1, 3 if i in (0, spans) else 1)
    return BRepBuilderAPI_MakeEdge(Geom_BSplineCurve(poles, knots, times, 2)).Edge()


def _wire(contour: Contour, counter_clockwise: bool) -> TopoDS_Wire:
    maker = BRepBuilderAPI_MakeWire()
    for curve in contour:
        maker.Add(_edge(curve))
    wire = maker.Wire()
    return wire if counter_clockwise == (area(contour) > 0) else TopoDS.Wire_s(wire.Reversed())


def flat(region: Region) -> TopoDS_Face:
    """The face in the plane z = 0, looking up."""
    maker = BRepBuilderAPI_MakeFace(GROUND, _wire(region.outer, True), True)
    for hole in region.holes:
        maker.Add(_wire(hole, False))
    return maker.Face()


def united(pieces: Sequence[TopoDS_Face]) -> TopoDS_Face:
    """One face of overlapping faces in the plane z = 0; Rejected where they do not hang together."""
    whole: TopoDS_Shape = pieces[0]
    for piece in pieces[1:]:
        whole = BRepAlgoAPI_Fuse(whole, piece).Shape()
    merge = ShapeUpgrade_UnifySameDomain(whole, False, True, False)
    merge.Build()
    found = faces(merge.Shape())
    if len(found) != 1:
        raise Rejected("letter in several pieces")
    return found[0]


def extruded(base: TopoDS_Face, depth_mm: float) -> tuple[LabelledSolid, list[TopoDS_Shape]]:
    """Swept straight up; the solid, and its far and near end."""
    # Without copies of its own geometry the far end could not be told from the near one when STEP is written.
    sweep = BRepPrimAPI_MakePrism(base, gp_Vec(0.0, 0.0, depth_mm), True)
    result = Labels(TopoDS.Solid_s(sweep.Shape()))
    for edge in edges(base):
        for side in members(sweep.Generated(edge)):
            result.mark(side, "extrude_side")
    ends = [sweep.LastShape(), sweep.FirstShape()]
    for end in ends:
        result.mark(end, "extrude_end")
    return result.done(), ends


def placed(part: LabelledSolid, where: gp_Trsf) -> LabelledSolid:
    """A copy of a solid somewhere else."""
    move = BRepBuilderAPI_Transform(part.solid, where, True)
    result = Labels(only_solid(move.Shape()))
    for face, label in zip(faces(part.solid), part.labels, strict=True):
        result.mark(move.ModifiedShape(face), label)
    return result.done()


def _wall(near: TopoDS_Edge, far: TopoDS_Edge) -> TopoDS_Face:
    """Ruled between an edge and its smaller image: a plane where they are straight, a B-spline surface elsewhere."""
    low, high = _span(near), _span(far)
    if BRepAdaptor_Curve(near).GetType() != GeomAbs_CurveType.GeomAbs_Line:
        return BRepBuilderAPI_MakeFace(GeomFill.Surface_s(low, high), SEWING_MM).Face()
    a, b, c, d = low.StartPoint(), low.EndPoint(), high.EndPoint(), high.StartPoint()
    return BRepBuilderAPI_MakeFace(BRepBuilderAPI_MakePolygon(a, b, c, d, True).Wire(), True).Face()


def _span(edge: TopoDS_Edge) -> Geom_TrimmedCurve:
    curve = BRepAdaptor_Curve(edge)
    return Geom_TrimmedCurve(BRep_Tool.Curve_s(edge, 0.0, 0.0), curve.FirstParameter(), curve.LastParameter())


def tapered(base: TopoDS_Face, depth_mm: float, ratio: float, x_mm: float, y_mm: float) -> LabelledSolid:
    """Swept up while it shrinks: every line along the walls points at one apex above (x, y).

    Args:
        ratio: the far end's size in units of the near one's, in (0, 1).
    """
    shrink, raise_ = gp_Trsf(), gp_Trsf()
    shrink.SetScale(gp_Pnt(x_mm, y_mm, 0.0), ratio)
    raise_.SetTranslation(gp_Vec(0.0, 0.0, depth_mm))
    move = BRepBuilderAPI_Transform(base, raise_.Multiplied(shrink), True)
    far = move.ModifiedShape(base)
    parts = [(base, "extrude_end"), (TopoDS.Face_s(far), "extrude_end")]
    for near in edges(base):
        parts.append((_wall(near, TopoDS.Edge_s(move.ModifiedShape(near))), "extrude_side"))
    return sewn(parts)
