"""A data set that is shared out among several runs and merged, as the command line does it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brep_mae.cli import main
from brep_mae.ingest import chunks
from tests.brep.solids import box, write_step
from tests.ingest.test_dataset import content

OPTIONS = ("--workers", 1, "--grid", 4, "--field-pool", 16, "--field-samples", 4)
PIECES = 3

pytestmark = pytest.mark.usefixtures("two_files_a_shard")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Ten files in five shards, and labels. One shard holds copies of the first file alone, two hold a copy each."""
    root = tmp_path_factory.mktemp("steps")
    for i in (0, 1, 3, 8):
        write_step(root / f"{i}.step", box(1, 2, i + 1))
    for name in ("2bad", "5"):
        (root / f"{name}.step").write_text("no STEP")
    for name in ("4", "6", "7", "9"):
        shutil.copyfile(root / ("3.step" if name == "9" else "0.step"), root / f"{name}.step")
    (root / "labels.csv").write_text("file,solid,face,class\n0.step,,1,hole\n5.step,,1,hole\n8.step,,,plate\n")
    return root


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "shards"
    assert run("parse", folder, "--out", out, *OPTIONS).exit_code == 0
    return out


@pytest.fixture(scope="module")
def pieces(folder, tmp_path_factory) -> list[Path]:
    root = tmp_path_factory.mktemp("pieces")
    for i in range(1, PIECES + 1):
        done = run("parse", folder, "--shard", f"{i}/{PIECES}", "--out", root / str(i), *OPTIONS)
        assert done.exit_code == 0, done.output
    return sorted(root.iterdir())


def test_merged_pieces_are_the_bytes_of_one_run(folder, whole, pieces, tmp_path):
    done = run("merge", *reversed(pieces), "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    assert content(tmp_path / "out") == content(whole)
    report = json.loads(done.stdout)
    assert (report["files"], report["solids"], report["reasons"]) == (10, 4, {"duplicate": 4, "unreadable": 2})
    assert [reject["file"] for reject in report["rejects"]] == [f"{name}.step" for name in ("2bad", *"456", 7, 9)]
    assert [reject["detail"] for reject in report["rejects"][3:]] == [f"same bytes as {i}.step" for i in (0, 0, 3)]
    assert report["labels"]["used"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_merged_folder_is_one_that_parse_takes_up(folder, pieces, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert run("merge", *pieces, "--out", out).exit_code == 0
    merged = content(out)
    monkeypatch.setattr(chunks, "parse_files", lambda files, *_: iter(()) if not files else pytest.fail("parsed again"))
    assert run("parse", folder, "--out", out, *OPTIONS).exit_code == 0 and content(out) == merged


def test_a_piece_is_parsed_once_and_goes_on_where_it_was_killed(folder, pieces, tmp_path, monkeypatch):
    parsed = []
    real = chunks.parse_files

    def breaking(files, *rest):
        for number, found in enumerate(real(files, *rest)):
            if number == 2:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(chunks, "parse_files", breaking)
    arguments = ("parse", folder, "--shard", "1/3", "--out", tmp_path / "piece", *OPTIONS)
    assert run(*arguments).exit_code == 130 and not (tmp_path / "piece").exists()
    monkeypatch.setattr(chunks, "parse_files", lambda files, *rest: parsed.extend(files) or real(files, *rest))
    for _ in range(2):
        assert run(*arguments).exit_code == 0
        assert [path.name for path in parsed] == ["6.step", "7.step"]
        assert content(tmp_path / "piece") == content(pieces[0])


def test_more_pieces_than_shards_leave_some_empty(folder, whole, tmp_path):
    folders = [tmp_path / str(i) for i in range(1, 8)]
    for i, piece in enumerate(folders, 1):
        assert run("parse", folder, "--shard", f"{i}/7", "--out", piece, *OPTIONS).exit_code == 0
    assert json.loads((folders[6] / "report.json").read_text())["files"] == 0
    assert run("merge", *folders, "--out", tmp_path / "out").exit_code == 0
    assert content(tmp_path / "out") == content(whole)


def test_pieces_that_make_no_whole_are_refused(folder, pieces, tmp_path):
    other, fewer, elsewhere = (tmp_path / name for name in ("other", "fewer", "elsewhere"))
    assert run("parse", folder, "--shard", "2/3", "--out", other, *OPTIONS, "--curvature").exit_code == 0
    assert run("parse", folder, "--shard", "2/4", "--out", fewer, *OPTIONS).exit_code == 0
    assert run("parse", folder / "0.step", "--shard", "2/3", "--out", elsewhere, *OPTIONS).exit_code == 0
    old = tmp_path / "old"
    shutil.copytree(pieces[1], old)
    about = json.loads((old / "piece.json").read_text())
    about["origin"]["code"] = "another"
    (old / "piece.json").write_text(json.dumps(about))
    one, two, three = pieces
    for given, words in (
        ((one, other, three), (str(other), "its curvature is True, not False", "parse one of them again")),
        ((one, fewer, three), (str(fewer), "it is piece 2/4", "1/3")),
        ((one, elsewhere, three), (f"it is of {folder / '0.step'}, not of {folder}",)),
        ((one, old, three), (str(old), "another version of this program")),
        ((one, two), ("1 of 3 pieces are missing: 3/3", f"brep-mae parse {folder} --shard 3/3 --out FOLDER")),
        ((one, two, two, three), (f"{two} and {two}: both are piece 2/3", "name each piece once")),
        ((one, folder, three), (f"{folder}: holds no piece", "`parse --shard`")),
        ((one, tmp_path / "absent"), ("no such file or folder",)),
    ):
        done = run("merge", *given, "--out", tmp_path / "out")
        assert done.exit_code == 1 and not (tmp_path / "out").exists(), given
        for word in words:
            assert word in done.stderr, done.stderr


def test_files_that_changed_before_the_merge_are_told(folder, tmp_path):
    parts = tmp_path / "parts"
    shutil.copytree(folder, parts)
    assert run("parse", parts, "--shard", "1/1", "--out", tmp_path / "piece", *OPTIONS).exit_code == 0
    (parts / "1.step").unlink()
    done = run("merge", tmp_path / "piece", "--out", tmp_path / "out")
    assert done.exit_code == 1 and "files came, went or changed" in done.stderr and "remedy: " in done.stderr


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3"])
def test_a_shard_that_is_none_is_wrong_usage(folder, tmp_path, shard):
    done = run("parse", folder, "--shard", shard, "--out", tmp_path / "out")
    assert done.exit_code == 2 and f"{shard} is not I/N with I from 1 to N" in done.stderr
