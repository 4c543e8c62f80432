"""Points, normals and tangents of placed faces and edges against the kernel's own evaluation, point by point."""

import numpy as np
import pytest
from OCP.BRepAdaptor import BRepAdaptor_Curve, BRepAdaptor_Surface
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_MakeFace, BRepBuilderAPI_NurbsConvert
from OCP.BRepClass3d import BRepClass3d_SolidClassifier
from OCP.Geom2dAdaptor import Geom2dAdaptor_Curve
from OCP.gp import gp_Pnt, gp_Pnt2d, gp_Trsf, gp_Vec, gp_Vec2d
from OCP.TopAbs import TopAbs_OUT
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Shape

from brep_mae.brep.geometry.curves import Curves, edge_curves
from brep_mae.brep.geometry.surfaces import Surfaces
from brep_mae.brep.solid.uvgrid import edge_grids, outward, unit_grid
from brep_mae.schema import CURVE_TYPES, SURFACE_TYPES
from tests.brep.geometry.test_splines import CURVES, SURFACES
from tests.brep.solids import PLACEMENTS, SHAPES, first_solid, parts_of, placed, plate, transformation

WAYS = ["as made", "moved", "mirrored", "mirrored and scaled"]
POINTS, NORMALS = 1e-9, 1e-7
"""Share of the diagonal of what was sampled; absolute."""


def located(shape: TopoDS_Shape, how: str) -> TopoDS_Shape:
    if how == "as made":
        return shape
    trsf = transformation(how.split(" and ")[0])
    if "scaled" in how:
        larger = gp_Trsf()
        larger.SetScale(gp_Pnt(1, 2, 3), 3.7)
        trsf = larger.Multiplied(trsf)
    return shape.Located(TopLoc_Location(trsf), False)


def domain(surface) -> tuple[np.ndarray, np.ndarray]:
    """A piece of the surface without poles; of a periodic one it runs over the seam."""
    low_u, high_u, low_v, high_v = surface.Bounds()
    low, high = np.array([low_u, low_v]), np.array([high_u, high_v])
    repeats = np.array([surface.IsUPeriodic(), surface.IsVPeriodic()])
    endless = (np.abs([low, high]) > 1e50).any(axis=0)
    low, high = np.where(endless, -1.5, low), np.where(endless, 1.5, high)
    if type(surface).__name__ == "Geom_SphericalSurface":
        low[1], high[1] = -1.5, 1.5
    shift = np.where(repeats, 0.3 * (high - low), 0.0)
    return low + shift, high + shift * 0.9


def kernel_surface(face, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The normal is Du x Dv before the placement, carried along."""
    adaptor, p, du, dv = BRepAdaptor_Surface(face, False), gp_Pnt(), gp_Vec(), gp_Vec()
    sign = -1.0 if face.Location().Transformation().IsNegative() else 1.0
    points, normals = [], []
    for u, v in uv.tolist():
        adaptor.D1(u, v, p, du, dv)
        points.append(p.Coord())
        normals.append(np.cross(du.Coord(), dv.Coord()) * sign)
    found = np.array(normals)
    return np.array(points), found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("how", WAYS)
def test_faces_on_every_kind_of_surface_agree_with_the_kernel(how):
    faces, boxes = [], []
    for make in SURFACES.values():
        surface = make()
        low, high = domain(surface)
        face = located(BRepBuilderAPI_MakeFace(surface, low[0], high[0], low[1], high[1], 1e-7).Face(), how)
        for oriented in (face, face.Reversed()):
            faces.append(TopoDS.Face_s(oriented))
            boxes.append((low, high))
    surfaces = Surfaces(faces)
    assert {SURFACE_TYPES[k] for k in surfaces.kind} == set(SURFACE_TYPES) - {"other"}
    assert (surfaces.mirrored == ("mirrored" in how)).all()
    side, low, extent = 6, np.array([b[0] for b in boxes]), np.array([b[1] - b[0] for b in boxes])
    scattered = np.random.default_rng(0).random((side * side, 2))
    for unit, given in ((scattered, 0), (unit_grid(side), side), (unit_grid(side), 0)):
        uv = low[:, None] + unit * extent[:, None]
        index = np.repeat(np.arange(len(faces)), len(unit))
        points, normals = surfaces.evaluate(index, uv.reshape(-1, 2), given)
        for number, face in enumerate(faces):
            mine = index == number
            want, normal = kernel_surface(face, uv[number])
            diagonal = np.linalg.norm(np.ptp(want, axis=0))
            name = list(SURFACES)[number // 2]
            assert np.abs(points[mine] - want).max() < POINTS * diagonal, name
            assert np.abs(normals[mine] - normal).max() < NORMALS, name


@pytest.mark.parametrize("name", [*SHAPES, "plate", "free-form plate", "free-form torus", "free-form cone"])
def test_points_a_little_along_the_normal_lie_outside_the_solid(name):
    """The kernel classifies the solid before its placement: placed by a mirroring it is inside out to the kernel."""
    shape = SHAPES.get(name.removeprefix("free-form "), plate(0.3))
    shape = BRepBuilderAPI_NurbsConvert(shape).Shape() if name.startswith("free-form") else shape
    classifier = BRepClass3d_SolidClassifier(first_solid(shape))
    for how in ("as made", *PLACEMENTS):
        parts = parts_of(shape if how == "as made" else placed(how, shape))
        back = transformation(how).Inverted()
        unit = np.random.default_rng(1).random((6, 2)) * 0.9 + 0.05
        points, normals = outward(parts.topology, parts.surfaces, parts.trimming, unit)
        inside, _ = parts.trimming.locate(np.broadcast_to(unit, (len(points), *unit.shape)))
        assert inside.any(axis=1).all()
        for point, normal in zip(points[inside], normals[inside], strict=True):
            for step in (1e-3, -1e-3):
                classifier.Perform(gp_Pnt(*(point + step * normal)).Transformed(back), 1e-9)
                assert (classifier.State() == TopAbs_OUT) == (step > 0), how


def kernel_curve(adaptor, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    point, along = (gp_Pnt(), gp_Vec()) if isinstance(adaptor, BRepAdaptor_Curve) else (gp_Pnt2d(), gp_Vec2d())
    points, derivatives = [], []
    for value in t.tolist():
        adaptor.D1(value, point, along)
        points.append(point.Coord())
        derivatives.append(along.Coord())
    return np.array(points), np.array(derivatives)


def span(curve) -> tuple[float, float]:
    first, last = curve.FirstParameter(), curve.LastParameter()
    if curve.IsPeriodic():
        return first + 0.3 * (last - first), last + 0.1 * (last - first)
    return (-1.5, 1.5) if abs(first) > 1e50 or abs(last) > 1e50 else (first, last)


@pytest.mark.parametrize("how", WAYS)
def test_edges_on_every_kind_of_curve_agree_with_the_kernel(how):
    made = [make() for name, make in CURVES.items() if not name.startswith("flat")]
    edges = [
        TopoDS.Edge_s(oriented)
        for curve in made
        for edge in [located(BRepBuilderAPI_MakeEdge(curve, *span(curve)).Edge(), how)]
        for oriented in (edge, edge.Reversed())
    ]
    curves, size = edge_curves(edges), 9
    assert {CURVE_TYPES[k] for k in curves.kind} == set(CURVE_TYPES) - {"other"}
    grids = edge_grids(curves, size)
    points, derivatives = curves.sample(size)
    middles = curves.middles()
    for number, edge in enumerate(edges):
        adaptor = BRepAdaptor_Curve(edge)
        t = np.linspace(curves.first[number], curves.last[number], size)
        assert (t[0], t[-1]) == (adaptor.FirstParameter(), adaptor.LastParameter())
        want, along = kernel_curve(adaptor, t)
        diagonal = np.linalg.norm(np.ptp(want, axis=0))
        name = f"{edge.Orientation()} {CURVE_TYPES[curves.kind[number]]}"
        assert np.abs(points[number] - want).max() < POINTS * diagonal, name
        assert np.abs(derivatives[number] - along).max() < 1e-9 * np.abs(along).max(), name
        assert np.abs(grids[number, :, :3] - want).max() < POINTS * diagonal, name
        tangents = along / np.linalg.norm(along, axis=1, keepdims=True)
        assert np.abs(grids[number, :, 3:] - tangents).max() < NORMALS, name
        assert np.abs(middles[0][number] - want[size // 2]).max() < POINTS * diagonal, name
        assert np.abs(middles[1][number] - along[size // 2]).max() < 1e-9 * np.abs(along).max(), name


def test_curves_in_the_parameters_agree_with_the_kernel():
    curves, adaptors = Curves(2), []
    for name, make in CURVES.items():
        if name.startswith("flat"):
            curve = make()
            adaptors.append(Geom2dAdaptor_Curve(curve, *span(curve)))
            curves.add(curve, *span(curve))
    points, derivatives = curves.close().sample(9)
    for number, adaptor in enumerate(adaptors):
        t = np.linspace(curves.first[number], curves.last[number], 9)
        want, along = kernel_curve(adaptor, t)
        assert np.abs(points[number] - want).max() < POINTS * np.linalg.norm(np.ptp(want, axis=0))
        assert np.abs(derivatives[number] - along).max() < 1e-9 * np.abs(along).max()
