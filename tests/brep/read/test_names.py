"""Names of faces and solids, letter by letter."""

import gzip

import pytest
from OCP.BRep import BRep_Builder
from OCP.gp import gp_Trsf, gp_Vec
from OCP.TopAbs import TopAbs_FACE
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Compound

from brep_mae.brep.read.colors import no_color
from brep_mae.brep.read.entities import no_name
from brep_mae.brep.read.solids import subshapes
from brep_mae.brep.read.step import read_solids
from tests.brep.solids import box, write_step


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
    names = [solid.face_name(TopoDS.Face_s(face)) for face in subshapes(solid.shape, TopAbs_FACE)]
    assert sorted(names) == list("012345")


def test_names_that_are_not_ascii(tmp_path):
    path = write_step(tmp_path / "name.step", box(1, 2, 3))
    text = path.read_bytes()
    path.write_bytes(text.replace(b"MANIFOLD_SOLID_BREP(''", b"MANIFOLD_SOLID_BREP('a\\X2\\00E9\\X0\\b'"))
    (solid,) = read_solids(path)
    assert solid.name == "a\u00e9b"


@pytest.mark.parametrize(
    "name, found",
    [
        (b"Geh\xe4use 5\xb0", "Geh\xe4use 5\xb0"),  # ISO 8859-1
        (b"5 \x80 \x96 M\xfcnchen", "5 \u20ac \u2013 M\xfcnchen"),  # Windows-1252
        (b"a\x81b", "a\ufffdb"),  # neither
        ("Geh\xe4use \u90e8\u54c1".encode(), "Geh\xe4use \u90e8\u54c1"),
        ("\u90e8".encode() + b" Geh\xe4use", "\u90e8 Geh\xe4use"),
        (b"Geh\\X\\E4use \\S\\d", "Geh\xe4use \xe4"),
    ],
)
def test_no_letter_of_a_name_is_swallowed(tmp_path, name, found):
    path = write_step(tmp_path / "name.step", box(1, 2, 3))
    text = path.read_bytes().replace(b"MANIFOLD_SOLID_BREP(''", b"MANIFOLD_SOLID_BREP('" + name + b"'")
    for place, content in ((path, text), (tmp_path / "name.stpz", gzip.compress(text))):
        place.write_bytes(content)
        (solid,) = read_solids(place)
        assert solid.name == found


def test_a_file_that_names_no_face_says_so(tmp_path):
    path = write_step(tmp_path / "plain.step", box(1, 2, 3))
    (solid,) = read_solids(path)
    assert solid.face_name is no_name and solid.face_color is no_color
    path.write_text(path.read_text().replace("ADVANCED_FACE(''", "ADVANCED_FACE('top'", 1))
    (solid,) = read_solids(path)
    assert sorted(solid.face_name(TopoDS.Face_s(face)) for face in subshapes(solid.shape, TopAbs_FACE)) == [
        *[""] * 5,
        "top",
    ]
