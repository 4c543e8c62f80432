"""Real files, against counts made from their text alone: instances of entities, and products of instance counts.

A part that is placed n times is n solids. How often it is placed follows from the NEXT_ASSEMBLY_USAGE_OCCURRENCEs of
the text, each of which places one product definition in another: the number of ways from a root down to the part.
"""

import re
from collections import Counter
from pathlib import Path

import pytest
from OCP.BRep import BRep_Builder
from OCP.BRepGProp import BRepGProp
from OCP.gp import gp_Trsf, gp_Vec
from OCP.GProp import GProp_GProps
from OCP.TopAbs import TopAbs_FACE
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Compound

from brep_mae.brep.read.entities import FEW, no_name
from brep_mae.brep.read.solids import count_faces, subshapes
from brep_mae.brep.read.step import ReadSolid, read_solids
from tests.brep.solids import box, write_step
from tests.conftest import SHARED

SAMPLES = SHARED / "step_samples"
NAMES = ("as1-oc-214.stp", "eight_cyl.stp", "io1-ug-214.stp", "linkrods.step", "screw.step")
SEVERAL_ROOTS = "stp_multiple_shp_at_root.stp"

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="../shared/data/step_samples is missing")


class Text:
    """The entities of a STEP file as its text states them: number -> (keyword, arguments)."""

    def __init__(self, path: Path) -> None:
        joined = re.sub(r"\s+", " ", path.read_text("latin1"))
        records = re.findall(r"#(\d+) ?= ?([A-Z_0-9]+) ?\((.*?)\) ?; ?(?=#|ENDSEC)", joined)
        self.entities = {int(number): (keyword, arguments) for number, keyword, arguments in records}

    def all(self, keyword: str) -> dict[int, str]:
        return {n: arguments for n, (found, arguments) in self.entities.items() if found == keyword}

    def refers(self, number: int) -> list[int]:
        return [int(n) for n in re.findall(r"#(\d+)", self.entities.get(number, ("", ""))[1])]

    def faces(self, solid: int) -> int:
        (shell,) = self.refers(solid)
        return sum(self.entities[n][0] == "ADVANCED_FACE" for n in self.refers(shell))

    def placements(self) -> Counter[str]:
        """Product name -> how often the product stands in the whole."""
        definitions = self.all("PRODUCT_DEFINITION")
        uses = [tuple(self.refers(n)[:2]) for n in self.all("NEXT_ASSEMBLY_USAGE_OCCURRENCE")]

        def ways(definition: int) -> int:
            above = [top for top, part in uses if part == definition]
            return sum(ways(top) for top in above) if above else 1

        counts: Counter[str] = Counter()
        for definition in definitions:
            formation = self.refers(definition)[0]
            counts[re.findall(r"'(.*?)'", self.entities[self.refers(formation)[0]][1])[0]] += ways(definition)
        return counts


def solids(path: Path) -> list[ReadSolid]:
    entries = read_solids(path)
    assert all(isinstance(entry, ReadSolid) for entry in entries)
    return entries


def centre(solid: ReadSolid) -> tuple[float, ...]:
    properties = GProp_GProps()
    BRepGProp.VolumeProperties_s(solid.shape, properties)
    point = properties.CentreOfMass()
    return round(point.X(), 3), round(point.Y(), 3), round(point.Z(), 3)


def colors(solid: ReadSolid) -> Counter:
    return Counter(solid.face_color(TopoDS.Face_s(face)) for face in subshapes(solid.shape, TopAbs_FACE))


@needs_samples
@pytest.mark.parametrize("name", [*NAMES, SEVERAL_ROOTS])
def test_every_product_is_there_as_often_as_the_text_places_it(name):
    text = Text(SAMPLES / name)
    read = solids(SAMPLES / name)
    leaves = {solid.product for solid in read}
    stated = text.placements()
    assert Counter(solid.product for solid in read) == {part: stated[part] for part in leaves}
    made_from = Counter(text.faces(n) for n in text.all("MANIFOLD_SOLID_BREP"))
    assert sum(made_from.values()) == len({(solid.product, solid.name) for solid in read} if name[0] != "e" else read)
    assert {count_faces(solid.shape) for solid in read} == set(made_from)
    if not text.all("NEXT_ASSEMBLY_USAGE_OCCURRENCE"):
        assert Counter(count_faces(solid.shape) for solid in read) == made_from
        assert {solid.assembly for solid in read} == {""}
    assert [solid.index for solid in read] == list(range(len(read)))


@needs_samples
def test_as1_has_its_eighteen_parts_each_in_a_place_of_its_own():
    # as1 = plate + 2 l-bracket assemblies of (bracket + 3 of bolt and nut) + rod assembly of (rod + 2 nuts)
    read = solids(SAMPLES / "as1-oc-214.stp")
    counts = Counter(solid.product for solid in read)
    assert counts == {"nut": 8, "bolt": 6, "l-bracket": 2, "rod": 1, "plate": 1}
    assert sum(count_faces(solid.shape) for solid in read) == 8 * 8 + 6 * 7 + 2 * 16 + 4 + 18
    assert len({centre(solid) for solid in read}) == 18
    assert "as1/l-bracket-assembly_2/nut-bolt-assembly_3/nut_3" in [solid.assembly for solid in read]
    assert len({solid.assembly for solid in read}) == 18
    volumes = {solid.product: set() for solid in read}
    for solid in read:
        properties = GProp_GProps()
        BRepGProp.VolumeProperties_s(solid.shape, properties)
        volumes[solid.product].add(round(properties.Mass(), 3))
    assert all(len(sizes) == 1 for sizes in volumes.values())  # placements change no size


@needs_samples
def test_eight_cylinders_stand_apart():
    read = solids(SAMPLES / "eight_cyl.stp")
    assert len({centre(solid) for solid in read}) == 8
    assert {solid.assembly for solid in read} == {"8Cylinders v2/SOLID"}


@needs_samples
def test_colours_of_solids_and_of_single_faces():
    as1 = {solid.product: colors(solid) for solid in solids(SAMPLES / "as1-oc-214.stp")}
    # COLOUR_RGB(1, .5, 0), COLOUR_RGB(.8, 1, 0) and three DRAUGHTING_PRE_DEFINED_COLOURs, one per part
    assert as1["rod"] == {(255, 128, 0): 4}
    assert as1["plate"] == {(204, 255, 0): 18}
    assert as1["nut"] == {(255, 0, 0): 8}
    assert as1["bolt"] == {(0, 0, 255): 7}
    (io1,) = solids(SAMPLES / "io1-ug-214.stp")
    assert colors(io1)[(255, 0, 0)] == 1  # an OVER_RIDING_STYLED_ITEM on one face
    (screw,) = solids(SAMPLES / "screw.step")
    assert colors(screw) == {None: 10}


@needs_samples
def test_names_and_unit_of_a_file_with_several_roots():
    read = solids(SAMPLES / SEVERAL_ROOTS)
    assert [(solid.name, solid.product, solid.unit_mm) for solid in read] == [
        (f"Part {n}", f"Part {n}", 1000.0) for n in (3, 2, 1)
    ]
    # COLOUR_RGBs of the text, times 255, on every face
    assert [colors(solid) for solid in read] == [{(27, 95, 170): 5}, {(144, 207, 241): 10}, {(221, 82, 40): 28}]


def assembly_of(path: Path, count: int, step: float = 10.0) -> Path:
    builder, whole, part = BRep_Builder(), TopoDS_Compound(), box(1, 2, 3)
    builder.MakeCompound(whole)
    for i in range(count):
        move = gp_Trsf()
        move.SetTranslation(gp_Vec(step * i, 0, 0))
        builder.Add(whole, part.Located(TopLoc_Location(move)) if i else part)
    return write_step(path, whole, assembly=True)


def test_a_part_that_is_placed_where_it_was_made_has_its_place_in_the_assembly(tmp_path):
    path = assembly_of(tmp_path / "three.step", 3)
    names = iter(("first", "second/2", "third"))
    head, *uses = re.split(r"(?<=NEXT_ASSEMBLY_USAGE_OCCURRENCE\()'\d+','.*?'", path.read_text())
    path.write_text(head + "".join(f"'1','{next(names)}'{use}" for use in uses))
    read = solids(path)
    assert [solid.assembly.split("/")[1] for solid in read] == ["first", "second_2", "third"]
    assert [centre(solid)[0] for solid in read] == [0.5, 10.5, 20.5]


def test_names_are_the_same_whether_asked_one_by_one_or_from_the_table(tmp_path):
    path = assembly_of(tmp_path / "many.step", 2)
    text, number = path.read_text(), iter(range(6))
    head, *faces = text.split("ADVANCED_FACE(''")
    path.write_text(head + "".join(f"ADVANCED_FACE('{next(number)}'{face}" for face in faces))
    (first, second) = solids(path)
    faces = [TopoDS.Face_s(face) for solid in (first, second) for face in subshapes(solid.shape, TopAbs_FACE)]
    assert first.face_name is not no_name
    asked = [[solid.face_name(face) for face in faces] for solid in (first, second) for _ in range(FEW // 12 + 2)]
    assert all(names == asked[0] for names in asked)
    assert sorted(asked[0]) == sorted(2 * "012345")


def test_many_placements_are_all_found(tmp_path):
    read = solids(assembly_of(tmp_path / "hundred.step", 100))
    assert [centre(solid)[0] for solid in read] == [10 * i + 0.5 for i in range(100)]
    assert all(solid.assembly.count("/") == 1 for solid in read)
