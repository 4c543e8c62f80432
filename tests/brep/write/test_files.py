"""What a person finds in another program when they open a file that we coloured."""

import io
from pathlib import Path

import numpy as np
import pytest
import trimesh
from OCP.BRepGProp import BRepGProp
from OCP.gp import gp_Trsf, gp_Vec
from OCP.GProp import GProp_GProps
from OCP.TopAbs import TopAbs_FACE
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Shape

from brep_mae.answers import Answer, SolidAnswers
from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.read.solids import ReadSolid, subshapes, together
from brep_mae.brep.read.step import read_solids
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.split import faces_of
from brep_mae.brep.write.drawing import Drawing
from brep_mae.brep.write.glb import glb_file
from brep_mae.brep.write.pool import Made, WriteOptions, make, make_files
from brep_mae.palette import class_colors
from brep_mae.schema import SURFACE_TYPES
from tests.brep.solids import box, plate, write_step

CLASSES = ("hole", "side", 'a "wall" of Łódź', "<script>")


def answers_of(path: Path, names: tuple[str, ...] = CLASSES) -> list[SolidAnswers]:
    """A class for each face, so that no two neighbours by number have the same."""
    said = []
    for solid, graph in enumerate(file_graphs(path, "0", path.name, Sampling(4, 0, 0, False, False))):
        assert not isinstance(graph, Reject)
        faces = tuple(Answer((names[(solid + i) % len(names)],), 0.9) for i in range(graph.n_faces))
        surfaces = tuple(SURFACE_TYPES[kind] for kind in graph.face_type)
        said.append(SolidAnswers(path, path.name, solid, surfaces, faces))
    return said


def moved(shape: TopoDS_Shape, x: float) -> TopoDS_Shape:
    way = gp_Trsf()
    way.SetTranslation(gp_Vec(x, 0, 0))
    return shape.Moved(TopLoc_Location(way))


def made(path: Path, said: list[SolidAnswers]) -> Made:
    return make(path, WriteOptions({path: said}, class_colors(CLASSES), True, True, 60, 2000))


def read_back(text: bytes | None, folder: Path) -> list[ReadSolid]:
    assert text is not None
    (folder / "back.step").write_bytes(text)
    solids = read_solids(folder / "back.step")
    assert all(isinstance(solid, ReadSolid) for solid in solids)
    return [solid for solid in solids if isinstance(solid, ReadSolid)]


def volume_and_area(shape: TopoDS_Shape) -> tuple[float, float]:
    volume, area = GProp_GProps(), GProp_GProps()
    BRepGProp.VolumeProperties_s(shape, volume)
    BRepGProp.SurfaceProperties_s(shape, area)
    return volume.Mass(), area.Mass()


def check_step(path: Path, folder: Path) -> None:
    said, before = answers_of(path), [solid for solid in read_solids(path) if isinstance(solid, ReadSolid)]
    after = read_back(made(path, said).step, folder)
    assert len(after) == len(said) == len(before)
    for answers, old, new in zip(said, before, after, strict=True):
        assert volume_and_area(new.shape) == pytest.approx(volume_and_area(old.shape), rel=1e-9)
        faces = faces_of(new.shape)
        assert faces.Extent() == len(answers.faces)
        for number, answer in enumerate(answers.faces):
            face = TopoDS.Face_s(faces.FindKey(number + 1))
            assert new.face_name(face) == answer.name
            assert new.face_color(face) == class_colors(CLASSES)[answer.name]


def test_every_face_has_its_class_as_name_and_colour(tmp_path: Path) -> None:
    check_step(write_step(tmp_path / "plate.step", plate(0.2)), tmp_path)


def test_all_solids_are_kept_where_they_lie(tmp_path: Path) -> None:
    check_step(write_step(tmp_path / "two.step", together([plate(0.2), moved(plate(0.1), 3)])), tmp_path)


@pytest.mark.parametrize("name", ["as1-oc-214.stp", "linkrods.step", "stp_multiple_shp_at_root.stp"])
def test_files_of_other_programs(shared_data: Path, tmp_path: Path, name: str) -> None:
    """An assembly that places a part several times, free-form surfaces, and several roots."""
    check_step(shared_data / "step_samples" / name, tmp_path)


def test_faces_are_those_that_a_label_file_names(tmp_path: Path) -> None:
    """The face that the record holds as number 4 gets the answer that was given for number 4."""
    path = write_step(tmp_path / "plate.step", plate(0.2))
    names = tuple(f"face {number}" for number in range(7))
    (answers,) = answers_of(path, names)
    (graph,) = file_graphs(path, "0", path.name, Sampling(4, 0, 0, False, False))
    written = make(path, WriteOptions({path: [answers]}, class_colors(names), True, True, 60, 2000))
    (solid,), (drawing,) = read_back(written.step, tmp_path), written.drawings
    assert isinstance(drawing, Drawing) and not isinstance(graph, Reject)
    faces = map(TopoDS.Face_s, subshapes(solid.shape, TopAbs_FACE))
    areas = {solid.face_name(face): volume_and_area(face)[1] for face in faces}
    assert [areas[name] for name in names] == pytest.approx(graph.face_area_mm2.tolist(), rel=1e-3)
    corners = drawing.point[drawing.triangle]
    doubled = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    drawn = np.bincount(drawing.face, doubled / 2)
    assert drawn.tolist() == pytest.approx(graph.face_area_mm2.tolist(), rel=2e-2)
    assert drawing.surfaces == answers.surfaces


def test_a_solid_with_a_class_bears_its_name_and_colour(tmp_path: Path) -> None:
    path = write_step(tmp_path / "two.step", together([plate(0.2), moved(box(1, 1, 1), 3)]))
    said = [SolidAnswers(path, path.name, i, (), whole=Answer((CLASSES[i],), 1)) for i in range(2)]
    solids = read_back(made(path, said).step, tmp_path)
    assert [solid.name for solid in solids] == [CLASSES[0], CLASSES[1]]
    for solid, name in zip(solids, CLASSES, strict=False):
        face = TopoDS.Face_s(faces_of(solid.shape).FindKey(1))
        assert solid.face_color(face) == class_colors(CLASSES)[name]


def test_glb_has_one_material_a_class_and_the_size_of_the_part_in_metres(tmp_path: Path) -> None:
    path = write_step(tmp_path / "two.step", together([plate(0.2), moved(plate(0.1), 3)]))
    said = answers_of(path)
    drawings = [drawing for drawing in made(path, said).drawings if isinstance(drawing, Drawing)]
    data = glb_file(list(zip(drawings, said, strict=True)), class_colors(CLASSES))
    scene = trimesh.load(io.BytesIO(data), file_type="glb")
    found = {mesh.visual.material.name: tuple(mesh.visual.material.baseColorFactor) for mesh in scene.geometry.values()}
    assert found == {name: (*class_colors(CLASSES)[name], 255) for name in CLASSES}
    assert data.count(b'"name":"hole"') == 1
    assert scene.extents == pytest.approx([4e-3, 0.25e-3, 1e-3], rel=1e-4)  # y is up
    whole = trimesh.util.concatenate(scene.dump())
    whole.merge_vertices(merge_norm=True, merge_tex=True, digits_vertex=9)
    assert whole.is_watertight
    assert whole.volume > 0  # its triangles look outward


def test_outline_has_the_edges_of_the_part_and_no_seam(tmp_path: Path) -> None:
    path = write_step(tmp_path / "plate.step", plate(0.2))
    (drawing,) = made(path, []).drawings
    assert isinstance(drawing, Drawing)
    ends = drawing.outline.astype(float)
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum()
    assert length == pytest.approx(8 * 1 + 4 * 0.25 + 2 * 2 * np.pi * 0.2, rel=1e-2)
    assert (drawing.outline_faces[:, 0] != drawing.outline_faces[:, 1]).all()


def test_a_bad_file_costs_itself_alone_and_other_faces_are_refused(tmp_path: Path) -> None:
    good, bad, other = (tmp_path / name for name in ("good.step", "bad.step", "other.step"))
    write_step(good, plate(0.2))
    write_step(other, box(1, 1, 1))
    bad.write_text("no STEP at all")
    said = {path: answers_of(good) for path in (good, bad, other)}
    options = WriteOptions(said, class_colors(CLASSES), True, False, 60, 2000)
    found = [entry for _, entry in make_files([good, bad, other], options, 1)]
    assert isinstance(found[0], Made) and found[0].step
    assert isinstance(found[1], Reject) and found[1].reason == "unreadable"
    assert isinstance(found[2], Reject) and "6 faces, the answers are about 7" in found[2].detail
