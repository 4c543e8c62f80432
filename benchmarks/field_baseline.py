"""Field samples the straightforward way: point by point, and the distance by nearest samples.

Jones et al. 2023, arXiv:2210.10807: OCCT's classifier for every drawn point, the distance of each to the nearest
drawn point on the other side by one kd-tree a side, then the surface's own evaluation for every point that is kept.
"""

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.BRepTools import BRepTools
from OCP.BRepTopAdaptor import BRepTopAdaptor_FClass2d
from OCP.GeomAdaptor import GeomAdaptor_Surface
from OCP.gp import gp_Pnt, gp_Pnt2d, gp_Vec
from OCP.TopAbs import TopAbs_FACE, TopAbs_OUT
from OCP.TopExp import TopExp
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Face, TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape
from scipy.spatial import cKDTree

MARGIN = 0.1


def solid_field(shape: TopoDS_Shape, pool: int, keep: int, seed: int = 0) -> list[np.ndarray]:
    """(keep, 6) samples for every face: uv in the unit box, point (mm), signed distance."""
    faces = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_FACE, faces)
    rng = np.random.default_rng(seed)
    return [face_field(TopoDS.Face_s(faces.FindKey(i + 1)), pool, keep, rng) for i in range(faces.Extent())]


def face_field(face: TopoDS_Face, pool: int, keep: int, rng: np.random.Generator) -> np.ndarray:
    u0, u1, v0, v1 = BRepTools.UVBounds_s(face)
    unit = rng.random((pool, 2)) * (1 + 2 * MARGIN) - MARGIN
    uv = np.array([u0, v0]) + unit * np.array([u1 - u0, v1 - v0])
    classifier = BRepTopAdaptor_FClass2d(face, 1e-9)
    inside = np.array([classifier.Perform(gp_Pnt2d(u, v)) != TopAbs_OUT for u, v in uv.tolist()])
    signed = np.zeros(pool)
    if inside.any() and not inside.all():
        signed[inside] = -cKDTree(unit[~inside]).query(unit[inside])[0]
        signed[~inside] = cKDTree(unit[inside]).query(unit[~inside])[0]
    nearest = np.argsort(np.abs(signed), kind="stable")[: keep // 2]
    rest = rng.permutation(np.setdiff1d(np.arange(pool), nearest))[: keep - keep // 2]
    kept = np.concatenate([nearest, rest])
    location = TopLoc_Location()
    surface = GeomAdaptor_Surface(BRep_Tool.Surface_s(face, location))
    placement = location.Transformation()
    point, along_u, along_v = gp_Pnt(), gp_Vec(), gp_Vec()
    points = []
    for u, v in uv[kept].tolist():
        surface.D1(u, v, point, along_u, along_v)
        points.append(point.Transformed(placement).Coord())
    return np.concatenate([unit[kept], np.array(points), signed[kept, None]], axis=1)
