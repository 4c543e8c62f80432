"""labels.csv beside a folder of CAD files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brep_mae.datasets.solids import open as open_solids
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
        ("c.step,,1,slot", "line 3: no file 'c.step'"),
        ("a.step,,one,slot", "line 3: .*'one'"),
        ("a.step,,1,", "line 3: .*class ''"),
        ("a.step,0,0,hole", "line 3: it says hole, an earlier line slot"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, reason):
    with pytest.raises(SourceError, match=reason):
        open_solids(str(folder(tmp_path, "a.step,,0,slot", line)), 0, tmp_path)


def test_other_columns_are_refused(tmp_path):
    root = folder(tmp_path)
    (root / "labels.csv").write_text("name,label\n")
    with pytest.raises(SourceError, match="first line is not file,solid,face,class"):
        open_solids(str(root), 0, tmp_path)


def test_a_face_that_the_solid_lacks_is_a_label_error(tmp_path):
    source = open_solids(str(folder(tmp_path, "a.step,,4,slot")), 0, tmp_path)
    with pytest.raises(LabelError, match="no face 4, only 0 to 3"):
        source.label(graph("a.step"))
