"""Labels of a source -> a table beside the shards, and an account of every line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brep_mae.datasets.adapters.solids import open as open_solids
from brep_mae.datasets.labelling.join import join_labels
from brep_mae.datasets.labelling.labels import ABOUT, UNUSED, UNUSED_COLUMNS, open_labels
from brep_mae.datasets.lazy.listed import read_list
from brep_mae.datasets.shards import open_shards, write_shard
from brep_mae.datasets.source import LabelError, Row, Source
from tests.synthetic import make_graph

FILES = ("a.step", "two.step", "open.step", "copy.step", "empty.step")
REJECTS = [
    {"file": "copy.step", "solid": None, "reason": "duplicate", "detail": "same bytes as a.step"},
    {"file": "empty.step", "solid": None, "reason": "no_solid", "detail": "empty.step: holds no solid"},
    {"file": "two.step", "solid": 1, "reason": "open_shell", "detail": "solid 1: bounds no volume"},
]


@pytest.fixture
def shards(tmp_path):
    """A solid of four faces in a.step, solids 0 and 2 of two.step, and one of open.step; the rest was left out."""
    graphs = [
        replace(make_graph(4, seed=i), file=file, solid=number)
        for i, (file, number) in enumerate([("a.step", 0), ("two.step", 0), ("two.step", 2), ("open.step", 0)])
    ]
    write_shard(tmp_path / "00000.arrow", graphs)
    return open_shards(tmp_path)


def joined(tmp_path: Path, shards, *lines: str):
    root = tmp_path / "parts"
    root.mkdir()
    for name in FILES:
        (root / name).touch()
    (root / "labels.csv").write_text("\n".join(("file,solid,face,class", *lines)) + "\n")
    return join_labels(open_solids(str(root), 0, tmp_path), shards, REJECTS, tmp_path / "labels")


def test_every_line_is_used_or_told_with_its_number_and_reason(tmp_path, shards):
    report = joined(
        tmp_path,
        shards,
        "a.step,0,0,hole",
        "a.step,,,plate",
        "two.step,1,0,hole",
        "two.step,2,3,slot",
        "two.step,7,0,hole",
        "open.step,0,1,hole",
        "open.step,0,4,hole",
        "copy.step,,1,hole",
        "empty.step,,1,hole",
        "none.step,,1,hole",
    )
    assert str(report) == "3 of 10 rows, 2 faces, 2 solids labelled" and report.parts == 1
    told = {line["line"]: line["reason"] for line in report.unused}
    assert all(line["file"] == "labels.csv" for line in report.unused)
    beyond = "open.step: solid 0 has no face 4, only 0 to 3, so its labels are meant for another one"
    assert told == {
        4: "two.step, solid 1, was left out, open_shell: solid 1: bounds no volume",
        6: "two.step has no solid 7, only 0, 1, 2",
        7: beyond,
        8: beyond,
        9: "copy.step, solid 0, was left out, duplicate: same bytes as a.step",
        10: "empty.step, solid 0, was left out, no_solid: empty.step: holds no solid",
        11: "no file 'none.step' in this folder; mend the name or drop the line",
    }
    assert report.lines(2)[0] == f"labels.csv, line 4: {told[4]}" and report.lines(2)[2] == "and 5 more"
    about = json.loads((tmp_path / "labels" / ABOUT).read_text())
    assert (about["rows"], about["used"], about["unused"]) == (10, 3, 7), "all that is read at every opening"
    assert read_list(tmp_path / "labels" / UNUSED, UNUSED_COLUMNS, "") == report.unused


def test_a_label_that_does_not_fit_costs_the_solid_nothing(tmp_path, shards):
    joined(tmp_path, shards, "a.step,0,9,hole", "two.step,2,3,slot", "two.step,0,,plate")
    graphs = list(open_shards(shards.folder, tmp_path / "labels"))
    assert [g.face_label.tolist() for g in graphs] == [[-1] * 4, [-1] * 4, [-1, -1, -1, 1], [-1] * 4]
    assert [g.part_label for g in graphs] == [-1, 0, -1, -1]


def test_a_corrected_label_leaves_the_shards_alone(tmp_path, shards):
    joined(tmp_path, shards, "a.step,0,1,hole")
    before = {path.name: path.read_bytes() for path in shards.folder.glob("*.arrow")}
    table = tmp_path / "parts" / "labels.csv"
    table.write_text(table.read_text().replace("hole", "slot"))
    join_labels(open_solids(str(table.parent), 0, tmp_path), shards, REJECTS, tmp_path / "labels")
    again = open_shards(shards.folder, tmp_path / "labels")
    assert again.labels.face_classes == ("slot",) and again[0].face_label.tolist() == [-1, 0, -1, -1]
    assert before == {path.name: path.read_bytes() for path in shards.folder.glob("*.arrow")}


def test_files_that_should_have_labels_and_have_none_are_told(tmp_path, shards):
    def label(graph):
        if graph.file != "two.step" or graph.solid == 2:
            raise LabelError(f"{graph.file}: {graph.solid} on purpose")
        return replace(graph, face_label=np.zeros(4, np.int16))

    rows = [Row("a.truth", None, "a.step"), Row("two.truth", None, "two.step"), Row("gone.truth", None, "gone.step")]
    source = Source("any", "", tmp_path, [], ("x",), (), label, rows)
    report = join_labels(source, shards, [], tmp_path / "labels")
    assert (report.rows, report.used, report.faces, report.solids) == (3, 1, 4, 1)
    assert [(line["file"], line["line"], line["reason"]) for line in report.unused] == [
        ("a.truth", None, "a.step: 0 on purpose"),
        ("gone.truth", None, "gone.step is not among the files that were parsed"),
        ("open.step", None, "open.step: 0 on purpose"),
    ]


def test_a_data_set_without_labels_has_none(tmp_path, shards):
    report = join_labels(Source("any", "", tmp_path, [], (), (), lambda g: g), shards, [], tmp_path / "labels")
    assert str(report) == "0 of 0 rows, 0 faces, 0 solids labelled" and report.unused == []
    assert read_list(tmp_path / "labels" / UNUSED, UNUSED_COLUMNS, "") == []
    labelled = open_shards(shards.folder, tmp_path / "labels")
    assert labelled.labels.face_classes == () and (labelled[0].face_label == -1).all()


def test_a_line_about_a_file_is_used_for_all_its_solids_and_tells_the_side_of_each(tmp_path, shards):
    root = tmp_path / "parts"
    root.mkdir()
    for name in FILES:
        (root / name).touch()
    (root / "labels.csv").write_text("file,class,split\ntwo.step,SOIC,test\nempty.step,QFP,train\n")
    report = join_labels(open_solids(str(root), 0, tmp_path), shards, REJECTS, tmp_path / "labels")
    assert (report.used, report.parts) == (1, 2)
    assert [line["reason"] for line in report.unused] == [
        "empty.step was left out, no_solid: empty.step: holds no solid"
    ]
    found = open_labels(tmp_path / "labels")
    both = {shards.uids[1], shards.uids[2]}
    assert {uid: (one.part, one.side) for uid, one in found.solids.items()} == dict.fromkeys(both, (1, "test"))
