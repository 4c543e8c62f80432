"""Faces with an edge past a pole or an apex, where curves in (u, v) turn within a sliver of their range."""

import math

import numpy as np
import pytest
from OCP.BRepAlgoAPI import BRepAlgoAPI_Common, BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import BRepPrimAPI_MakeBox, BRepPrimAPI_MakeCone, BRepPrimAPI_MakeSphere
from OCP.gp import gp_Ax2, gp_Ax3, gp_Dir, gp_Pnt, gp_Trsf

from brep_mae.brep.solid.measure import moments
from brep_mae.schema import SURFACE_TYPES
from tests.brep.solids import graph_of, parts_of


def behind(normal: tuple[float, float, float], away: float):
    """A large box on the far side of a plane whose distance from the origin is `away`."""
    trsf, way = gp_Trsf(), gp_Dir(*normal)
    at = gp_Pnt(*(np.array(way.Coord()) * away).tolist())
    trsf.SetDisplacement(gp_Ax3(gp_Ax2()), gp_Ax3(gp_Ax2(at, way)))
    return BRepBuilderAPI_Transform(BRepPrimAPI_MakeBox(gp_Pnt(-99, -99, 0), 198, 198, 99).Shape(), trsf, True).Shape()


@pytest.mark.parametrize("away", [0.0, 1e-3, 0.05, 1.0, -4.0])
@pytest.mark.parametrize("tilt", [0.0, 1e-3, 0.02, 0.3])
def test_a_ball_cut_beside_its_pole_has_the_area_and_volume_of_a_cap(away, tilt):
    """Cap of height h of a ball of radius R: 2 pi R h and pi h^2 (R - h / 3)."""
    cut = BRepAlgoAPI_Cut(BRepPrimAPI_MakeSphere(10.0).Shape(), behind((1.0, 0.2, tilt), away)).Shape()
    graph, height = graph_of(cut), 10.0 + away
    ball = graph.face_type == SURFACE_TYPES.index("sphere")
    assert graph.face_area_mm2[ball].sum() == pytest.approx(2 * math.pi * 10 * height, rel=1e-6)
    apart = parts_of(cut)
    volume = moments(apart.topology, apart.surfaces, apart.trimming, apart.loops)[2].sum()
    assert volume == pytest.approx(math.pi * height**2 * (10 - height / 3), rel=1e-6)


@pytest.mark.parametrize("away", [1e-3, 0.05, 1.0])
@pytest.mark.parametrize("tilt", [0.05, 0.4])
def test_a_cone_cut_beside_its_apex_has_the_area_that_its_shadow_gives(away, tilt):
    """Every bit of a cone throws the same share of its area, the sine of the half angle, on the ground."""
    cone = BRepPrimAPI_MakeCone(gp_Ax2(gp_Pnt(0, 0, 0), gp_Dir(0, 0, -1)), 0, 4, 3).Shape()  # the apex on top
    top = BRepAlgoAPI_Common(cone, behind((tilt, 0.1, 1.0), -away)).Shape()
    graph = graph_of(top)
    side = graph.face_type == SURFACE_TYPES.index("cone")
    (flat,) = np.flatnonzero(~side)
    shadow = graph.face_area_mm2[flat] * abs(float(graph.face_axes[flat, 2, 2]))
    assert graph.face_area_mm2[side].sum() == pytest.approx(shadow / math.sin(math.atan(4 / 3)), rel=1e-5)
