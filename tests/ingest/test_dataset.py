import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from brep_mae import closure
from brep_mae.brep.reject import Reject
from brep_mae.brep.workers.pool import file_key
from brep_mae.datasets.lazy.listed import LEFT_OUT, REJECTS, read_list
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.source import Source, open_source
from brep_mae.datasets.splits import read_split
from brep_mae.ingest import chunks, dataset, origin
from brep_mae.ingest.origin import origin_of
from brep_mae.output.files import OutputError
from brep_mae.settings import ParseParams, SplitParams
from tests.brep.solids import box, write_step

PARSE = ParseParams(
    grid=4, field_pool=16, field_samples=4, curvature=False, split_closed=False, deadline_s=60, memory_mb=2000
)
SPLIT = SplitParams(validation=0.2, test=0.2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Eight boxes, one file that is no STEP file, one copy of the first."""
    root = tmp_path_factory.mktemp("steps")
    for i in range(8):
        write_step(root / f"{i}.step", box(1, 2, i + 1))
    (root / "3bad.step").write_text("no STEP")
    shutil.copyfile(root / "0.step", root / "copy.step")
    return root


def content(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_every_file_is_a_record_or_a_counted_reject(folder, tmp_path):
    source = open_source("solids", str(folder), 0, tmp_path)
    out = tmp_path / "out"
    report = dataset.parse_dataset(source, out, PARSE, SPLIT, 2, tmp_path / "work")
    assert (report.files, report.solids, report.faces, report.arcs) == (10, 8, 48, 192)
    assert report.reasons == {"duplicate": 1, "unreadable": 1}
    assert report.files_without_solid == 2
    assert [(r["file"], r["solid"]) for r in report.rejects] == [
        ("3bad.step", None),
        ("copy.step", None),
    ]
    assert "0.step" in report.rejects[1]["detail"]
    shards = open_shards(out)
    assert shards.files == [f"{i}.step" for i in range(8)]
    assert report.labels is None and (shards[0].face_label == -1).all(), "labels are joined by a stage of their own"
    sides = read_split(out / "split.parquet").values()
    assert sorted(uid for uids in sides for uid in uids) == sorted(shards.uids)
    stored = json.loads((out / "report.json").read_text())
    assert "rejects" not in stored and "solids_per_s" not in stored
    assert read_list(out / REJECTS, LEFT_OUT, "") == report.rejects
    about = json.loads((out / "dataset.json").read_text())
    assert (about["name"], about["licence"], about["parse"]["grid"]) == ("solids", "unknown", 4)
    assert not list((tmp_path / "work").iterdir())


RUN = """
import sys
from pathlib import Path
from brep_mae.datasets.source import open_source
from brep_mae.ingest import chunks, dataset
from tests.ingest.test_dataset import PARSE, SPLIT
if __name__ == "__main__":
    chunks.FILES_PER_SHARD = 2
    folder, out, work, workers = sys.argv[1:]
    source = open_source("solids", folder, 0, Path(work))
    dataset.parse_dataset(source, Path(out), PARSE, SPLIT, int(workers), Path(work))
"""


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(folder, tmp_path, monkeypatch):
    script = tmp_path / "run.py"
    script.write_text(RUN)
    work, out = tmp_path / "work", tmp_path / "out"
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    arguments = [sys.executable, str(script), str(folder), str(out), str(work), "1"]
    process = subprocess.Popen(arguments, env=environment, start_new_session=True)
    limit = time.monotonic() + 60
    while not list(work.glob("parse-*/*.done")) and time.monotonic() < limit:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    (unfinished,) = work.glob("parse-*")
    finished = {path.stem for path in unfinished.glob("*.done")}
    assert finished and len(finished) < 5
    before = {path.name: path.stat().st_mtime_ns for path in unfinished.iterdir()}

    parsed = []
    real = chunks.parse_files

    def watched(files, options, workers):
        parsed.extend(files)
        now = {path.name: path.stat().st_mtime_ns for path in unfinished.iterdir()}
        assert now == before
        return real(files, options, workers)

    monkeypatch.setattr(chunks, "parse_files", watched)
    monkeypatch.setattr(chunks, "FILES_PER_SHARD", 2)
    source = open_source("solids", str(folder), 0, tmp_path)
    resumed = dataset.parse_dataset(source, out, PARSE, SPLIT, 2, work)
    kept = [path for i, path in enumerate(source.files) if f"{i // 2:05d}" in finished]
    assert not set(parsed) & set(kept) and len(parsed) == 10 - len(kept)
    assert resumed.solids == 8

    monkeypatch.setattr(chunks, "parse_files", real)
    dataset.parse_dataset(source, tmp_path / "again", PARSE, SPLIT, 1, tmp_path / "work2")
    assert content(out) == content(tmp_path / "again")


def test_files_are_parsed_while_a_shard_is_written(folder, tmp_path, monkeypatch):
    later, write = threading.Event(), chunks.write_shard

    def watched(files, options, workers):
        for number, found in enumerate(real(files, options, workers)):
            if number == 3:
                later.set()
            yield found

    def slow(path, graphs):
        assert path.stem != "00000" or later.wait(10), "nothing was parsed meanwhile"
        write(path, graphs)

    real = chunks.parse_files
    monkeypatch.setattr(chunks, "FILES_PER_SHARD", 2)
    monkeypatch.setattr(chunks, "parse_files", watched)
    monkeypatch.setattr(chunks, "write_shard", slow)
    source = open_source("solids", str(folder), 0, tmp_path)
    assert dataset.parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1).solids == 8


def test_other_settings_or_files_do_not_take_up_old_shards(folder, tmp_path):
    source = open_source("solids", str(folder), 0, tmp_path)
    key = origin_of(source, PARSE).key
    assert origin_of(replace(source, label_files=(folder / "0.step",)), PARSE).key == key
    assert origin_of(source, PARSE.model_copy(update={"grid": 5})).key != key
    assert origin_of(replace(source, files=source.files[1:]), PARSE).key != key


def test_nothing_but_rejects_is_an_error(tmp_path):
    (tmp_path / "bad.step").write_text("no STEP")
    source = Source("solids", "unknown", tmp_path, [tmp_path / "bad.step"], (), (), lambda graph: graph)
    with pytest.raises(ValueError, match="unreadable"):
        dataset.parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1, tmp_path / "work")


def test_a_body_left_out_of_a_file_is_listed_with_its_place(folder, tmp_path, monkeypatch):
    real = chunks.parse_files

    def with_sheets(files, options, workers):
        for path, found in real(files, options, workers):
            sheet = Reject("no_solid", f"{path.name}: an open sheet")
            yield path, [sheet, *found, sheet] if path.name == "1.step" else [sheet] if path.name == "4.step" else found

    monkeypatch.setattr(chunks, "parse_files", with_sheets)
    source = open_source("solids", str(folder), 0, tmp_path)
    source = replace(source, files=[path for path in source.files if path.name in ("1.step", "4.step", "5.step")])
    report = dataset.parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1, tmp_path / "work")
    assert (report.files, report.files_without_solid, report.solids, report.reasons) == (3, 1, 2, {"no_solid": 3})
    assert [(r["file"], r["solid"]) for r in report.rejects] == [("1.step", 0), ("1.step", 2), ("4.step", 0)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, the disk that is always full")
def test_a_full_disk_is_a_clear_error_and_costs_nothing_finished(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "FILES_PER_SHARD", 2)
    source = open_source("solids", str(folder), 0, tmp_path)
    work, out = tmp_path / "work", tmp_path / "out"
    dataset.parse_dataset(replace(source, files=source.files[:1]), out, PARSE, SPLIT, 1, work)
    before = content(out)
    kept = work / f"parse-{origin_of(source, PARSE).key}"
    kept.mkdir(parents=True)
    (kept / "00002.writing").symlink_to("/dev/full")
    with pytest.raises(OutputError) as caught:
        dataset.parse_dataset(source, out, PARSE, SPLIT, 1, work)
    for words in ("00002", os.strerror(errno.ENOSPC), "remedy: make room and run the same again", str(kept)):
        assert words in str(caught.value)
    assert sorted(path.name for path in kept.iterdir()) == ["00000.arrow", "00000.done", "00001.arrow", "00001.done"]
    assert content(out) == before

    asked = []
    real = chunks.parse_files
    monkeypatch.setattr(chunks, "parse_files", lambda files, *rest: asked.extend(files) or real(files, *rest))
    assert dataset.parse_dataset(source, out, PARSE, SPLIT, 1, work).solids == 8
    assert asked == source.files[4:]


@pytest.mark.parametrize("where", ["below a file", "refused by the system"])
def test_an_output_that_cannot_be_written_is_an_error_before_any_work(folder, tmp_path, monkeypatch, where):
    monkeypatch.setattr(chunks, "parse_files", lambda *_: pytest.fail("work began"))
    source = open_source("solids", str(folder), 0, tmp_path)
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    if where == "refused by the system":
        out = Path("/sys/kernel/out")  # root, too, is refused there
        if not out.parent.is_dir():
            pytest.skip("no /sys, where the system refuses every new folder")
    with pytest.raises(OutputError, match=f"{out.parent}.*remedy: name a place that can be written to"):
        dataset.parse_dataset(source, out, PARSE, SPLIT, 1, tmp_path / "work")
    with pytest.raises(OutputError, match=str(out.parent)):
        dataset.parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1, out)


def test_shards_of_another_parser_are_not_taken_up(folder, tmp_path, monkeypatch):
    package = tmp_path / "brep_mae"
    shutil.copytree(closure.ROOT / "brep_mae", package, ignore=shutil.ignore_patterns("__pycache__"))
    source = open_source("solids", str(folder), 0, tmp_path)
    key = origin_of(source, PARSE).key
    monkeypatch.setattr(closure, "ROOT", tmp_path)
    assert origin_of(source, PARSE).key == key
    for name, counts in (
        ("brep/faces/trimming.py", True),
        ("brep/workers/worker.py", True),
        ("datasets/shards.py", True),
        ("schema.py", True),
        (
            "datasets/adapters/solids.py",
            False,
        ),  # which files there are, and what they are labelled, is no part of a shard
        ("datasets/splits.py", False),
        ("brep/render/turntable.py", False),
    ):
        with (package / name).open("a") as file:
            file.write("# other code\n")
        assert (origin_of(source, PARSE).key != key) == counts, name
        key = origin_of(source, PARSE).key
    monkeypatch.setattr(origin.importlib.metadata, "version", lambda name: "another")
    assert origin_of(source, PARSE).key != key


def test_progress_tells_rate_rejects_and_time_left(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("brep_mae.progress.EVERY_S", 0.0)
    source = open_source("solids", str(folder), 0, tmp_path)
    dataset.parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1, tmp_path / "work")
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"parse 5/10, \d+\.\d/s, \d+:\d\d:\d\d left, 1 left out", lines[5]), lines
    assert re.fullmatch(r"parse 10/10, \d+\.\d/s, 1 left out", lines[-1]), lines


def test_what_the_system_refuses_is_a_reject_of_its_own(folder, tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(Reject) as caught:
        file_key(folder / "0.step")
    assert (caught.value.reason, caught.value.detail) == ("no_access", "0.step: Permission denied")
    monkeypatch.undo()
    root = tmp_path / "parts"
    (root / "locked").mkdir(parents=True)
    shutil.copyfile(folder / "0.step", root / "a.step")
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: refused() if Path(path).name == "locked" else real(path))
    source = open_source("solids", str(root), 0, tmp_path)
    monkeypatch.undo()
    report = dataset.parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1)
    reject = {"file": "locked", "solid": None, "reason": "no_access", "detail": "locked: Permission denied"}
    assert report.rejects == [reject] and report.reasons == {"no_access": 1} and report.files_without_solid == 0
