from pathlib import Path

import pytest
from OCP.Bnd import Bnd_Box
from OCP.BRep import BRep_Builder
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge
from OCP.BRepPrimAPI import BRepPrimAPI_MakeSphere, BRepPrimAPI_MakeTorus
from OCP.gp import gp_Pnt, gp_Trsf, gp_Vec
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Compound

from brep_mae.brep.graph import face_graph
from brep_mae.brep.reject import Reject
from brep_mae.brep.step import read_solids
from tests.brep.solids import box, write_step

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "step_samples"

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="../shared/data/step_samples is missing")


def longest_side(shape) -> float:
    bounds = Bnd_Box()
    BRepBndLib.AddOptimal_s(shape, bounds, False, False)
    x0, y0, z0, x1, y1, z1 = bounds.Get()
    return max(x1 - x0, y1 - y0, z1 - z0)


@needs_samples
@pytest.mark.parametrize(
    "name, solids",
    [
        ("as1-oc-214.stp", 18),  # assembly: placed parts
        ("eight_cyl.stp", 8),
        ("io1-ug-214.stp", 1),
        ("screw.step", 1),
        ("stp_multiple_shp_at_root.stp", 3),  # several roots, unit metre
    ],
)
def test_every_solid_of_real_files_is_read(name, solids):
    found = read_solids(SAMPLES / name)
    assert [solid.index for solid in found] == list(range(solids))
    assert found[0].unit_mm == (1000.0 if "multiple" in name else 1.0)


@needs_samples
def test_parts_of_an_assembly_stand_where_their_placement_puts_them():
    centers = [
        tuple(face_graph(s, "0#0", "a", 4, 16, 4).center_mm.round(3)) for s in read_solids(SAMPLES / "eight_cyl.stp")
    ]
    assert len(set(centers)) == 8


def test_lengths_are_millimetres_whatever_the_unit_of_the_file(tmp_path):
    (inch,) = read_solids(write_step(tmp_path / "inch.step", box(25.4, 50.8, 10), unit="INCH"))
    (mm,) = read_solids(write_step(tmp_path / "mm.step", box(25.4, 50.8, 10)))
    assert (inch.unit_mm, mm.unit_mm) == (25.4, 1.0)
    assert "INCH" in (tmp_path / "inch.step").read_text()
    assert longest_side(inch.shape) == pytest.approx(50.8, abs=1e-5)


def test_several_roots_and_a_moved_solid(tmp_path):
    move = gp_Trsf()
    move.SetTranslation(gp_Vec(100, 0, 0))
    path = write_step(tmp_path / "TWO.STP", box(1, 1, 1), box(1, 1, 1).Moved(TopLoc_Location(move)))
    centers = [face_graph(s, "0#0", "a", 4, 16, 4).center_mm[0] for s in read_solids(path)]
    assert centers == pytest.approx([0.5, 100.5])


@pytest.mark.parametrize("shape", [BRepPrimAPI_MakeSphere(2.0).Shape(), BRepPrimAPI_MakeTorus(3.0, 1.0).Shape()])
def test_solids_of_one_face_are_kept(tmp_path, shape):
    (solid,) = read_solids(write_step(tmp_path / "one.step", shape))
    assert face_graph(solid, "0#0", "a", 4, 16, 4).n_faces == 1


@pytest.mark.parametrize("in_assembly", [False, True])
def test_names_of_faces_come_from_the_file_also_for_placed_parts(tmp_path, in_assembly):
    shape = box(1, 2, 3)
    if in_assembly:
        move, builder, shape = gp_Trsf(), BRep_Builder(), TopoDS_Compound()
        move.SetTranslation(gp_Vec(100, 0, 0))
        builder.MakeCompound(shape)
        builder.Add(shape, box(1, 2, 3).Moved(TopLoc_Location(move)))
    path = write_step(tmp_path / "named.step", shape, assembly=in_assembly)
    text, number = path.read_text(), iter(range(6))
    assert ("NEXT_ASSEMBLY_USAGE_OCCURRENCE" in text) == in_assembly
    parts = text.split("ADVANCED_FACE(''")
    path.write_text(parts[0] + "".join(f"ADVANCED_FACE('{next(number)}'{part}" for part in parts[1:]))
    (solid,) = read_solids(path)
    assert sorted(face_graph(solid, "0#0", "a", 4, 16, 4).face_name) == list("012345")


def test_what_cannot_be_read_says_why(tmp_path):
    (tmp_path / "text.step").write_text("this is no STEP file")
    (tmp_path / "cut.step").write_bytes(write_step(tmp_path / "whole.step", box(1, 1, 1)).read_bytes()[:1500])
    write_step(tmp_path / "wire.step", BRepBuilderAPI_MakeEdge(gp_Pnt(0, 0, 0), gp_Pnt(1, 0, 0)).Edge())
    reasons = {}
    for name in ("absent.step", "text.step", "cut.step", "wire.step"):
        with pytest.raises(Reject) as caught:
            read_solids(tmp_path / name)
        reasons[name] = caught.value.reason
        assert name in caught.value.detail
    assert reasons["absent.step"] == "missing"
    assert reasons["text.step"] == "unreadable"
    assert reasons["cut.step"] in ("unreadable", "no_solid")
    assert reasons["wire.step"] == "no_solid"
