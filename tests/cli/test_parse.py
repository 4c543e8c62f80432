import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brep_mae.cli import main
from brep_mae.datasets.labelling.labels import FOLDER, UNUSED, UNUSED_COLUMNS
from brep_mae.datasets.lazy.listed import LEFT_OUT, REJECTS, read_list
from brep_mae.datasets.shards import open_shards
from brep_mae.ingest import chunks
from tests.brep.solids import SHAPES, box, write_step


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A box in inches, a cylinder, two boxes in one file, and one file that is no STEP file."""
    root = tmp_path_factory.mktemp("parts")
    write_step(root / "box.step", box(1, 2, 3), unit="INCH")
    (root / "deeper").mkdir()
    write_step(root / "deeper" / "cylinder.stp", SHAPES["cylinder"])
    write_step(root / "two.step", box(1, 1, 1), box(1, 1, 4, (5, 0, 0)))
    (root / "bad.step").write_text("no STEP")
    (root / "readme.txt").write_text("not a CAD file")
    return root


@pytest.fixture(scope="module")
def shards(folder, tmp_path_factory) -> Path:
    """What `parse --json` printed, beside the shards."""
    out = tmp_path_factory.mktemp("parsed") / "shards"
    done = run("parse", folder, "--out", out, "--workers", 1, "--grid", 4, "--json")
    assert done.exit_code == 0, done.output
    (out.parent / "printed.json").write_text(done.stdout)
    return out


def test_parse_accounts_for_every_file(shards):
    printed = json.loads((shards.parent / "printed.json").read_text())
    assert (printed["files"], printed["files_without_solid"], printed["solids"], printed["faces"]) == (4, 1, 4, 21)
    (reject,) = printed["rejects"]
    assert (reject["file"], reject["solid"], reject["reason"]) == ("bad.step", None, "unreadable")
    assert "bad.step" in reject["detail"] and printed["reasons"] == {"unreadable": 1}
    assert printed.pop("solids_per_s") > 0
    assert printed.pop("rejects") == read_list(shards / REJECTS, LEFT_OUT, "")
    stored = json.loads((shards / "report.json").read_text())
    assert printed["labels"].pop("unused") == [] and stored["labels"].pop("unused") == 0
    assert printed == stored
    assert [path.name for path in shards.parent.iterdir() if path.name.startswith(".")] == []


def test_parse_for_a_person_names_the_counts_and_where_the_rejects_are(folder, tmp_path):
    done = run(
        "parse", folder / "two.step", folder / "bad.step", "--out", tmp_path / "out", "--workers", 1, "--grid", 4
    )
    assert done.exit_code == 0, done.output
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert lines["solids"] == "2" and lines["reasons"] == "unreadable 1"
    assert lines["rejects"] == f"1, listed in {tmp_path / 'out' / REJECTS}"
    assert "left out: bad.step: unreadable: bad.step: not a STEP file" in done.stderr


def test_parse_names_ten_of_many_rejects_and_says_how_many_more_there_are(tmp_path):
    (tmp_path / "parts").mkdir()
    write_step(tmp_path / "parts" / "box.step", box(1, 2, 3))
    for i in range(12):
        (tmp_path / "parts" / f"bad{i:02}.step").write_text(f"no STEP {i}")
    done = run("parse", tmp_path / "parts", "--out", tmp_path / "out", "--workers", 1, "--grid", 4)
    told = [line for line in done.stderr.splitlines() if line.startswith("left out: ")]
    assert told[0].startswith("left out: bad00.step: unreadable: ") and told[10:] == ["left out: and 2 more"]


def test_parse_again_replaces_its_own_output_but_nothing_else(folder, shards, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(shards, again)
    assert run("parse", folder / "box.step", "--out", again, "--workers", 1, "--grid", 4).exit_code == 0
    assert json.loads((again / "report.json").read_text())["solids"] == 1
    done = run("parse", folder / "box.step", "--out", folder)
    assert done.exit_code == 1 and "holds something else" in done.output and (folder / "box.step").is_file()


def test_parse_removes_nothing_of_the_user_and_says_so_before_it_works(folder, shards, tmp_path, monkeypatch):
    thesis, again, link = tmp_path / "thesis", tmp_path / "again", tmp_path / "link"
    thesis.mkdir()
    for name in ("report.json", "thesis.tex"):
        (thesis / name).write_text("years of work")
    shutil.copytree(shards, again)
    (again / "notes.txt").write_text("mine")
    link.symlink_to(tmp_path / "target")
    monkeypatch.chdir(thesis)
    monkeypatch.setattr("brep_mae.ingest.chunks.parse_files", lambda *_: pytest.fail("work began"))
    for out, words in (
        (thesis, "runs in that folder"),
        (Path("."), "runs in that folder"),
        (again, "notes.txt"),
        (link, "a link to"),
    ):
        done = run("parse", folder / "box.step", "--out", out)
        assert done.exit_code == 1 and words in done.stderr and "remedy: " in done.stderr, (out, done.stderr)
    monkeypatch.chdir(tmp_path)
    done = run("parse", folder / "box.step", "--out", thesis)
    assert done.exit_code == 1 and "report.json, thesis.tex" in done.stderr
    assert (thesis / "thesis.tex").read_text() == "years of work" and (again / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "link", "thesis"]


def test_parse_fills_what_a_link_points_at(folder, tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for _ in range(2):
        done = run("parse", folder / "box.step", "--out", tmp_path / "link", "--workers", 1, "--grid", 4)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target" / "report.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "target"]


def test_what_an_older_attempt_left_is_cleared_away(folder, tmp_path):
    (tmp_path / ".out.work" / "parse-0123456789abcdef").mkdir(parents=True)
    done = run("parse", folder / "box.step", "--out", tmp_path / "out", "--workers", 1, "--grid", 4)
    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_bad_input_names_the_file_the_reason_and_the_remedy(folder, tmp_path):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "file").touch()
    for arguments, words in (
        (("parse", "absent", "--out", out), ("absent", "no such file or folder", "check the path")),
        (("parse", empty, "--out", out), (str(empty), "holds no CAD file", ".step")),
        (("parse", folder / "bad.step", "--out", out), ("bad.step", "unreadable", "remedy")),
        (("parse", folder / "readme.txt", "--out", out), ("readme.txt", "unreadable", ".txt", ".step")),
        (("parse", folder, "--out", tmp_path / "file" / "out"), (str(tmp_path / "file"), "Not a directory", "remedy")),
        (("inspect", "absent"), ("absent", "no such file or folder", "check the path")),
        (("inspect", empty), (str(empty), "holds no .arrow files", "run the parse stage")),
        (("inspect", folder / "bad.step"), ("bad.step", "unreadable", "remedy")),
        (("inspect", folder / "readme.txt", "--json"), ("readme.txt", ".txt", ".step", "remedy")),
    ):
        done = run(*arguments)
        assert done.exit_code == 1 and done.stdout == "", arguments
        assert done.stderr.splitlines()[-1].startswith("Error: "), done.stderr
        for word in words:
            assert word in done.stderr, (arguments, done.stderr)
    assert run("parse", "--out", out).exit_code == 2
    assert run("parse", folder, "--out", out, "--workers", 0).exit_code == 2


def test_inspect_of_shards_counts_all_solids(shards):
    values = json.loads(run("inspect", shards, "--json").stdout)
    assert (values["path"], values["solids"], values["faces"]) == (str(shards), 4, 21)
    assert values["surfaces"] == {"plane": 20, "cylinder": 1}
    assert values["curves"]["line"] == 74 and values["seam_arcs"] == 2
    assert sum(values["convexity"].values()) == values["arcs"]


def test_inspect_of_a_file_tells_solid_by_solid(folder):
    values = json.loads(run("inspect", folder / "two.step", "--json").stdout)
    assert (values["solids"], values["faces"]) == (2, 12)
    first, second = values["each"]
    assert (first["solid"], first["faces"], first["edges"], first["surfaces"]) == (0, 6, 12, {"plane": 6})
    assert first["size_mm"] == [1, 1, 1] and second["size_mm"] == [1, 1, 4] and second["solid"] == 1
    assert [face["face"] for face in first["each_face"]] == list(range(6))


def test_inspect_for_a_person_names_size_unit_and_types(folder):
    text = run("inspect", folder / "box.step").stdout
    assert "6 faces (6 plane), 12 edges, 1 x 2 x 3 mm, the file's unit is 25.4 mm" in text
    text = run("inspect", folder / "deeper" / "cylinder.stp").stdout
    assert "3 faces (2 plane, 1 cylinder), 3 edges" in text and "unit" not in text


def labelled(folder: Path, *lines: str) -> Path:
    (folder / "sub").mkdir(parents=True)
    write_step(folder / "sub" / "part.step", box(1, 2, 3))
    (folder / "labels.csv").write_text("\n".join(("file,solid,face,class", *lines)) + "\n")
    return folder


def test_labels_lie_in_the_folder_given_wherever_its_files_are(tmp_path):
    parts, out = labelled(tmp_path / "parts", "sub/part.step,,1,hole", "sub/part.step,,,plate"), tmp_path / "out"
    done = run("parse", parts, "--out", out, "--workers", 1, "--grid", 4)
    assert done.exit_code == 0 and "2 of 2 rows, 1 faces, 1 solids labelled" in done.stdout, done.output
    [graph] = open_shards(out)
    assert (graph.file, graph.face_label.tolist(), graph.part_label) == ("sub/part.step", [-1, 0, -1, -1, -1, -1], 0)


def test_lines_that_are_not_used_are_told_with_number_and_reason(tmp_path):
    parts = labelled(tmp_path / "parts", "sub/part.step,,1,hole", "part.step,,1,hole", "sub/part.step,3,1,hole")
    done = run("parse", parts, "--out", tmp_path / "out", "--workers", 1, "--grid", 4)
    assert done.exit_code == 0 and "1 of 3 rows, 1 faces, 1 solids labelled" in done.stdout
    assert "label not used: labels.csv, line 3: no file 'part.step'" in done.stderr
    assert "label not used: labels.csv, line 4: sub/part.step has no solid 3, only 0" in done.stderr
    labels = json.loads((tmp_path / "out" / "report.json").read_text())["labels"]
    assert labels == {"rows": 3, "used": 1, "faces": 1, "solids": 1, "parts": 0, "unused": 2}
    unused = read_list(tmp_path / "out" / FOLDER / UNUSED, UNUSED_COLUMNS, "")
    assert [line["line"] for line in unused] == [3, 4]


def test_files_and_folders_given_together_have_the_tables_that_lie_beside_them(tmp_path):
    one, two = labelled(tmp_path / "a" / "one", "sub/part.step,,1,hole"), tmp_path / "a" / "two"
    two.mkdir()
    write_step(two / "other.step", box(1, 2, 4))
    (two / "labels.csv").write_text("file;solid;face;class\nother.step;;0;slot\n")
    (tmp_path / "labels.csv").write_text("of nothing that was given")
    done = run("parse", one, two / "other.step", "--out", tmp_path / "out", "--workers", 1, "--grid", 4)
    assert done.exit_code == 0 and "2 of 2 rows, 2 faces, 2 solids labelled" in done.stdout, done.output
    assert open_shards(tmp_path / "out").files == ["one/sub/part.step", "two/other.step"]


def test_a_table_that_cannot_be_read_is_named_before_any_work(tmp_path):
    parts = labelled(tmp_path / "parts")
    (parts / "labels.csv").write_bytes("file,solid,face,class\nsub/part.step,,1,Nüt\n".encode("latin-1"))
    done = run("parse", parts, "--out", tmp_path / "out", "--workers", 1)
    assert done.exit_code == 1 and done.stdout == ""
    assert f"Error: {parts / 'labels.csv'}, line 2: not UTF-8" in done.stderr and "remedy: save it" in done.stderr


def test_a_corrected_label_parses_nothing_again(tmp_path, monkeypatch):
    parts, out = labelled(tmp_path / "parts", "sub/part.step,,1,hole"), tmp_path / "out"
    arguments = ("parse", parts, "--out", out, "--workers", 1, "--grid", 4)
    assert run(*arguments).exit_code == 0
    shard = (out / "00000.arrow").stat()
    parsed = []
    real = chunks.parse_files
    monkeypatch.setattr(chunks, "parse_files", lambda files, *rest: parsed.extend(files) or real(files, *rest))
    (parts / "labels.csv").write_text("file,solid,face,class\nsub/part.step,,2,slot\nsub/part.step,9,2,slot\n")
    done = run(*arguments)
    assert done.exit_code == 0 and "1 of 2 rows, 1 faces, 1 solids labelled" in done.stdout, done.output
    again = (out / "00000.arrow").stat()
    assert parsed == [] and (again.st_ino, again.st_mtime_ns) == (shard.st_ino, shard.st_mtime_ns)
    shards = open_shards(out)
    assert shards.labels.face_classes == ("slot",) and shards[0].face_label.tolist() == [-1, -1, 0, -1, -1, -1]
    report = json.loads((out / "report.json").read_text())
    assert (report["solids"], report["labels"]["used"]) == (1, 1)
    write_step(parts / "sub" / "part.step", box(1, 2, 4))
    assert run(*arguments).exit_code == 0 and [file.name for file in parsed] == ["part.step"]
    assert run(*arguments[:-1], 5).exit_code == 0 and len(parsed) == 2, "other settings"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--grid", 1), ("--grid", "4<=x<=64")),
        (("--grid", "fine"), ("--grid", "not a valid integer")),
        (("--field-pool", 5), ("--field-pool", "x>=16")),
        (("--field-samples", 0), ("--field-samples", "x>=1")),
        (("--field-pool", 20), ("--field-samples 64 is more than --field-pool 20",)),
        (("--deadline", 0), ("--deadline", "x>0")),
        (("--deadline", "nan"), ("--deadline", "no number of seconds")),
        (("--memory", 1), ("--memory", "too little memory; at least 16 MB")),
        (("--workers", 0), ("--workers", "x>=1")),
    ],
)
def test_a_number_out_of_range_is_told_in_the_words_of_the_command_line(folder, tmp_path, arguments, words):
    done = run("parse", folder / "box.step", "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 2 and done.stderr.splitlines()[-1].startswith("Error: "), done.output
    for word in words:
        assert word in done.stderr.splitlines()[-1]
    assert "pydantic" not in done.output and "http" not in done.output and not list(tmp_path.iterdir())


def test_with_the_least_memory_that_is_taken_a_box_can_be_read(folder, tmp_path):
    done = run("parse", folder / "box.step", "--out", tmp_path / "out", "--workers", 1, "--memory", 16, "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["solids"] == 1, done.output
