"""`brep-mae labels`: a table to fill in, checked, read off the parts, and the parts to label first."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest

from brep_mae.answers import Answer, SolidAnswers
from brep_mae.brep.write.pool import WriteOptions, make
from brep_mae.datasets.labelling.label_table import read_table
from brep_mae.labels.suggest import suggest
from brep_mae.labels.tables import by_color, by_name, empty_rows
from brep_mae.models.extractors.hops import Hops
from brep_mae.palette import class_colors
from tests.brep.solids import box, write_step
from tests.cli.small_tasks import box_or_cylinder, ok, run, small_encoder
from tests.synthetic import make_graph


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Two blocks, a cylinder, and a file that can't be read."""
    root = tmp_path_factory.mktemp("parts")
    for i, name in enumerate(("a.step", "b, c.step", "=d.step")):
        write_step(root / name, box_or_cylinder((0, 2, 1)[i]))
    (root / "bad.step").write_text("no STEP")
    return root


def filled(table, out, class_of):
    """The table as a person fills it in with a spreadsheet."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | {"class": class_of(row)} for row in rows)
    return out


def test_a_template_that_is_filled_in_fits_and_an_empty_one_is_no_mistake(parts, tmp_path):
    said = ok("labels", "template", parts, "--out", tmp_path / "t.csv", "--workers", 1)
    assert "15 lines to fill in" in said
    lines = read_table(tmp_path / "t.csv")
    assert len(lines) == 15 and not any(line.problem or line.label for line in lines)
    done = run("labels", "check", parts, "--labels", tmp_path / "t.csv", "--workers", 1)
    assert done.exit_code == 1 and "no line with a class" in done.output
    full = filled(tmp_path / "t.csv", tmp_path / "f.csv", lambda row: row["surface"] if row["face"] != "1" else "")
    text = ok("labels", "check", parts, "--labels", full, "--workers", 1)
    assert "12 of 12 rows, 12 faces, 3 solids labelled" in text
    assert "cylinder  1 faces in 1 files  in one file alone" in text and "plane  11 faces in 3 files\n" in text


@pytest.mark.parametrize("unit, rows", [("solid", 3), ("file", 4)])
def test_solids_and_files_have_templates_too(parts, tmp_path, unit, rows):
    ok("labels", "template", parts, "--of", unit, "--out", tmp_path / "t.csv", "--workers", 1)
    full = filled(tmp_path / "t.csv", tmp_path / "f.csv", lambda row: "" if row["file"] == "bad.step" else "part")
    assert len(read_table(full)) == rows
    assert "3 of 3 rows, 0 faces, 3 solids labelled" in ok("labels", "check", parts, "--labels", full, "--workers", 1)


def test_check_names_file_line_and_reason_and_leaves_nothing_behind(parts, tmp_path):
    for name in ("a.step", "bad.step"):
        shutil.copy(parts / name, tmp_path / name)
    shutil.copy(parts / "a.step", tmp_path / "twin.step")
    lines = ["a.step,0,0,slot", "a.step,1,0,slot", "twin.step,0,0,slot", "bad.step,0,0,hole", "z.step,,,x"]
    (tmp_path / "labels.csv").write_text("\n".join(["file,solid,face,class", *lines]) + "\n")
    before = sorted(tmp_path.iterdir())
    done = run("labels", "check", tmp_path, "--workers", 1)
    assert done.exit_code == 1 and sorted(tmp_path.iterdir()) == before
    for reason in (
        "labels.csv, line 3: a.step has no solid 1, only 0",
        "labels.csv, line 4: twin.step, solid 0, was left out, duplicate: same bytes as a.step",
        "labels.csv, line 5: bad.step, solid 0, was left out, unreadable",
        "labels.csv, line 6: no file 'z.step' in this folder",
    ):
        assert f"not used: {reason}" in done.output, done.output
    assert "1 of 5 rows, 1 faces, 1 solids labelled" in done.output
    (tmp_path / "labels.csv").write_text("file,solid,face,class\na.step,0,6,slot\n")
    done = run("labels", "check", tmp_path, "--workers", 1)
    assert done.exit_code == 1 and "line 2: a.step: solid 0 has no face 6, only 0 to 5" in done.output


@pytest.mark.parametrize("command", [("template",), ("read", "--from", "names")])
def test_a_table_that_is_there_is_never_replaced(parts, tmp_path, command):
    (tmp_path / "t.csv").write_text("hours of work")
    done = run("labels", command[0], parts, *command[1:], "--out", tmp_path / "t.csv")
    assert done.exit_code == 1 and "exists, and may hold labels; name a new file" in done.output
    assert (tmp_path / "t.csv").read_text() == "hours of work"


def test_where_nothing_can_be_read_nothing_is_written(parts, tmp_path):
    done = run("labels", "template", parts / "bad.step", "--out", tmp_path / "t.csv", "--workers", 1)
    assert done.exit_code == 1 and "none of 1 files gave a solid" in done.output and "left out: bad.step" in done.output
    for by, what in (("names", "name"), ("colours", "colour")):
        done = run("labels", "read", parts / "a.step", "--from", by, "--out", tmp_path / "t.csv", "--workers", 1)
        assert done.exit_code == 1 and f"no face has a {what}; write the table" in done.output
    done = run("labels", "template", tmp_path / "none", "--out", tmp_path / "t.csv")
    assert done.exit_code == 1 and "no such file or folder" in done.output
    assert list(tmp_path.iterdir()) == []


def test_names_and_colours_of_faces_are_classes():
    color = np.full((4, 3), -1, np.int16)
    color[1] = 255, 0, 16
    graph = replace(make_graph(4), file="=x.step", solid=2, face_name=["hole", "", " slot\n1 ", "=1+1"])
    assert list(by_color(replace(graph, face_color=color))) == [("./=x.step", 2, 1, "#ff0010")]
    assert [row[2:] for row in by_name(graph)] == [(0, "hole"), (2, "slot 1"), (3, "'=1+1")]
    assert not any(str(cell).startswith("=") for row in empty_rows(graph, "face") for cell in row)


def test_suggestions_begin_with_what_shows_most_and_leave_out_what_is_labelled(parts, tmp_path):
    first = ok("labels", "suggest", parts, "--count", 2, "--workers", 1).split("\n")[:-1]
    assert len(first) == 2 and "=d.step" in first, "the only cylinder, and a box"
    (tmp_path / "l.csv").write_text("file,class\n=d.step,shaft\n")
    encoder = small_encoder(tmp_path / "encoder")
    rest = ok("labels", "suggest", parts, "--labels", tmp_path / "l.csv", "--encoder", encoder, "--workers", 1)
    assert sorted(rest.split("\n")[:-1]) == ["a.step", "b, c.step"]
    (tmp_path / "l.csv").write_text("file,class\n" + "".join(f'"{path.name}",x\n' for path in parts.iterdir()))
    done = run("labels", "suggest", parts, "--labels", tmp_path / "l.csv")
    assert done.exit_code == 1 and "every file has a label already" in done.output


def test_solids_of_one_file_are_suggested_together():
    graphs = [replace(make_graph(5, seed=i), file=f"{i // 2}.step") for i in range(6)]
    assert sorted(suggest(graphs, Hops(), 9, 0)) == ["0.step", "1.step", "2.step"]
    assert suggest([], Hops(), 9, 0) == []


def test_a_file_that_was_coloured_and_named_by_class_is_a_table_of_labels(tmp_path):
    path = write_step(tmp_path / "a.step", box(1, 2, 3))
    classes = ("slot", "side", "side", "hole", "side", "slot")
    said = SolidAnswers(path, path.name, 0, ("plane",) * 6, tuple(Answer((name,), 1.0) for name in classes))
    step = make(path, WriteOptions({path: [said]}, class_colors(("hole", "side", "slot")), True, False, 60, 2000)).step
    assert step is not None
    path.write_bytes(step)
    for by in ("names", "colours"):
        out = tmp_path / f"{by}.csv"
        assert "6 faces with a class" in ok("labels", "read", path, "--from", by, "--out", out, "--workers", 1)
        assert "6 of 6 rows" in run("labels", "check", path, "--labels", out, "--workers", 1).output
        assert len({line.label for line in read_table(out)}) == 3
    assert [line.label for line in read_table(tmp_path / "names.csv")] == list(classes)
