"""IGES written as loose faces, as most exporters do: which solids they bound, against volumes from closed formulas."""

import math
import random
from pathlib import Path

import pytest
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeFace, BRepBuilderAPI_Transform
from OCP.BRepGProp import BRepGProp
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder, BRepPrimAPI_MakeSphere
from OCP.gp import gp_Ax2, gp_Dir, gp_Pln, gp_Pnt, gp_Trsf, gp_Vec
from OCP.GProp import GProp_GProps
from OCP.IGESControl import IGESControl_Writer
from OCP.TopAbs import TopAbs_FACE, TopAbs_SHELL
from OCP.TopoDS import TopoDS_Shape

from brep_mae.brep.read.loose.sewing import solids_and_rest
from brep_mae.brep.read.solids import count_faces, subshapes, together
from brep_mae.brep.read.step import read_solids
from brep_mae.brep.reject import Reject
from tests.brep.solids import SHAPES, box, graph_of


def ball(radius: float) -> TopoDS_Shape:
    return BRepPrimAPI_MakeSphere(gp_Pnt(5, 5, 5), radius).Shape()


def rod(radius: float, bottom: float, top: float, seam: float = 0.0) -> TopoDS_Shape:
    """Upright at (2, 2), its seam at an angle in rad."""
    axis = gp_Ax2(gp_Pnt(2, 2, bottom), gp_Dir(0, 0, 1), gp_Dir(math.cos(seam), math.sin(seam), 0))
    return BRepPrimAPI_MakeCylinder(axis, radius, top - bottom).Shape()


def cut(shape: TopoDS_Shape, tool: TopoDS_Shape) -> TopoDS_Shape:
    return BRepAlgoAPI_Cut(shape, tool).Shape()


def loose(shape: TopoDS_Shape) -> TopoDS_Shape:
    """Its faces in no order and in no group."""
    faces = list(subshapes(shape, TopAbs_FACE))
    random.Random(0).shuffle(faces)
    return together(faces)


def write(path: Path, shape: TopoDS_Shape, unit: str = "MM", kind: int = 0) -> Path:
    """Kind 0 writes loose faces, a group per body; kind 1 solids."""
    writer = IGESControl_Writer(unit, kind)
    assert writer.AddShape(shape)
    writer.ComputeModel()
    assert writer.Write(str(path))
    return path


def volume(shape: TopoDS_Shape) -> float:
    properties = GProp_GProps()
    BRepGProp.VolumeProperties_s(shape, properties)
    return properties.Mass()


def solids(path: Path) -> list[tuple[int, int, float]]:
    """Faces, shells and volume of each; the largest first."""
    result = []
    for entry in read_solids(path):
        assert not isinstance(entry, Reject), entry.detail
        faces = len(graph_of(entry.shape).face_grid)
        assert faces == count_faces(entry.shape)
        result.append((faces, len(list(subshapes(entry.shape, TopAbs_SHELL))), volume(entry.shape)))
    return sorted(result, key=lambda solid: -solid[2])


PLATE, PIN = cut(box(4, 4, 1), rod(1.0, -1, 2)), math.pi
BLOCK = cut(box(10, 10, 10), ball(3.0))
HOLLOW = cut(box(4, 4, 4), box(1, 1, 1, (1, 1, 1)))
BALL = 4 / 3 * math.pi
PARTS = {
    "hole": ([PLATE], [(7, 1, 16 - PIN)]),
    "void": ([HOLLOW], [(12, 2, 63.0)]),
    "round void": ([BLOCK], [(7, 2, 1000 - 27 * BALL)]),
    "sphere": ([ball(2.0)], [(1, 1, 8 * BALL)]),
    "torus": ([SHAPES["torus"]], [(1, 1, 6 * math.pi**2)]),
    "cone": ([SHAPES["cone with apex"]], [(2, 1, volume(SHAPES["cone with apex"]))]),
    "side by side": ([box(1, 1, 1), box(2, 1, 1, (3, 0, 0)), ball(0.5)], [(6, 1, 2.0), (6, 1, 1.0), (1, 1, BALL / 8)]),
    "touch in a face": ([box(1, 1, 1), box(2, 1, 1, (1, 0, 0))], [(6, 1, 2.0), (6, 1, 1.0)]),
    "three in a corner": (
        [box(1, 1, 1), box(1, 1, 1, (1, 0, 0)), box(1, 1, 1, (1, 1, 0))],
        [(6, 1, 1.0), (6, 1, 1.0), (6, 1, 1.0)],
    ),
    "four in a ring": (
        [box(2, 1, 1), box(1, 2, 1, (2, 0, 0)), box(2, 1, 1, (1, 2, 0)), box(1, 2, 1, (0, 1, 0))],
        [(6, 1, 2.0)] * 4,
    ),
    "touch in an edge": ([box(1, 1, 1), box(2, 1, 1, (1, 1, 0))], [(6, 1, 2.0), (6, 1, 1.0)]),
    "touch in a vertex": ([box(1, 1, 1), box(2, 1, 1, (1, 1, 1))], [(6, 1, 2.0), (6, 1, 1.0)]),
    "small on large": ([box(4, 4, 1), box(1, 1, 1, (0, 1, 1))], [(6, 1, 16.0), (6, 1, 1.0)]),
    "pin in its hole": ([PLATE, rod(1.0, 0, 1)], [(7, 1, 16 - PIN), (3, 1, PIN)]),
    "pin with another seam": ([PLATE, rod(1.0, 0, 1, 0.7)], [(7, 1, 16 - PIN), (3, 1, PIN)]),
    "longer pin": ([PLATE, rod(1.0, -2, 3)], [(3, 1, 5 * PIN), (7, 1, 16 - PIN)]),
    "stacked rods": ([rod(1.0, 0, 3), rod(1.0, 3, 4)], [(3, 1, 3 * PIN), (3, 1, PIN)]),
    "ball in a void": ([BLOCK, ball(2.0)], [(7, 2, 1000 - 27 * BALL), (1, 1, 8 * BALL)]),
    "ball that fills a void": ([BLOCK, ball(3.0)], [(7, 2, 1000 - 27 * BALL), (1, 1, 27 * BALL)]),
    "box that fills a void": ([HOLLOW, box(1, 1, 1, (1, 1, 1))], [(12, 2, 63.0), (6, 1, 1.0)]),
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("how", ["a group per body", "loose faces", "solids"])
def test_bodies_of_iges_files(tmp_path, name, how):
    bodies, expected = PARTS[name]
    shape = together(bodies)
    path = write(tmp_path / "part.igs", loose(shape) if how == "loose faces" else shape, kind=int(how == "solids"))
    found_solids = solids(path)
    assert [solid[:2] for solid in found_solids] == [solid[:2] for solid in expected]
    assert [solid[2] for solid in found_solids] == pytest.approx([solid[2] for solid in expected], rel=1e-5)


@pytest.mark.parametrize("unit, mm", [("IN", 25.4), ("M", 1000.0)])
def test_units_do_not_change_what_is_sewn(tmp_path, unit, mm):
    path = write(tmp_path / "part.igs", loose(together([PLATE, rod(1.0, 0, 1)])), unit)
    assert [entry.unit_mm for entry in read_solids(path)] == [mm, mm]
    assert [solid[2] for solid in solids(path)] == pytest.approx([16 - PIN, PIN], rel=1e-5)


def pulled_apart(shape: TopoDS_Shape, gap: float) -> TopoDS_Shape:
    """Its faces, each moved by the gap in a direction of its own."""
    rng, faces = random.Random(3), []
    for face in subshapes(shape, TopAbs_FACE):
        move = gp_Trsf()
        move.SetTranslation(gp_Vec(*(rng.uniform(-1, 1) for _ in range(3))).Normalized() * gap)
        faces.append(BRepBuilderAPI_Transform(face, move, True).Shape())
    return together(faces)


@pytest.mark.parametrize("gap, closes", [(1e-5, True), (1e-3, True), (4e-3, True), (0.1, False)])
def test_gaps_are_sewn_up_to_a_share_of_the_part(tmp_path, gap, closes):
    """A box of 4 mm: the thousandth part of its diagonal is 7e-3 mm, but 1e-2 is sewn only where a file asks for it."""
    path = write(tmp_path / "part.igs", pulled_apart(box(4, 4, 4), gap / 2))
    entries = read_solids(path)
    if closes:
        (solid,) = entries
        assert count_faces(solid.shape) == 6
        assert volume(solid.shape) == pytest.approx(64, rel=1e-2)
    else:
        assert all(isinstance(entry, Reject) and entry.reason in ("open_shell", "sheet_body") for entry in entries)


def test_open_bodies_are_told_and_the_closed_ones_kept(tmp_path):
    lid_off = list(subshapes(box(1, 2, 3, (9, 9, 9)), TopAbs_FACE))[:5]
    path = write(tmp_path / "part.igs", together([*subshapes(box(1, 1, 1), TopAbs_FACE), *lid_off]))
    solid, reject = read_solids(path)
    assert volume(solid.shape) == pytest.approx(1.0)
    assert isinstance(reject, Reject) and reject.reason == "open_shell" and "5 faces" in reject.detail


def test_a_face_that_lost_its_sides_is_told_as_one():
    """As the kernel makes of a damaged loop; the sewing drops it."""
    endless = BRepBuilderAPI_MakeFace(gp_Pln(gp_Pnt(9, 0, 0), gp_Dir(1, 0, 0))).Face()
    solids_found, rest = solids_and_rest(together([*subshapes(box(1, 1, 1), TopAbs_FACE), endless]), 1e-6)
    assert [volume(solid) for solid in solids_found] == pytest.approx([1.0])
    assert [face.ShapeType() for face in rest] == [TopAbs_FACE]


def test_two_sheets_close_together_are_no_plate(tmp_path):
    sides = sorted(subshapes(box(100, 100, 0.1), TopAbs_FACE), key=lambda face: -abs(area(face)))[:2]
    entries = read_solids(write(tmp_path / "part.igs", together(sides)))
    assert [entry.reason for entry in entries if isinstance(entry, Reject)] == ["sheet_body", "sheet_body"]


def area(face: TopoDS_Shape) -> float:
    properties = GProp_GProps()
    BRepGProp.SurfaceProperties_s(face, properties)
    return properties.Mass()
