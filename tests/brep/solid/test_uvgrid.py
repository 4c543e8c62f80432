import math

import numpy as np
import pytest
from OCP.BRepAdaptor import BRepAdaptor_Surface
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert
from OCP.BRepPrimAPI import (
    BRepPrimAPI_MakeCylinder,
    BRepPrimAPI_MakeRevol,
)
from OCP.gp import gp_Ax1, gp_Dir, gp_Pnt, gp_Vec
from OCP.TopAbs import TopAbs_FACE
from OCP.TopExp import TopExp_Explorer

from brep_mae.brep.solid.uvgrid import unit_grid
from brep_mae.schema import INSIDE, NORMAL, POINT, SURFACE_TYPES
from tests.brep.solids import SHAPES, box, graph_of, parts_of, placed

VOLUMES = {
    "box": 6,
    "cylinder": 20 * math.pi,
    "part of a cylinder": 20,
    "cone": 4 * math.pi / 3 * (9 + 3 + 1),
    "cone with apex": 16 * math.pi / 3,
    "sphere": 32 * math.pi / 3,
    "torus": 6 * math.pi**2,
    "notched block": 7,
}


def volume(shape, size: int = 41) -> float:
    """Divergence theorem over the stored grids: a third of the flux of the position through the cells inside."""
    graph = graph_of(shape, grid=size, pool=16, keep=4)
    grid = graph.face_grid.astype(float)
    points = grid[..., POINT]
    a, b = points[:, 1:, 1:] - points[:, :-1, :-1], points[:, :-1, 1:] - points[:, 1:, :-1]
    corners = [np.s_[:, i : i + size - 1, j : j + size - 1] for i in (0, 1) for j in (0, 1)]
    middle = sum(points[c] for c in corners) / 4
    cells = np.cross(a, b) / 2
    normal = sum(grid[..., NORMAL][c] for c in corners)
    assert ((cells * normal).sum(-1) >= -1e-9).all(), "d/du x d/dv of the stored grid is against its normal"
    share = sum(grid[..., INSIDE][c] for c in corners) / 4
    return float(((cells * middle).sum(-1) * share).sum() / 3)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("how", ["as made", "moved", "mirrored", "mirrored and turned over", "mirrored geometry"])
def test_normals_point_out_and_the_grid_encloses_the_volume(name, how):
    shape = SHAPES[name] if how == "as made" else placed(how, SHAPES[name])
    assert volume(shape) == pytest.approx(VOLUMES[name], rel=0.04)


def test_normals_of_a_hollow_block_point_into_the_hollow():
    from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut

    assert volume(BRepAlgoAPI_Cut(box(3, 3, 3), box(1, 1, 1, (1, 1, 1))).Shape()) == pytest.approx(26, rel=1e-5)


@pytest.mark.parametrize("name", [*SHAPES, "free-form", "revolution"])
@pytest.mark.parametrize("how", ["as made", "moved"])
def test_closed_forms_agree_with_the_kernel(name, how):
    if name == "free-form":
        shape = BRepBuilderAPI_NurbsConvert(SHAPES["torus"]).Shape()
    elif name == "revolution":
        profile = TopExp_Explorer(BRepBuilderAPI_NurbsConvert(SHAPES["cone"]).Shape(), TopAbs_FACE).Current()
        shape = BRepPrimAPI_MakeRevol(profile, gp_Ax1(gp_Pnt(20, 0, 0), gp_Dir(0, 0, 1)), 1.0).Shape()
    else:
        shape = SHAPES[name]
    shape = placed(how, shape) if how == "moved" else shape
    parts = parts_of(shape)
    for number, face in enumerate(parts.topology.faces):
        adaptor, index = BRepAdaptor_Surface(face, False), np.full(36, number)
        uv = parts.trimming.parameters(index, unit_grid(6) * 0.98 + 0.01)
        points, normals = parts.surfaces.evaluate(index, uv)
        p, du, dv = gp_Pnt(), gp_Vec(), gp_Vec()
        for (u, v), point, normal in zip(uv.tolist(), points, normals, strict=True):
            adaptor.D1(u, v, p, du, dv)
            assert point == pytest.approx(p.Coord(), abs=1e-9)
            assert normal == pytest.approx(du.Crossed(dv).Normalized().Coord(), abs=1e-9)


def test_the_grid_includes_both_ends_and_is_uniform_between():
    graph = graph_of(BRepPrimAPI_MakeCylinder(2.0, 6.0).Shape(), grid=7)
    side = graph.face_grid[list(graph.face_type).index(SURFACE_TYPES.index("cylinder"))]
    assert side[0, :, 2] == pytest.approx(np.linspace(-3, 3, 7))
    turn = np.unwrap(np.arctan2(side[:, 0, 1], side[:, 0, 0]))
    assert turn == pytest.approx(np.linspace(0, 2 * np.pi, 7), abs=1e-6)
    assert graph.face_grid.shape == (3, 7, 7, 7)


def test_inside_follows_the_trimming_loops():
    graph = graph_of(BRepPrimAPI_MakeCylinder(2.0, 6.0).Shape(), grid=21)
    for face, kind in zip(graph.face_grid, graph.face_type, strict=True):
        if SURFACE_TYPES[kind] == "cylinder":
            assert (face[..., INSIDE] == 1).all()  # borders and seam belong to the face
        else:
            radius = np.hypot(face[..., 0], face[..., 1])
            clear = np.abs(radius - 2.0) > 1e-5
            assert ((face[..., INSIDE] == 1) == (radius < 2.0))[clear].all()
            assert 0.7 < face[..., INSIDE].mean() < 0.8
