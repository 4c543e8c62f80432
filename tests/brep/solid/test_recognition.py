"""Faces and edges that a file holds as splines, though they are planes, cylinders, lines and so on."""

import numpy as np
import pytest
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeFace, BRepBuilderAPI_NurbsConvert, BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import BRepPrimAPI_MakePrism
from OCP.Geom import Geom_CylindricalSurface, Geom_RectangularTrimmedSurface, Geom_ToroidalSurface
from OCP.GeomAbs import GeomAbs_C2
from OCP.GeomAPI import GeomAPI_PointsToBSplineSurface
from OCP.GeomConvert import GeomConvert_ApproxSurface
from OCP.gp import gp_Ax3, gp_Dir, gp_Pnt, gp_Trsf, gp_Vec
from OCP.ShapeCustom import ShapeCustom
from OCP.TColgp import TColgp_Array2OfPnt

from brep_mae.brep.geometry.curves import CIRCLE, LINE
from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.read.step import read_solids
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid import edge_forms, face_forms
from brep_mae.generate.generate import generate
from brep_mae.schema import ARRAYS, CURVE_TYPES, POINT, SURFACE_TYPES, FaceGraph
from tests.brep.solid.test_analytic import FLIP, HALF_ANGLE, MINOR, RADIUS, SOLIDS, face_residual, unit_points
from tests.brep.solids import CUT, PLACEMENTS, SHAPES, first_solid, graph_of, placed, write_step

MADE = SOLIDS | CUT
CLOSE = 1e-4
"""In the box of the solid, which on free-form faces is found with errors of some 1e-5."""
SMALL = Sampling(6, 50, 10, False, False)


def as_splines(shape):
    return BRepBuilderAPI_NurbsConvert(first_solid(shape), True).Shape()


def scaled(shape):
    large = gp_Trsf()
    large.SetScaleFactor(300.0)
    return BRepBuilderAPI_Transform(first_solid(shape), large, True).Shape()


def is_the_same(graph: FaceGraph, original: FaceGraph) -> None:
    """Types and sides as in the original, and parameters that name the surface and curve on which the samples lie."""
    assert graph.face_type.tolist() == original.face_type.tolist()
    assert graph.face_recognised.all() and not original.face_recognised.any()
    assert graph.face_params_unit[:, FLIP].tolist() == original.face_params_unit[:, FLIP].tolist()
    assert graph.face_area_mm2 == pytest.approx(original.face_area_mm2, rel=1e-4)
    for face, (p, q) in enumerate(
        zip(graph.face_params_unit.astype(float), original.face_params_unit.astype(float), strict=True)
    ):
        kind = SURFACE_TYPES[graph.face_type[face]]
        for each in (graph, original):
            points = unit_points(each, each.face_grid[face, ..., POINT].reshape(-1, 3))
            assert np.abs(face_residual(kind, p, points)).max() < CLOSE
        assert p[MINOR] == pytest.approx(q[MINOR], abs=CLOSE)
        if kind == "cone":
            assert abs(p[HALF_ANGLE]) == pytest.approx(abs(q[HALF_ANGLE]), abs=1e-6)
        else:
            assert p[RADIUS] == pytest.approx(q[RADIUS], abs=CLOSE)
        if kind == "plane":
            assert p[5:11] == pytest.approx(q[5:11], abs=CLOSE)


def edges_are_the_same(graph: FaceGraph, original: FaceGraph) -> None:
    """Of lines and circles, edge for edge."""
    kind, before = (g.arc_type[np.unique(g.arc_edge, return_index=True)[1]] for g in (graph, original))
    known = (before == LINE) | (before == CIRCLE)
    assert kind[known].tolist() == before[known].tolist()
    assert graph.edge_recognised[known].all() and not original.edge_recognised.any()
    p, q = graph.edge_params_unit[known].astype(float), original.edge_params_unit[known].astype(float)
    plain = [*range(6), 15, 16, 17]
    assert np.abs(p[:, plain] - q[:, plain]).max() < CLOSE
    assert np.abs(np.cross(p[:, 6:9] + p[:, 9:12], q[:, 6:9] + q[:, 9:12])).max() < CLOSE  # axes either way


@pytest.mark.parametrize("how", ["as made", *PLACEMENTS, "scaled"])
@pytest.mark.parametrize("name", MADE)
def test_a_solid_of_splines_has_the_types_and_parameters_of_the_original(name, how):
    shape, splines = MADE[name], as_splines(MADE[name])
    if how != "as made":
        shape, splines = (scaled(s) if how == "scaled" else placed(how, s) for s in (shape, splines))
    graph, original = graph_of(splines), graph_of(shape)
    is_the_same(graph, original)
    edges_are_the_same(graph, original)


@pytest.mark.parametrize("name", ["slotted cylinder", "drilled torus", "sphere without a pole", "cone with apex"])
def test_so_it_has_when_it_was_written_and_read(tmp_path, name):
    graph, original = (
        file_graphs(write_step(tmp_path / f"{i}.step", shape), "0", "a.step", SMALL)[0]
        for i, shape in enumerate((as_splines(MADE[name]), MADE[name]))
    )
    is_the_same(graph, original)
    edges_are_the_same(graph, original)


@pytest.mark.parametrize("name", ["cylinder", "cone", "sphere", "torus", "plate with a hole"])
def test_surfaces_of_revolution_are_recognised_as_well(name):
    turned = ShapeCustom.ConvertToRevolution_s(first_solid(SOLIDS[name]))
    graph, original = graph_of(turned), graph_of(SOLIDS[name])
    assert graph.face_type.tolist() == original.face_type.tolist()
    assert graph.face_recognised.tolist() == (original.face_type != SURFACE_TYPES.index("plane")).tolist()


def test_generated_parts_of_splines_keep_their_types(tmp_path):
    generate(tmp_path, "modelled", 3, seed=8)  # none of their faces is free-form
    for file in sorted((tmp_path / "step").glob("*.step")):
        shape = read_solids(file)[0].shape
        is_the_same(graph_of(as_splines(shape)), graph_of(shape))


def test_nothing_but_names_and_parameters_changes(monkeypatch):
    shape = as_splines(CUT["slotted cylinder"])
    known = graph_of(shape, curvature=True)
    for module in (face_forms, edge_forms):
        monkeypatch.setattr(module, "_proposed", lambda *_: None)
    unknown = graph_of(shape, curvature=True)
    assert (unknown.face_type == SURFACE_TYPES.index("bspline")).all()
    named = {"face_type", "face_recognised", "face_params_unit", "arc_type", "edge_recognised", "edge_params_unit"}
    for array in ARRAYS.keys() - named:
        assert np.array_equal(getattr(known, array), getattr(unknown, array)), array


def sheet(height, size=(10.0, 10.0), count: int = 60):
    """A block whose first face is the free-form surface z = height(x, y)."""
    points = TColgp_Array2OfPnt(1, count, 1, count)
    for i, x in enumerate(np.linspace(0, size[0], count).tolist()):
        for j, y in enumerate(np.linspace(0, size[1], count).tolist()):
            points.SetValue(i + 1, j + 1, gp_Pnt(x, y, float(height(x, y))))
    return block(GeomAPI_PointsToBSplineSurface(points, 3, 8, GeomAbs_C2, 1e-7).Surface())


def block(surface, along=(0, 0, 5)):
    face = BRepBuilderAPI_MakeFace(surface, 1e-6).Face()
    return BRepPrimAPI_MakePrism(face, gp_Vec(*along), True).Shape()


def lids(shape) -> set[str]:
    """Types of the free-form face and its copy on the other side."""
    graph = graph_of(shape)
    return {SURFACE_TYPES[kind] for kind in graph.face_type[-2:]}


def test_a_plane_may_be_bent_by_a_share_of_its_size_and_no_more():
    assert lids(sheet(lambda x, y: 2e-5 * (x - 5) * (y - 5))) == {"plane"}  # a saddle 0.0005 mm deep, 14 mm across
    assert lids(sheet(lambda x, y: 2e-4 * (x - 5) * (y - 5))) == {"bspline"}  # 0.005 mm


def test_waves_are_no_plane_however_they_fall():
    for waves in (1, 2, 4, 8):
        assert lids(sheet(lambda x, y, w=waves: 0.02 * np.cos(2 * np.pi * w * x / 10))) == {"bspline"}


def test_a_long_fillet_with_a_profile_that_is_no_circle_is_no_cylinder():
    """It lies within the distance that its length allows, but not within the angle."""

    def profile(share: float):
        return lambda x, y: np.sqrt(1 - y * y) * (1 + share * y * y)

    assert lids(sheet(profile(0.0), (100.0, 0.7))) == {"cylinder"}
    assert lids(sheet(profile(0.008), (100.0, 0.7))) == {"bspline"}


@pytest.mark.parametrize(
    ("kind", "surface"),
    [
        ("cylinder", Geom_CylindricalSurface(gp_Ax3(gp_Pnt(1, 2, 3), gp_Dir(1, 2, 2)), 2.0)),
        ("torus", Geom_ToroidalSurface(gp_Ax3(gp_Pnt(1, 2, 3), gp_Dir(1, 2, 2)), 5.0, 1.0)),
    ],
)
def test_an_exporters_approximation_is_recognised(kind, surface):
    piece = Geom_RectangularTrimmedSurface(surface, 0.3, 1.4, 0.2, 1.3)
    near = GeomConvert_ApproxSurface(piece, 1e-4, GeomAbs_C2, GeomAbs_C2, 8, 8, 30, 1).Surface()
    assert lids(block(near)) == {kind}


def test_a_part_without_splines_asks_the_kernel_nothing(monkeypatch):
    def asked(*_):
        raise AssertionError

    for module in (face_forms, edge_forms):
        monkeypatch.setattr(module, "_proposed", asked)
    assert not graph_of(CUT["plate"]).face_recognised.any()


def test_lines_that_are_splines_of_one_chord_are_lines():
    graph = graph_of(as_splines(SHAPES["box"]))
    assert (graph.arc_type == CURVE_TYPES.index("line")).all() and graph.edge_recognised.all()


@pytest.mark.parametrize("how", ["moved", "mirrored"])
def test_circles_turn_about_their_axis_the_way_of_their_edge(how):
    graph = graph_of(placed(how, as_splines(CUT["slotted cylinder"])))
    forward = {(f, e): way for f, e, way in zip(*graph.coedge_index.tolist(), graph.coedge_forward, strict=True)}
    circles = np.flatnonzero(graph.arc_type == CIRCLE)
    assert len(circles) >= 8
    for arc in circles:
        p = graph.edge_params_unit[graph.arc_edge[arc]].astype(float)
        away, tangent = unit_points(graph, graph.arc_grid[arc, 0, :3]) - p[3:6], graph.arc_grid[arc, 0, 3:]
        onward = tangent @ np.cross(p[9:12], away / np.linalg.norm(away))
        assert onward == pytest.approx(1 if forward[graph.arc_index[0, arc], graph.arc_edge[arc]] else -1, abs=1e-4)
