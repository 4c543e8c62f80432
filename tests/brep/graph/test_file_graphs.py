"""Reading files without some of the kernel's repairs: the same records, and never for a flawed solid."""

import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from OCP.BRep import BRep_Builder
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert, BRepBuilderAPI_Transform
from OCP.BRepPrimAPI import BRepPrimAPI_MakeSphere
from OCP.gp import gp_Ax1, gp_Dir, gp_Pnt, gp_Trsf, gp_Vec
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Compound

from brep_mae.brep.faces import topology
from brep_mae.brep.graph import file_graphs as module
from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.graph.graph import face_graph
from brep_mae.brep.read.step import Reading, read_solids
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid import placing
from brep_mae.brep.solid.placing import MeasuredSolids
from brep_mae.schema import FaceGraph
from tests.brep.solids import CUT, SHAPES, box, first_solid, graph_of, notched_block, placed, write_step

SAMPLING = Sampling(6, 64, 16, False, False)
HOLLOW = BRepAlgoAPI_Cut(SHAPES["cylinder"], BRepPrimAPI_MakeSphere(gp_Pnt(2, 4, 5), 0.5).Shape()).Shape()
WINDOW = BRepAlgoAPI_Cut(box(4, 4, 1), box(2, 1, 3, (1, 1, -1))).Shape()


@pytest.fixture
def reads(monkeypatch) -> list[Reading]:
    """How a file was read, in turn."""
    found: list[Reading] = []

    def read(path: Path, reading: Reading = Reading.REPAIRED):
        found.append(reading)
        return read_solids(path, reading)

    monkeypatch.setattr(module, "read_solids", read)
    return found


def same(a: FaceGraph, b: FaceGraph) -> bool:
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(FaceGraph)]
    return all(np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y for x, y in pairs)


def repaired(file: Path) -> list[FaceGraph]:
    parts = MeasuredSolids(SAMPLING)
    return [face_graph(solid, f"k#{solid.index}", "n", parts) for solid in read_solids(file)]


@pytest.mark.parametrize("shape", [box(1, 2, 3), notched_block(), WINDOW, placed("moved", WINDOW)])
def test_a_sound_solid_of_planes_is_read_once_and_the_same_to_the_bit(tmp_path, reads, shape):
    file = write_step(tmp_path / "a.step", shape)
    found = file_graphs(file, "k", "n", SAMPLING)
    assert reads == [Reading.TRUSTING]
    assert not read_solids(file, Reading.TRUSTING)[0].by_default
    assert len(found) == 1 and all(same(a, b) for a, b in zip(found, repaired(file), strict=True))


@pytest.mark.parametrize("free_form", [False, True])
@pytest.mark.parametrize("name", ["cylinder", "cone with apex", "sphere", "plate", "slotted cylinder", "drilled torus"])
def test_a_sound_curved_solid_is_read_once_and_the_same_to_the_bit(tmp_path, reads, name, free_form):
    shape = (SHAPES | CUT)[name]
    file = write_step(tmp_path / "a.step", BRepBuilderAPI_NurbsConvert(shape).Shape() if free_form else shape)
    found = file_graphs(file, "k", "n", SAMPLING)
    assert reads == [Reading.TRUSTING]
    assert all(same(a, b) for a, b in zip(found, repaired(file), strict=True))


def test_a_solid_of_several_shells_is_never_trusted(tmp_path):
    for shape in (BRepAlgoAPI_Cut(box(4, 4, 4), box(1, 1, 1, (1, 1, 1))).Shape(), HOLLOW):
        assert read_solids(write_step(tmp_path / "a.step", shape), Reading.TRUSTING)[0].by_default


def out_of_order(text: str) -> str:
    return re.sub(r"(EDGE_LOOP\('',\(#\d+,)(#\d+),(#\d+)", r"\1\3,\2", text, count=1)


def inside_out(text: str) -> str:
    return re.sub(
        r"(ADVANCED_FACE\('',\([^)]*\),#\d+,)\.([TF])\.", lambda m: m[1] + (".F." if m[2] == "T" else ".T."), text
    )


def one_edge_backwards(text: str) -> str:
    return re.sub(
        r"(ORIENTED_EDGE\('',\*,\*,#\d+,)\.([TF])\.", lambda m: m[1] + (".F." if m[2] == "T" else ".T."), text, count=1
    )


def turned_inward(text: str) -> str:
    """Faces turned round with their loops: all is as it should be but the side the material is on."""
    bound = r"(FACE(?:_OUTER)?_BOUND\('',#\d+,)\.([TF])\."
    return re.sub(bound, lambda m: m[1] + (".F." if m[2] == "T" else ".T."), inside_out(text))


@pytest.mark.parametrize(
    ("flaw", "name", "times"),
    [
        (out_of_order, "notched block", 2),
        (inside_out, "notched block", 2),
        (one_edge_backwards, "notched block", 2),
        (turned_inward, "notched block", 2),
        (turned_inward, "slotted cylinder", 2),
        (inside_out, "plate", 2),
        (one_edge_backwards, "plate", 2),
        (inside_out, "slotted cylinder", 2),
        (out_of_order, "slotted cylinder", 1),  # with curved faces edges are put in order and turned in any case
        (one_edge_backwards, "slotted cylinder", 1),
    ],
)
def test_a_flawed_solid_is_read_again_with_repairs(tmp_path, reads, flaw, name, times):
    file = write_step(tmp_path / "a.step", (SHAPES | CUT)[name])
    text = file.read_text()
    flat = re.sub(r"\n\s*", "", text)  # the writer breaks lines within an entity
    assert flaw(flat) != flat
    file.write_text(flaw(flat))
    found = file_graphs(file, "k", "n", SAMPLING)
    assert reads == [Reading.TRUSTING, Reading.REPAIRED][:times]
    assert all(same(a, b) for a, b in zip(found, repaired(file), strict=True))


def assembly(file: Path) -> Path:
    shapes = [*SHAPES.values(), placed("moved", CUT["drilled torus"]), placed("mirrored", CUT["plate"])]
    return write_step(file, *shapes, placed("moved", SHAPES["cone"]))


def alike(together: list[FaceGraph | Reject], file: Path, sampling: Sampling) -> None:
    """They are as if the file's solids had been measured and placed one by one."""
    parts = MeasuredSolids(sampling)
    apart = [face_graph(solid, f"k#{solid.index}", "n", parts) for solid in read_solids(file)]
    for a, b in zip(together, apart, strict=True):
        for f in fields(FaceGraph):
            x, y = getattr(a, f.name), getattr(b, f.name)
            if isinstance(x, np.ndarray):
                assert x == pytest.approx(y, abs=1e-6, rel=1e-6), f.name
            else:
                assert x == y, f.name


@pytest.mark.parametrize("split", [False, True])
def test_parts_measured_together_are_as_each_by_itself(tmp_path, split):
    file = assembly(tmp_path / "a.step")
    sampling = replace(SAMPLING, split_closed=split, curvature=True)
    together = file_graphs(file, "k", "n", sampling)
    assert len(together) == len(SHAPES) + 3
    alike(together, file, sampling)


def test_copies_placed_together_are_as_each_by_itself(tmp_path, monkeypatch):
    builder, whole = BRep_Builder(), TopoDS_Compound()
    builder.MakeCompound(whole)
    worked_in: list[FaceGraph] = []
    rounded = BRepBuilderAPI_NurbsConvert(CUT["slotted cylinder"]).Shape()
    for part in (CUT["part of a torus"], CUT["sphere without a pole"], CUT["cone across its seam"], rounded):
        for i in range(5):
            turn, move = gp_Trsf(), gp_Trsf()
            turn.SetRotation(gp_Ax1(gp_Pnt(1, 2, 3), gp_Dir(1, i, 2)), 0.7 * i)
            move.SetTranslation(gp_Vec(20 * i, 0, 7))
            there = move.Multiplied(turn)
            builder.Add(whole, first_solid(part).Located(TopLoc_Location(there)))
            worked_in.append(graph_of(BRepBuilderAPI_Transform(first_solid(part), there, True).Shape(), 6))
    file = write_step(tmp_path / "a.step", whole, assembly=True)
    monkeypatch.setattr(placing, "PLACED_TOGETHER", 12)  # three or four copies
    sizes: list[int] = []
    place = placing.place
    monkeypatch.setattr(placing, "place", lambda part, ways: sizes.append(len(ways)) or place(part, ways))
    together = file_graphs(file, "k", "n", SAMPLING)
    assert sum(sizes) == len(together) == 20 and max(sizes) > 2
    alike(together, file, SAMPLING)
    for copy, graph in zip(together, worked_in, strict=True):
        for name in ("face_box_mm", "center_mm", "scale_mm", "face_centroid_mm"):
            assert getattr(copy, name) == pytest.approx(getattr(graph, name), abs=1e-5), name


def test_a_part_that_cannot_be_measured_costs_itself_alone(tmp_path, monkeypatch):
    file = assembly(tmp_path / "a.step")
    monkeypatch.setattr(topology, "MAX_FACES", 8)  # the notched block has 9
    found = file_graphs(file, "k", "n", SAMPLING)
    rejects = [entry for entry in found if isinstance(entry, Reject)]
    assert [entry.reason for entry in rejects] == ["too_many_faces"]
    assert found.index(rejects[0]) == list(SHAPES).index("notched block")
    assert len(found) == len(SHAPES) + 3
