"""Whatever is tried, a folder holds the old output or the new one, and what is not ours stays where it was."""

import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brep_mae.output import folder as module
from brep_mae.output.files import OutputError, write_whole
from brep_mae.output.folder import beside, collect, growing_folder, output_folder
from brep_mae.output.note import MARKER, foreign
from tests.full_disk import files_of_at_most


def fill(out: Path, text: str = "new") -> None:
    with output_folder(out) as claim, claim.filled() as new:
        (new / "a.txt").write_text(text)
        (new / "deeper").mkdir()
        (new / "deeper" / "b.txt").write_text(text * 2)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_output_of_ours_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    out = tmp_path / "deep" / "out"
    fill(out, "old")
    fill(out, "new")
    assert content(out).keys() == {"a.txt", "deeper/b.txt", MARKER} and (out / "a.txt").read_text() == "new"
    assert [path.name for path in out.parent.iterdir()] == ["out"] and not foreign(out)
    (tmp_path / "empty").mkdir(mode=0o750)
    fill(tmp_path / "empty")
    assert not foreign(tmp_path / "empty") and stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o750


def a_file(out: Path) -> str:
    (out / "deeper" / "thesis.tex").write_text("years of work")
    return "deeper/thesis.tex"


def a_change(out: Path) -> str:
    (out / "a.txt").write_text("mended by hand")
    return "a.txt"


def a_folder(out: Path) -> str:
    (out / "results").mkdir()
    return "results"


def a_link(out: Path) -> str:
    (out / "link").symlink_to("nowhere")
    return "link"


def no_note(out: Path) -> str:
    (out / MARKER).unlink()
    return "a.txt"


def a_foreign_note(out: Path) -> str:
    (out / MARKER).write_text('{"written": []}')
    return "a.txt"


@pytest.mark.parametrize("change", [a_file, a_change, a_folder, a_link, no_note, a_foreign_note])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_what_this_program_did_not_write_is_named_and_stays(tmp_path, change, when):
    out = tmp_path / "out"
    fill(out, "old")
    named = change(out) if when == "before" else ""
    begun = False
    with pytest.raises(OutputError) as caught, output_folder(out) as claim:
        begun = True
        with claim.filled() as new:
            (new / "a.txt").write_text("new")
            named = change(out)
    assert begun == (when == "meanwhile")
    assert named in str(caught.value) and "remedy: name a new folder" in str(caught.value)
    assert foreign(out)[0] == named and (out / "deeper" / "b.txt").read_text() == "oldold"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_somebody_with_a_report_of_ours_is_not_ours(tmp_path):
    """The file by which a folder once counted as ours is one that many programs write."""
    for name in ("report.json", "thesis.tex"):
        (tmp_path / name).write_text("years of work")
    before = content(tmp_path)
    with pytest.raises(OutputError, match=r"report.json, thesis.tex"):
        fill(tmp_path)
    assert content(tmp_path) == before


def test_the_working_folder_and_those_around_it_are_refused(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for out in (Path("."), Path(".."), tmp_path / "here", Path("/")):
        with pytest.raises(OutputError, match="this command runs in that folder"):
            fill(out)
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


def test_a_link_to_a_folder_stays_and_what_it_points_at_is_filled(tmp_path):
    target, link = tmp_path / "disk" / "out", tmp_path / "link"
    target.mkdir(parents=True)
    link.symlink_to(target)
    for text in ("old", "new"):
        fill(link, text)
    assert link.is_symlink() and (target / "a.txt").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link"]
    assert [path.name for path in target.parent.iterdir()] == ["out"]


def test_what_is_no_folder_that_can_be_replaced_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("text")
    (tmp_path / "broken").symlink_to(tmp_path / "away")
    refused = {tmp_path / "file": "a file", tmp_path / "broken": "a link to .*away, which is not there"}
    refused[tmp_path / "file" / "out"] = "Not a directory"
    if Path("/proc").is_mount():
        refused[Path("/proc")] = "a disk of its own"
    for out, words in refused.items():
        with pytest.raises(OutputError, match=f"{words}.*remedy: "), output_folder(out):
            pytest.fail("work began")
    assert (tmp_path / "file").read_text() == "text" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("swapped", [True, False])
def test_a_failure_at_any_step_leaves_the_old_output_and_the_next_run_clears_up(tmp_path, monkeypatch, swapped):
    """At every call that renames the run fails; where a process could be killed the next one finds the old or new."""
    out = tmp_path / "out"
    if not swapped:
        monkeypatch.setattr(module, "_exchanged", lambda one, other: False)
    real = os.rename
    for last in range(1, 4):
        fill(out, "old")
        calls = []

        def dies(source, target, last=last, calls=calls):
            calls.append(target)
            if len(calls) == last:
                raise KeyboardInterrupt
            real(source, target)

        monkeypatch.setattr(os, "rename", dies)
        with pytest.raises(KeyboardInterrupt) if last < (2 if swapped else 3) else _nothing():
            fill(out, "new")
        monkeypatch.setattr(os, "rename", real)
        with pytest.raises(ZeroDivisionError), output_folder(out):
            raise ZeroDivisionError
        assert not foreign(out) and (out / "a.txt").read_text() in ("old", "new")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


LOOP = """
import sys
from pathlib import Path
from tests.output.test_output_folder import fill
for i in range(10 ** 6):
    fill(Path(sys.argv[1]), str(i))
"""


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environment)


def until(condition, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_killed_at_any_moment_the_folder_is_whole_and_the_next_run_clears_up(tmp_path):
    out, rng = tmp_path / "out", random.Random(0)
    fill(out, "0")
    for _ in range(4):
        before = (out / "a.txt").read_text()
        process = start(LOOP, out)
        until(lambda before=before: (out / "a.txt").is_file() and (out / "a.txt").read_text() not in (before, "0"))
        time.sleep(rng.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises(ZeroDivisionError), output_folder(out):
            raise ZeroDivisionError
        assert not foreign(out) and (out / "deeper/b.txt").read_text() == (out / "a.txt").read_text() * 2
        assert [path.name for path in tmp_path.iterdir()] == ["out"]


HOLD = """
import sys, time
from pathlib import Path
from brep_mae.output.folder import growing_folder, output_folder
out = Path(sys.argv[2])
with {"output": output_folder, "growing": growing_folder}[sys.argv[1]](out):
    (out.parent / "holds").touch()
    time.sleep(600)
"""


@pytest.mark.parametrize("kind", ["output", "growing"])
def test_a_second_process_is_told_at_once_who_writes_the_folder(tmp_path, kind):
    out = tmp_path / "out"
    claim = {"output": output_folder, "growing": growing_folder}[kind]
    process = start(HOLD, kind, out)
    try:
        until((tmp_path / "holds").exists)
        with pytest.raises(OutputError, match=rf"process {process.pid} on .* is writing it; remedy: wait"), claim(out):
            pytest.fail("work began")
    finally:
        process.kill()
        process.wait()
    with claim(out):  # a killed process holds nothing
        pass
    (tmp_path / "holds").unlink()
    assert [path.name for path in tmp_path.iterdir() if any(path.iterdir())] == []


def test_unfinished_work_of_one_output_is_collected_and_nothing_else(tmp_path):
    for name in ("parse-0123456789abcdef", "parse-fedcba9876543210", "parse-mine", "render-0123456789abcdef"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    collect(tmp_path, "parse")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parse-mine", "render-0123456789abcdef"]
    work = beside(tmp_path / "out")
    work.mkdir()
    (work / "thesis.tex").write_text("years of work")
    fill(tmp_path / "out")
    assert (work / "thesis.tex").is_file() and len(list(work.iterdir())) == 1


@pytest.mark.parametrize("mask", [0o022, 0o027])
def test_files_and_folders_get_the_permissions_of_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        fill(tmp_path / "out")
        write_whole(tmp_path / "out" / "c.txt", "text")
    finally:
        os.umask(before)
    for path in (tmp_path / "out", *(tmp_path / "out").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o777 if path.is_dir() else 0o666) & ~mask, path


def test_a_full_disk_is_told_before_work_begins_and_while_it_goes_on(tmp_path):
    out = tmp_path / "out"
    fill(out, "old")
    before = content(out)
    for claim in (output_folder, growing_folder):
        with files_of_at_most(1000), pytest.raises(OutputError, match="File too large; remedy: make room"), claim(out):
            pytest.fail("work began")
        with pytest.raises(OutputError, match="MB are needed; remedy: make room"), claim(out, room=2**60):
            pytest.fail("work began")
    with pytest.raises(OutputError, match=f"{out}: File too large; remedy: make room"):
        with output_folder(out) as claim, claim.filled() as new, files_of_at_most(1000):
            (new / "large").write_bytes(bytes(2000))
    assert content(out) == before and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path):
    path = tmp_path / "file"
    write_whole(path, "old")
    with files_of_at_most(1000), pytest.raises(OSError):
        write_whole(path, bytes(2000))
    assert content(tmp_path) == {"file": b"old"}
