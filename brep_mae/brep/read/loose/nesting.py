"""Which shells of a file are voids of others."""

from collections.abc import Iterator

from OCP.Bnd import Bnd_Box
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Curve
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepClass3d import BRepClass3d_SolidClassifier
from OCP.gp import gp_Pnt
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_IN, TopAbs_ON, TopAbs_SHELL, TopAbs_State
from OCP.TopoDS import TopoDS, TopoDS_Shell, TopoDS_Solid

from brep_mae.brep.read.solids import middle, solid_from, subshapes

TOUCHING_MM = 1e-6
"""Distance from a solid's boundary that counts as being on it."""


def nested(solids: list[TopoDS_Solid]) -> list[TopoDS_Solid]:
    """The solids, those that lie inside an odd number of others made their voids.

    A solid inside a void is one again: also where it fills the void, and where it was found as a void of the void.
    """
    boxes = [_box(solid) for solid in solids]
    around: list[list[int]] = []
    for i, solid in enumerate(solids):
        near = [j for j in range(len(solids)) if i != j and _holds(boxes[j], boxes[i])]
        where = {j: _where(solid, solids[j]) for j in near}
        holders = [j for j in near if where[j] == TopAbs_IN]
        fillers = [j for j in near if where[j] == TopAbs_ON and j < i]
        around.append(holders + fillers if len(holders) % 2 else holders)
    result = []
    for i, solid in enumerate(solids):
        if len(around[i]) % 2:
            continue
        voids = [j for j, holders in enumerate(around) if i in holders and len(holders) == len(around[i]) + 1]
        result.append(_with_voids(solid, [solids[j] for j in voids]))
        result += [solid_from(shell) for j in voids for shell in _shells(solids[j])[1:]]
    return result


def _with_voids(solid: TopoDS_Solid, voids: list[TopoDS_Solid]) -> TopoDS_Solid:
    for void in voids:
        BRep_Builder().Add(solid, _shells(void)[0].Reversed())
    return solid


def _shells(solid: TopoDS_Solid) -> list[TopoDS_Shell]:
    """The outer one, then those of voids."""
    return [TopoDS.Shell_s(shell) for shell in subshapes(solid, TopAbs_SHELL)]


def _box(solid: TopoDS_Solid) -> Bnd_Box:
    box = Bnd_Box()
    BRepBndLib.Add_s(solid, box)
    box.Enlarge(TOUCHING_MM)
    return box


def _holds(outer: Bnd_Box, inner: Bnd_Box) -> bool:
    low, high = inner.CornerMin(), inner.CornerMax()
    return not outer.IsOut(low) and not outer.IsOut(high)


def _where(inner: TopoDS_Solid, outer: TopoDS_Solid) -> TopAbs_State:
    """Where the first point of a boundary that does not lie on the other boundary lies; on it where all do."""
    classifier = BRepClass3d_SolidClassifier(outer)
    for point in _points(inner):
        classifier.Perform(point, TOUCHING_MM)
        if classifier.State() != TopAbs_ON:
            return classifier.State()
    return TopAbs_ON


def _points(solid: TopoDS_Solid) -> Iterator[gp_Pnt]:
    """Points of the boundary, on each edge and in each face."""
    for edge in map(TopoDS.Edge_s, subshapes(solid, TopAbs_EDGE)):
        if not BRep_Tool.Degenerated_s(edge):
            curve = BRepAdaptor_Curve(edge)
            yield curve.Value((curve.FirstParameter() + curve.LastParameter()) / 2)
    for face in map(TopoDS.Face_s, subshapes(solid, TopAbs_FACE)):
        yield middle(face)
