"""labels.csv beside a folder of CAD files."""

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brep_mae.datasets.adapters.solids import open as open_solids
from brep_mae.datasets.source import LabelError, SourceError
from tests.synthetic import make_graph


def folder(path: Path, *lines: str) -> Path:
    (path / "a.step").touch()
    (path / "deeper").mkdir()
    (path / "deeper" / "b.step").touch()
    if lines:
        (path / "labels.csv").write_text("\n".join(("file,solid,face,class", *lines)) + "\n")
    return path


def graph(file: str, solid: int = 0, faces: int = 4):
    return replace(make_graph(faces), file=file, solid=solid, face_label=np.full(faces, -1, np.int16), part_label=-1)


def test_faces_and_solids_get_the_classes_that_the_file_names(tmp_path):
    root = folder(tmp_path, "a.step,,1,slot", "a.step,0,3,hole", "a.step,,,plate", "deeper/b.step,1,0,hole")
    source = open_solids(str(root), 0, tmp_path)
    assert source.face_classes == ("hole", "slot") and source.part_classes == ("plate",)
    first = source.label(graph("a.step"))
    assert first.face_label.tolist() == [-1, 1, -1, 0] and first.part_label == 0
    assert source.label(graph("deeper/b.step", 1)).face_label.tolist() == [0, -1, -1, -1]
    other = source.label(graph("deeper/b.step", 0))
    assert (other.face_label == -1).all() and other.part_label == -1


def test_the_parts_of_a_split_face_share_its_class(tmp_path):
    source = open_solids(str(folder(tmp_path, "a.step,,1,slot")), 0, tmp_path)
    split = replace(graph("a.step"), face_parent=np.array([0, 1, 1, 2], np.int32))
    assert source.label(split).face_label.tolist() == [-1, 0, 0, -1]


def test_without_the_file_nothing_is_labelled(tmp_path):
    source = open_solids(str(folder(tmp_path)), 0, tmp_path)
    assert source.face_classes == source.part_classes == () and source.label_files == ()
    assert (source.label(graph("a.step")).face_label == -1).all()


@pytest.mark.parametrize(
    "line, reason",
    [
        ("c.step,,1,slot", "no file 'c.step' in this folder; mend the name"),
        ("../labels.csv,,1,slot", "no file"),
        ("deeper,,1,slot", "'deeper' is a folder"),
        ("labels.csv,,1,slot", "'labels.csv' is no CAD file; known suffixes are .step"),
        (",,1,slot", "it names no file"),
        ("a.step,,one,slot", "solid '' and face 'one' must be whole numbers"),
        ("a.step,-1,1,slot", "solid '-1' and face '1' must be whole numbers"),
        ("a.step,,1", "it has 3 fields, not 4"),
        ("a.step,,1,a,b", "it has 5 fields, not 4"),
    ],
)
def test_a_line_that_labels_nothing_is_told_and_costs_no_other(tmp_path, line, reason):
    source = open_solids(str(folder(tmp_path, "a.step,,0,slot", "", line)), 0, tmp_path)
    good, bad = source.rows
    assert (good.given_in, good.line, good.problem) == ("labels.csv", 2, "")
    assert bad.line == 4 and bad.problem.startswith(reason), bad.problem
    assert source.face_classes == ("slot",) and source.label(graph("a.step")).face_label.tolist() == [0, -1, -1, -1]


def test_a_line_without_a_class_waits_to_be_filled_in_and_is_no_mistake(tmp_path):
    source = open_solids(str(folder(tmp_path, "a.step,0,0,slot", "a.step,0,1,", "a.step,0,x,")), 0, tmp_path)
    assert [(row.line, row.problem[:22]) for row in source.rows] == [(2, ""), (4, "solid '0' and face 'x'")]
    assert source.label(graph("a.step")).face_label.tolist() == [0, -1, -1, -1]


def test_columns_for_people_are_not_read(tmp_path):
    folder(tmp_path)
    (tmp_path / "labels.csv").write_text("file,solid,face,class,surface,area_mm2,name,share\na.step,0,1,slot,x,y,z,1\n")
    assert open_solids(str(tmp_path), 0, tmp_path).label(graph("a.step")).face_label.tolist() == [-1, 0, -1, -1]


def test_lines_that_disagree_label_nothing(tmp_path):
    lines = ("a.step,,0,slot", "a.step,,1,slot", "a.step,0,0,hole", "a.step,0,1,slot")
    source = open_solids(str(folder(tmp_path, *lines)), 0, tmp_path)
    assert [row.problem for row in source.rows] == [
        "it says slot, but line 4 says hole; keep one of them",
        "",
        "it says hole, but line 2 says slot; keep one of them",
        "",
    ]
    assert source.label(graph("a.step")).face_label.tolist() == [-1, 0, -1, -1]


@pytest.mark.parametrize(
    "written", ["./deeper/b.step", "deeper//b.step", r"deeper\\b.step", "x/../deeper/b.step", "{}"]
)
def test_a_file_may_be_named_in_other_ways(tmp_path, written):
    written = written.format(tmp_path / "deeper" / "b.step")
    source = open_solids(str(folder(tmp_path, f"{written},,2,slot")), 0, tmp_path)
    assert source.label(graph("deeper/b.step")).face_label.tolist() == [-1, -1, 0, -1]


@pytest.mark.parametrize(
    "on_disk, written", [("Ä.STEP", "ä.step"), ("é.step", "e\u0301.step"), ("e\u0301.step", "é.step")]
)
def test_letters_may_differ_in_case_and_in_their_unicode_form(tmp_path, on_disk, written):
    (tmp_path / on_disk).touch()
    source = open_solids(str(folder(tmp_path, f"{written},,2,slot")), 0, tmp_path)
    assert source.label(graph(on_disk)).face_label.tolist() == [-1, -1, 0, -1]


def test_a_name_that_may_be_two_files_is_neither(tmp_path):
    (tmp_path / "A.step").touch()
    source = open_solids(str(folder(tmp_path, "A.STEP,,2,slot", "a.step,,1,hole")), 0, tmp_path)
    assert [row.problem for row in source.rows] == [
        "'A.STEP' may be A.step or a.step; write it as the file is called",
        "",
    ]
    assert source.label(graph("a.step")).face_label.tolist() == [-1, 0, -1, -1]


def test_every_folder_may_have_a_table_of_its_own(tmp_path):
    root = folder(tmp_path, "a.step,,0,slot", "deeper/b.step,,1,slot")
    (root / "deeper" / "Labels.csv").write_text(
        "file,solid,face,class\nb.step,,1,hole\nb.step,,2,hole\na.step,,2,hole\n"
    )
    source = open_solids(str(root), 0, tmp_path)
    assert [(row.given_in, row.line) for row in source.rows if row.problem] == [
        ("deeper/Labels.csv", 2),
        ("deeper/Labels.csv", 4),
        ("labels.csv", 3),
    ]
    assert source.rows[0].problem == "it says hole, but labels.csv, line 3 says slot; keep one of them"
    assert source.label(graph("deeper/b.step")).face_label.tolist() == [-1, -1, 0, -1]


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_as_spreadsheets_write_it(tmp_path, separator, encoding):
    text = "File,Solid,Face,Class\r\na.step,,0,Nüt\r\n,,,\r\n".replace(",", separator)
    (folder(tmp_path) / "labels.csv").write_bytes(text.encode(encoding))
    source = open_solids(str(tmp_path), 0, tmp_path)
    assert source.face_classes == ("Nüt",) and [row.problem for row in source.rows] == [""]


TABLE = "file,solid,face,class\na.step,,0,Nüt\n"


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"name,label\n", "its first line is not file,solid,face,class or file,class but 'name,label'"),
        (b"", "its first line is not file,solid,face,class or file,class but ''"),
        (TABLE.encode("latin-1"), r"line 2: not UTF-8 \(.*\); remedy: save it again as UTF-8"),
        (TABLE.encode("utf-16-le"), "not UTF-8 .*; remedy: save it again as UTF-8"),
        (TABLE.replace("ü", "u").encode("utf-16-le"), "not UTF-8, it holds zero bytes; remedy: save it again"),
        (TABLE.encode("utf-16")[:-1], "not UTF-16 .*remedy: save it again"),
        (b'file,solid,face,class\na.step,,0,"slot\na.step,,1,hole\n', "line 3: not a table: .*; remedy: mend the line"),
    ],
)
def test_what_is_no_table_is_refused_by_name_with_reason_and_remedy(tmp_path, content, reason):
    (folder(tmp_path) / "labels.csv").write_bytes(content)
    with pytest.raises(SourceError, match=f"labels.csv.*{reason}"):
        open_solids(str(tmp_path), 0, tmp_path)


def test_a_face_that_the_solid_lacks_is_a_label_error(tmp_path):
    source = open_solids(str(folder(tmp_path, "a.step,,4,slot")), 0, tmp_path)
    with pytest.raises(LabelError, match="no face 4, only 0 to 3"):
        source.label(graph("a.step"))


def test_a_class_of_a_file_is_that_of_all_its_solids(tmp_path):
    root = folder(tmp_path)
    (root / "labels.csv").write_text("file,class,split\na.step,SOIC,test\nc.step,QFP,\na.step,,\n")
    (root / "deeper" / "labels.csv").write_text("file,solid,face,class\nb.step,1,2,pin\n../a.step,2,,SOT\n")
    source = open_solids(str(root), 0, tmp_path)
    assert source.part_classes == ("SOIC", "SOT") and [row.solid for row in source.rows] == [1, 2, None, None]
    assert [row.problem[:12] for row in source.rows] == ["", "", "", "no file 'c.s"]
    assert [source.label(graph("a.step", solid)).part_label for solid in range(3)] == [0, 0, 1]
    assert source.label(graph("deeper/b.step", 1)).part_label == -1
    assert source.sides == {("a.step", None): "test"}


def test_an_archive_is_a_folder_too(tmp_path):
    root = tmp_path / "parts"
    root.mkdir()
    folder(root, "a.step,,1,slot")
    with tarfile.open(tmp_path / "parts.tar.xz", "w:xz") as tar:
        tar.add(root, "parts")
    source = open_solids(str(tmp_path / "parts.tar.xz"), 0, tmp_path / "work")
    assert [file.name for file in source.files] == ["a.step", "b.step"] and tmp_path / "work" in source.root.parents
    assert source.label(graph("parts/a.step")).face_label.tolist() == [-1, 0, -1, -1]
