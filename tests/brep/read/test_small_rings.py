"""Faces that turn about an axis, smaller than the 1 mm that the kernel takes for nothing by default, through STEP."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut, BRepAlgoAPI_Fuse
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_MakeFace, BRepBuilderAPI_MakeWire
from OCP.BRepGProp import BRepGProp
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder, BRepPrimAPI_MakeRevol
from OCP.GC import GC_MakeArcOfCircle, GC_MakeSegment
from OCP.Geom import Geom_Curve
from OCP.GeomConvert import GeomConvert
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt
from OCP.GProp import GProp_GProps
from OCP.STEPControl import STEPControl_Reader
from OCP.TopAbs import TopAbs_FACE
from OCP.TopoDS import TopoDS_Shape

from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.read.solids import subshapes
from brep_mae.brep.read.step import Reading, read_solids
from brep_mae.brep.sampling import Sampling
from brep_mae.generate.step_writer import write_step
from brep_mae.schema import INSIDE, POINT, FaceGraph
from tests.brep.solids import box, first_solid

SAMPLING = Sampling(24, 0, 0, False, False)
RADII_MM = (0.02, 0.15, 1.0)
"""The last is not small: it shows that what is asked of the others holds."""


def turned(profile: Geom_Curve) -> TopoDS_Shape:
    """What lies between a profile, taken as a free-form curve that goes upward, and the z axis."""
    curve = GeomConvert.CurveToBSplineCurve_s(profile)
    foot, head = curve.StartPoint(), curve.EndPoint()
    corners = [head, gp_Pnt(0, 0, head.Z()), gp_Pnt(0, 0, foot.Z()), foot]
    wire = BRepBuilderAPI_MakeWire(BRepBuilderAPI_MakeEdge(curve).Edge())
    for start, end in pairwise(corners):
        if start.Distance(end) > 1e-9:
            wire.Add(BRepBuilderAPI_MakeEdge(start, end).Edge())
    section = BRepBuilderAPI_MakeFace(wire.Wire()).Face()
    return BRepPrimAPI_MakeRevol(section, gp_Ax1(gp_Pnt(0, 0, 0), gp_Dir(0, 0, 1))).Shape()


def pin(radius: float, low: float, high: float) -> TopoDS_Shape:
    return turned(GC_MakeSegment(gp_Pnt(radius, 0, low), gp_Pnt(radius, 0, high)).Value())


def read(file: Path, shape: TopoDS_Shape) -> tuple[FaceGraph, int]:
    """The graph and the number of its one face of revolution, which is recognised as the cylinder or sphere it is."""
    write_step(first_solid(shape), file)
    (graph,) = file_graphs(file, "k", "n", SAMPLING)
    assert isinstance(graph, FaceGraph), graph
    (number,) = np.flatnonzero(graph.face_recognised)
    return graph, int(number)


def box_of(graph: FaceGraph, face: int) -> np.ndarray:
    return graph.face_box_mm[face] + np.tile(graph.center_mm, 2)


def default_areas(file: Path) -> list[float]:
    """In the order of the kernel's default reading."""
    reader = STEPControl_Reader()
    reader.ReadFile(str(file))
    reader.TransferRoots()
    areas = []
    for face in subshapes(reader.OneShape(), TopAbs_FACE):
        BRepGProp.SurfaceProperties_s(face, size := GProp_GProps())
        areas.append(size.Mass())
    return areas


@pytest.mark.parametrize("r", RADII_MM)
def test_a_ring_that_stands_on_a_block_is_covered_once(tmp_path, r):
    shape = BRepAlgoAPI_Fuse(box(4, 4, 1, (-2, -2, -1)), pin(r, -0.5, 2 * r)).Shape()
    graph, ring = read(tmp_path / "a.step", shape)
    assert graph.face_area_mm2[ring] == pytest.approx(4 * math.pi * r * r, rel=1e-5)
    assert graph.face_area_mm2.sum() == pytest.approx(48 + 4 * math.pi * r * r, rel=1e-5)
    assert box_of(graph, ring) == pytest.approx([-r, -r, 0, r, r, 2 * r], abs=1e-3 * r)
    assert (graph.face_grid[ring, ..., INSIDE] == 1).all()
    seams = graph.arc_seam & (graph.arc_index == ring).any(axis=0)
    assert seams.sum() == 2 and graph.arc_length_mm[seams] == pytest.approx(2 * r)
    others = np.delete(np.arange(graph.n_faces), ring)
    assert graph.face_area_mm2[others] == pytest.approx(np.array(default_areas(tmp_path / "a.step"))[others], rel=1e-5)


@pytest.mark.parametrize("r", RADII_MM)
def test_a_half_ball_as_a_surface_of_revolution_keeps_its_cap(tmp_path, r):
    middle = r * math.sqrt(0.5)
    arc = GC_MakeArcOfCircle(gp_Pnt(r, 0, 0), gp_Pnt(middle, 0, middle), gp_Pnt(0, 0, r)).Value()
    graph, cap = read(tmp_path / "a.step", turned(arc))
    assert graph.face_area_mm2[cap] == pytest.approx(2 * math.pi * r * r, rel=1e-5)
    assert graph.face_area_mm2.sum() == pytest.approx(3 * math.pi * r * r, rel=1e-5)
    assert box_of(graph, cap) == pytest.approx([-r, -r, 0, r, r, r], abs=1e-3 * r)
    assert (graph.face_grid[cap, ..., INSIDE] == 1).all()


@pytest.mark.parametrize("r", RADII_MM)
def test_a_hole_across_the_seam_of_a_small_pin_stays_a_hole(tmp_path, r):
    q, height = 0.4 * r, 1.5 * r
    drill = BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(r / 5, 0, height), gp_Dir(1, 0, 0)), q, 2 * r).Shape()
    graph, side = read(tmp_path / "a.step", BRepAlgoAPI_Cut(pin(r, 0.0, 3 * r), drill).Shape())
    angle = (np.arange(4000) + 0.5) / 4000 * math.asin(q / r)
    hole = 4 * r * np.sqrt(q * q - (r * np.sin(angle)) ** 2).mean() * math.asin(q / r)
    assert graph.face_area_mm2[side] == pytest.approx(6 * math.pi * r * r - hole, rel=1e-4)
    assert box_of(graph, side) == pytest.approx([-r, -r, 0, r, r, 3 * r], abs=1e-3 * r)
    x, y, z = np.moveaxis(graph.face_grid[side, ..., POINT] + graph.center_mm, -1, 0)
    away = np.hypot(y, z - height) / q
    clear = (x < 0) | (np.abs(away - 1) > 0.02)
    assert ((graph.face_grid[side, ..., INSIDE] == 1) == ((x < 0) | (away > 1)))[clear].all()


def test_what_one_file_is_read_with_is_not_left_to_the_next(tmp_path):
    """Readings share their settings with every other reader of the process."""
    file = tmp_path / "a.step"
    shape = BRepAlgoAPI_Fuse(box(4, 4, 1, (-2, -2, -1)), pin(0.15, -0.5, 0.3)).Shape()
    write_step(first_solid(shape), file)
    before = default_areas(file)
    for reading in Reading:
        read_solids(file, reading)
        assert default_areas(file) == before
