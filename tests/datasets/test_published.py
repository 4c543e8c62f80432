"""The layouts of published data sets: a .seg file beside a STEP file, and faces named after their class."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps
from OCP.STEPControl import STEPControl_Reader
from OCP.TopAbs import TopAbs_FACE
from OCP.TopExp import TopExp_Explorer

from brep_mae.datasets.adapters import mfcadpp
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.source import LabelError, SourceError, open_source
from brep_mae.datasets.splits import make_split, read_split
from brep_mae.ingest.dataset import parse_dataset
from tests.brep.solids import box, write_step
from tests.ingest.test_dataset import PARSE, SPLIT
from tests.records import record

OPERATIONS = ["ExtrudeSide", "CutSide", "Fillet", "Chamfer", "RevolveEnd", "RevolveSide"]


def areas(path: Path) -> list[float]:
    """Of the faces, as the kernel meets them when it reads the file."""
    reader, found = STEPControl_Reader(), []
    reader.ReadFile(str(path))
    reader.TransferRoots()
    faces = TopExp_Explorer(reader.OneShape(), TopAbs_FACE)
    while faces.More():
        measured = GProp_GProps()
        BRepGProp.SurfaceProperties_s(faces.Current(), measured)
        found.append(measured.Mass())
        faces.Next()
    return found


@pytest.fixture
def gallery(tmp_path) -> Path:
    """Boxes of which a face's class says how many faces are smaller."""
    root = tmp_path / "gallery"
    for name in ("step", "seg"):
        (root / "breps" / name).mkdir(parents=True)
    (root / "meshes").mkdir()
    for i in range(5):
        found = areas(write_step(root / "breps" / "step" / f"{i}_a.stp", box(1, 2, 3 + i)))
        ranks = [sum(other < area - 1e-6 for other in found) for area in found]
        (root / "breps" / "seg" / f"{i}_a.seg").write_text("\n".join(map(str, ranks)) + "\n")
        (root / "meshes" / f"{i}_a.seg").write_text("0\n")
    (root / "segment_names.json").write_text(json.dumps(OPERATIONS))
    (root / "train_test.json").write_text(json.dumps({"train": ["0_a", "1_a", "2_a"], "test": ["3_a", "4_a", "9_a"]}))
    return root


def test_a_line_of_a_seg_file_is_the_class_of_the_face_that_the_kernel_reads_in_that_place(gallery, tmp_path):
    source = open_source("fusion360", str(gallery), 0, tmp_path)
    report = parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1, labelled=True)
    assert (report.labels.used, report.labels.faces, report.labels.unused) == (5, 30, [])
    for graph in open_shards(tmp_path / "out"):
        area = graph.face_area_mm2
        assert graph.face_label.tolist() == (area[:, None] > area + 1e-3).sum(1).tolist()
    assert source.face_classes == tuple(OPERATIONS) and "non-commercial" in source.licence


def test_the_published_split_is_kept_and_a_file_that_it_does_not_name_trains(gallery, tmp_path):
    (gallery / "train_test.json").write_text(json.dumps({"train": ["0_a", "1_a"], "test": ["3_a", "4_a", "9_a"]}))
    source = open_source("fusion360", str(gallery), 0, tmp_path)
    parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1)
    split, shards = read_split(tmp_path / "out" / "split.parquet"), open_shards(tmp_path / "out")
    named = dict(zip(shards.uids, (Path(file).stem for file in shards.files), strict=True))
    assert {named[uid] for uid in split["test"]} == {"3_a", "4_a"}
    assert {named[uid] for uid in [*split["train"], *split["validation"]]} == {"0_a", "1_a", "2_a"}


def test_where_no_file_is_published_for_validation_a_share_of_what_trains_is_set_aside():
    files = {f"{i}#0": f"{i}.stp" for i in range(400)}
    published = {file: "train" if i < 300 else "test" for i, file in enumerate(files.values())}
    split = make_split(files, 0.2, 0.2, "", published)
    assert split["test"] == sorted(f"{i}#0" for i in range(300, 400))
    assert 40 < len(split["validation"]) < 80 and len(split["train"]) == 300 - len(split["validation"])
    published["0.stp"] = "validation"
    assert make_split(files, 0.2, 0.2, "", published)["validation"] == ["0#0"]


@pytest.mark.parametrize(
    "seg, reason",
    [
        ("0\n1\n", r"solid 0 has 3 faces, but 0_a.seg 2 lines; .*get both anew"),
        ("0\n6\n1\n", r"0_a.seg, line 2: '6' is no class from 0 to 5; mend it"),
        ("0\n-1\n1\n", r"line 2: '-1' is no class"),
        ("0\n\u00b2\n1\n", "can't be read as text .*; get it anew"),
        (None, r"there is no 0_a.seg, which names the classes of its faces; get it"),
    ],
)
def test_a_seg_file_that_does_not_fit_is_refused_with_the_reason(gallery, tmp_path, seg, reason):
    file = gallery / "breps" / "seg" / "0_a.seg"
    file.unlink() if seg is None else file.write_text(seg)
    source = open_source("fusion360", str(gallery), 0, tmp_path)
    with pytest.raises(LabelError, match=reason):
        source.label(record(file="breps/step/0_a.stp"))


def test_the_parts_of_a_split_face_share_its_line(gallery, tmp_path):
    (gallery / "breps" / "seg" / "0_a.seg").write_text("4\n2\n")
    graph = record(file="breps/step/0_a.stp")
    graph.face_parent[:] = [0, 1, 1]
    source = open_source("fusion360", str(gallery), 0, tmp_path)
    assert source.label(graph).face_label.tolist() == [4, 2, 2]


def test_seg_files_without_a_solid_are_told_and_those_beyond_the_limit_are_not(gallery, tmp_path):
    (gallery / "breps" / "seg" / "7_a.seg").write_text("0\n")
    rows = open_source("fusion360", str(gallery), 0, tmp_path).rows
    assert [row.given_in for row in rows if row.problem == "no CAD file is called 7_a"] == ["breps/seg/7_a.seg"]
    assert len(rows) == 6 and len(open_source("fusion360", str(gallery), 2, tmp_path).rows) == 3


@pytest.mark.parametrize("text", [None, "{}", "no JSON"])
def test_without_names_of_the_classes_there_is_no_data_set(gallery, tmp_path, text):
    names = gallery / "segment_names.json"
    names.unlink() if text is None else names.write_text(text)
    with pytest.raises(SourceError, match=r"segment_names.json.*(put the published one|get it anew)"):
        open_source("fusion360", str(gallery), 0, tmp_path)


@pytest.fixture
def blocks(tmp_path) -> Path:
    """Boxes whose faces are named after classes; the file of each side lists one of them or more."""
    root = tmp_path / "blocks"
    (root / "step").mkdir(parents=True)
    for i in range(4):
        path = write_step(root / "step" / f"{i}.step", box(1, 2, 3 + i))
        named, *rest = path.read_text().replace("\n", "").split("ADVANCED_FACE('',")
        text = named + "".join(f"ADVANCED_FACE('{20 - 4 * n}',{part}" for n, part in enumerate(rest))
        path.write_text(text.replace(";", ";\n"))
    for side, names in (("train", "0\n1\n"), ("val", "2\n"), ("test", "3\n")):
        (root / f"{side}.txt").write_text(names)
    return root


def test_a_face_is_of_the_class_that_it_is_named_after_and_the_sides_are_those_of_the_lists(blocks, tmp_path):
    archive = tmp_path / "mfcadpp.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(blocks, "MFCAD++_dataset")
    source = open_source("mfcadpp", str(archive), 0, tmp_path / "work")
    report = parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1, labelled=True)
    assert report.labels.faces == 24 and not report.labels.unused
    shards = open_shards(tmp_path / "out")
    for graph in shards:
        assert sorted(graph.face_label) == [0, 4, 8, 12, 16, 20] and graph.face_label.tolist() == [
            int(name) for name in graph.face_name
        ]
    split = read_split(tmp_path / "out" / "split.parquet")
    stem = {uid: Path(file).stem for uid, file in zip(shards.uids, shards.files, strict=True)}
    assert {side: sorted(stem[uid] for uid in uids) for side, uids in split.items()} == {
        "train": ["0", "1"],
        "validation": ["2"],
        "test": ["3"],
    }
    assert len(set(mfcadpp.FACE_CLASSES)) == 25 and mfcadpp.FACE_CLASSES[24] == "stock"


@pytest.mark.parametrize("name", ["25", "-1", "", "slot", "\u00b2"])
def test_a_face_that_is_named_after_no_class_is_refused(blocks, tmp_path, name):
    source = open_source("mfcadpp", str(blocks), 0, tmp_path)
    with pytest.raises(LabelError, match=r"0.step: a face is named .*no class from 0 to 24; get the file as published"):
        source.label(record(file="step/0.step", face_name=["0", name, "24"]))
    split = record(file="step/0.step", face_name=["0", "7", "24"])
    assert np.array_equal(source.label(split).face_label, [0, 7, 24])
