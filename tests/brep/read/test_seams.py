"""Faces of closed surfaces whose holes lie across the seam, through STEP: never the rest of the surface instead."""

import math
import re

import numpy as np
import pytest
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut, BRepAlgoAPI_Fuse
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert, BRepBuilderAPI_Transform
from OCP.BRepGProp import BRepGProp
from OCP.BRepPrimAPI import (
    BRepPrimAPI_MakeBox,
    BRepPrimAPI_MakeCone,
    BRepPrimAPI_MakeCylinder,
    BRepPrimAPI_MakeSphere,
    BRepPrimAPI_MakeTorus,
)
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt, gp_Trsf
from OCP.GProp import GProp_GProps
from OCP.IFSelect import IFSelect_RetDone
from OCP.STEPControl import STEPControl_Reader
from OCP.TopAbs import TopAbs_FACE
from OCP.TopoDS import TopoDS_Shape

from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.graph.graph import face_graph
from brep_mae.brep.read.solids import subshapes
from brep_mae.brep.read.step import Reading, read_solids
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.placing import MeasuredSolids
from brep_mae.brep.solid.soundness import NeedsRepair
from brep_mae.schema import FaceGraph
from tests.brep.solids import CUT, SHAPES, box, graph_of, parts_of, write_step

SAMPLING = Sampling(10, 0, 0, False, False)
BALL = BRepPrimAPI_MakeSphere(10.0).Shape()


def rod(radius: float, direction: tuple[float, float, float], start: float = 0.0) -> TopoDS_Shape:
    """From the centre outward, 20 long."""
    at = np.array(direction) * start
    return BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(*at.tolist()), gp_Dir(*direction)), radius, 20.0).Shape()


def quarter(direction: tuple[float, float, float], far: float) -> TopoDS_Shape:
    at = np.array(direction) * far
    return BRepPrimAPI_MakeBox(gp_Ax2(gp_Pnt(*at.tolist()), gp_Dir(*direction)), 30.0, 30.0, 30.0).Shape()


def turned(shape: TopoDS_Shape) -> TopoDS_Shape:
    trsf = gp_Trsf()
    trsf.SetRotation(gp_Ax1(gp_Pnt(1, 2, 3), gp_Dir(2, 1, 5)), 1.1)
    return BRepBuilderAPI_Transform(shape, trsf, True).Shape()


def cut(shape: TopoDS_Shape, tool: TopoDS_Shape) -> TopoDS_Shape:
    return BRepAlgoAPI_Cut(shape, tool).Shape()


def free_form(shape: TopoDS_Shape) -> TopoDS_Shape:
    return BRepBuilderAPI_NurbsConvert(shape).Shape()


X, SLANTED = (1.0, 0.0, 0.0), (0.8, 0.0, 0.6)
ACROSS = {
    "knob on a ball": BRepAlgoAPI_Fuse(BALL, rod(3, X)).Shape(),
    "knob on the slant": BRepAlgoAPI_Fuse(BALL, rod(2, SLANTED)).Shape(),
    "blind hole in a ball": cut(BALL, rod(2, X, 5)),
    "flat on a ball": cut(BALL, quarter(X, 8)),
    "corner of a ball": cut(BALL, quarter((0.6, 0.0, -0.8), 4)),
    "dome in a box": cut(box(20, 20, 20, (8, -10, -10)), BALL),
    "hole through a ball": cut(BALL, rod(3, X, -10)),
    "turned ball": turned(cut(BALL, rod(2, SLANTED, 5))),
    "hole in a cylinder": cut(BRepPrimAPI_MakeCylinder(5.0, 20.0).Shape(), box(8, 2, 4, (1, -1, 8))),
    "hole in a cone": cut(BRepPrimAPI_MakeCone(8.0, 2.0, 20.0).Shape(), box(8, 2, 4, (1, -1, 8))),
    "hole in a torus": cut(BRepPrimAPI_MakeTorus(10.0, 3.0).Shape(), rod(1, X, 9)),
    "free-form cylinder": cut(free_form(BRepPrimAPI_MakeCylinder(5.0, 20.0).Shape()), box(8, 2, 4, (1, -1, 8))),
    "free-form torus": cut(free_form(BRepPrimAPI_MakeTorus(10.0, 3.0).Shape()), rod(1, X, 9)),
    "free-form corner of a ball": cut(free_form(BALL), quarter((0.6, 0.0, -0.8), 4)),
    "hole in a free-form ball": cut(free_form(BALL), rod(2, X, 5)),
    "slanted hole in a free-form ball": turned(cut(free_form(BALL), rod(2, SLANTED, 5))),
    "flat on a free-form ball": cut(free_form(BALL), quarter(X, 8)),
    "holes all round a free-form ball": cut(cut(free_form(BALL), rod(4, X, -10)), rod(4, (0.0, 1.0, 0.0), 5)),
}


def alike(found: FaceGraph, made: FaceGraph) -> None:
    """The same faces, whatever their order."""
    middles = [graph.center_mm + graph.face_centroid_mm for graph in (found, made)]
    a, b = (np.lexsort(np.round(middle, 2).T) for middle in middles)
    assert found.face_area_mm2[a] == pytest.approx(made.face_area_mm2[b], rel=2e-3)
    assert middles[0][a] == pytest.approx(middles[1][b], abs=0.05)


@pytest.mark.parametrize("name", ACROSS)
def test_a_hole_across_the_seam_stays_a_hole(tmp_path, name):
    file = write_step(tmp_path / "a.step", ACROSS[name])
    (graph,) = file_graphs(file, "k", "n", SAMPLING)
    alike(graph, graph_of(ACROSS[name], 10, 0, 0))


def test_the_area_of_a_ball_with_a_knob_is_that_of_the_formula(tmp_path):
    (graph,) = file_graphs(write_step(tmp_path / "a.step", ACROSS["knob on a ball"]), "k", "n", SAMPLING)
    height = math.sqrt(100 - 9)
    ball, rest = 2 * math.pi * 10 * (10 + height), 2 * math.pi * 3 * (20 - height) + 9 * math.pi
    assert graph.face_area_mm2.sum() == pytest.approx(ball + rest, rel=1e-5)
    assert sorted(np.ptp(np.stack([graph.face_box_mm[:, :3].min(0), graph.face_box_mm[:, 3:].max(0)]), axis=0)) == (
        pytest.approx([20, 20, 30], rel=1e-4)
    )


@pytest.mark.parametrize("name", [name for name in ACROSS if "ball" in name])
def test_no_reading_of_a_ball_with_a_hole_passes_on_the_hole(tmp_path, name):
    """Also where it is read without repairs, where the kernel's repairs fail, and where both do."""
    shape = ACROSS[name]
    file = write_step(tmp_path / "a.step", shape)
    made = graph_of(shape, 10, 0, 0)
    right = 0
    for reading in Reading:
        parts = MeasuredSolids(SAMPLING)
        for entry in read_solids(file, reading):
            try:
                alike(face_graph(entry, "k", "n", parts), made)
                right += 1
            except (NeedsRepair, Reject):
                continue
            except AttributeError:
                assert isinstance(entry, Reject)
    assert right


def test_what_no_reading_makes_right_is_refused(tmp_path):
    """A hole through a pole of a free-form ball: both ways along the seam end in it."""
    shape = cut(free_form(BALL), quarter((0.0, 0.0, -1.0), 2))
    (entry,) = file_graphs(write_step(tmp_path / "a.step", shape), "k", "n", SAMPLING)
    if isinstance(entry, Reject):
        assert entry.reason == "degenerate"
    else:
        alike(entry, graph_of(shape, 10, 0, 0))


def test_a_slit_is_told_from_a_seam(tmp_path):
    (solid,) = read_solids(write_step(tmp_path / "a.step", ACROSS["knob on a ball"]), Reading.TRUSTING)
    slit = parts_of(solid.shape).trimming.slit
    assert slit.sum() == 1  # the ball, not the knob with its seam
    for shape in (*SHAPES.values(), *CUT.values(), ACROSS["knob on a ball"]):
        assert not parts_of(shape).trimming.slit.any()


def spindle(outer: bool) -> TopoDS_Shape:
    """A torus of radii 3 and 5 crosses its axis; its inner part is a lemon, its outer one an apple."""
    angle = math.acos(-3 / 5)
    low, high = (-angle, angle) if outer else (angle, 2 * math.pi - angle)
    return BRepPrimAPI_MakeTorus(3.0, 5.0, low, high).Shape()


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("way", ["revolution", "torus"])
def test_a_surface_through_its_own_axis_is_refused(tmp_path, outer, way):
    """The kernel writes a spindle torus as the revolution of a whole circle, and so reads it."""
    file = write_step(tmp_path / "a.step", spindle(outer))
    if way == "torus":
        text = file.read_text()
        flat = re.sub(r"\n\s*", "", text)
        (place,) = re.findall(r"ADVANCED_BREP_SHAPE_REPRESENTATION\('',\((#\d+)", flat)
        kind = f"DEGENERATE_TOROIDAL_SURFACE('',{place},3.,5.,.{'T' if outer else 'F'}.)"
        flat, count = re.subn(r"SURFACE_OF_REVOLUTION\('',#\d+,#\d+\)", kind, flat)
        assert count == 1
        file.write_text(flat)
    (entry,) = file_graphs(file, "k", "n", SAMPLING)
    if isinstance(entry, Reject):
        assert entry.reason == "degenerate" and "the axis that its surface turns about" in entry.detail
    else:
        assert entry.face_area_mm2.sum() == pytest.approx(
            graph_of(spindle(outer), 10, 0, 0).face_area_mm2.sum(), rel=1e-3
        )


def test_a_spindle_as_it_is_made_is_measured():
    area = graph_of(spindle(False), 10, 0, 0).face_area_mm2.sum()
    angle = math.acos(3 / 5)
    assert area == pytest.approx(4 * math.pi * 5 * (5 * math.sin(angle) - 3 * angle), rel=1e-5)


def one_face_turned(text: str) -> str:
    """The third face with its loop."""
    for pattern in (
        r"(ADVANCED_FACE\('[^']*',\([^)]*\),#\d+,)\.([TF])\.",
        r"(FACE(?:_OUTER)?_BOUND\('',#\d+,)\.([TF])\.",
    ):
        third = list(re.finditer(pattern, text))[2]
        text = text[: third.start()] + third[1] + (".F." if third[2] == "T" else ".T.") + text[third.end() :]
    return text


def first_points(shape: TopoDS_Shape) -> list[tuple[float, ...]]:
    """Middle of each face, in the kernel's order."""
    middles = []
    for face in subshapes(shape, TopAbs_FACE):
        properties = GProp_GProps()
        BRepGProp.SurfaceProperties_s(face, properties)
        middles.append(properties.CentreOfMass().Coord())
    return middles


@pytest.mark.parametrize("name", ["notched block", "slotted cylinder"])
def test_faces_are_in_the_order_of_the_kernels_default_reading(tmp_path, name):
    """Its repair of orientation puts the faces of a shell in another order where it turns one. Names follow them."""
    file = write_step(tmp_path / "a.step", (SHAPES | CUT | ACROSS)[name])
    pieces = re.sub(r"\n\s*", "", file.read_text()).split("ADVANCED_FACE(''")
    named = pieces[0] + "".join(f"ADVANCED_FACE('{i}'{piece}" for i, piece in enumerate(pieces[1:]))
    file.write_text(named)
    (before,) = file_graphs(file, "k", "n", SAMPLING)
    file.write_text(one_face_turned(named))
    (graph,) = file_graphs(file, "k", "n", SAMPLING)
    reader = STEPControl_Reader()
    assert reader.ReadFile(str(file)) == IFSelect_RetDone
    reader.TransferRoots()
    middles = graph.center_mm + graph.face_centroid_mm
    assert middles == pytest.approx(np.array(first_points(reader.OneShape())), abs=1e-3)
    assert (graph.face_name != before.face_name) and sorted(graph.face_name) == sorted(before.face_name)
    at = [before.face_name.index(name) for name in graph.face_name]
    assert graph.face_centroid_mm == pytest.approx(before.face_centroid_mm[at], abs=1e-3)
