"""Free-form faces of one long span against integrals of their profile."""

import math
from itertools import pairwise

import numpy as np
import pytest
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_MakeFace, BRepBuilderAPI_MakeWire
from OCP.BRepPrimAPI import BRepPrimAPI_MakePrism, BRepPrimAPI_MakeRevol
from OCP.Geom import Geom_BezierCurve
from OCP.gp import gp_Ax1, gp_Dir, gp_Pnt, gp_Vec
from OCP.TColgp import TColgp_Array1OfPnt

from brep_mae.brep.solid.measure import moments
from brep_mae.schema import SURFACE_TYPES
from tests.brep.solids import graph_of, parts_of

RADII, TOP = [5.0, 12.0, 0.5, 0.5, 11.0, 4.0], 12.0
"""Of the poles of a profile, evenly spaced in height."""
T, WEIGHT = np.polynomial.legendre.leggauss(400)


def profile_face():
    """Between the axis and the profile, in the plane y = 0."""
    poles = TColgp_Array1OfPnt(1, len(RADII))
    for number, radius in enumerate(RADII):
        poles.SetValue(number + 1, gp_Pnt(radius, 0, TOP * number / (len(RADII) - 1)))
    corners = [gp_Pnt(RADII[-1], 0, TOP), gp_Pnt(0, 0, TOP), gp_Pnt(0, 0, 0), gp_Pnt(RADII[0], 0, 0)]
    wire = BRepBuilderAPI_MakeWire(BRepBuilderAPI_MakeEdge(Geom_BezierCurve(poles)).Edge())
    for a, b in pairwise(corners):
        wire.Add(BRepBuilderAPI_MakeEdge(a, b).Edge())
    return BRepBuilderAPI_MakeFace(wire.Wire()).Face()


def along() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radius, its derivative by the parameter and the weight, at many parameters."""
    radius = np.polynomial.Polynomial([0.0])
    n = len(RADII) - 1
    for number, value in enumerate(RADII):
        t = np.polynomial.Polynomial([0, 1])
        radius += value * math.comb(n, number) * t**number * (1 - t) ** (n - number)
    at = (T + 1) / 2
    return radius(at), radius.deriv()(at), WEIGHT / 2


@pytest.mark.parametrize("turn", [2 * math.pi, 5.0])
def test_a_vase_has_the_area_and_volume_that_its_profile_gives(turn):
    radius, slope, weight = along()
    vase = BRepPrimAPI_MakeRevol(profile_face(), gp_Ax1(gp_Pnt(0, 0, 0), gp_Dir(0, 0, 1)), turn).Shape()
    graph = graph_of(vase)
    side = graph.face_type == SURFACE_TYPES.index("revolution")
    assert graph.face_area_mm2[side].sum() == pytest.approx(
        turn * (weight * radius * np.hypot(slope, TOP)).sum(), rel=1e-6
    )
    apart = parts_of(vase)
    volume = moments(apart.topology, apart.surfaces, apart.trimming, apart.loops)[2].sum()
    assert volume == pytest.approx(turn / 2 * (weight * radius**2).sum() * TOP, rel=2e-5)


def test_a_wall_has_the_length_of_its_profile():
    _, slope, weight = along()
    graph = graph_of(BRepPrimAPI_MakePrism(profile_face(), gp_Vec(0, 3, 0)).Shape())
    side = graph.face_type == SURFACE_TYPES.index("extrusion")
    assert graph.face_area_mm2[side].sum() == pytest.approx(3 * (weight * np.hypot(slope, TOP)).sum(), rel=1e-6)
