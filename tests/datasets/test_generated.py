import json
from dataclasses import replace

import numpy as np
import pytest

from brep_mae.datasets.source import LabelError, open_source
from brep_mae.schema import UNLABELLED
from tests.records import record


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "step").mkdir()
    (tmp_path / "step" / "000000.step").write_text("")
    (tmp_path / "classes.json").write_text(json.dumps({"face": ["stock", "hole"], "part": ["plate", "bracket"]}))
    line = {"file": "step/000000.step", "part": "bracket", "faces": ["stock", "hole", "stock"]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(line) + "\n")
    return tmp_path


def test_faces_and_parts_get_their_labels_by_name(folder):
    source = open_source("generated", str(folder), 0, folder)
    graph = source.label(record(file="step/000000.step", face_name=["1", "2", "0"], part_label=UNLABELLED))
    assert graph.face_label.tolist() == [1, 0, 0] and graph.part_label == 1
    assert (source.face_classes, source.part_classes) == (("stock", "hole"), ("plate", "bracket"))


def test_the_parts_of_a_split_face_share_its_label(folder):
    graph = record(file="step/000000.step", faces=4, face_name=["1", "1", "2", "0"])
    split = replace(graph, face_parent=np.array([0, 0, 1, 2], np.int32))
    labelled = open_source("generated", str(folder), 0, folder).label(split)
    assert labelled.face_label.tolist() == [1, 1, 0, 0] and labelled.part_label == 1


def test_a_file_without_a_line_is_refused(folder):
    with pytest.raises(LabelError, match="no line"):
        open_source("generated", str(folder), 0, folder).label(record(file="step/1.step"))
