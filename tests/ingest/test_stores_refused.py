"""What cannot be read from a store or written to one, and what may not be taken from it."""

import json
import sys
from collections.abc import Iterator

import fsspec
import pytest

from brep_mae.ingest import chunks
from tests.brep.solids import box, write_step
from tests.ingest.conftest import SECRET, ok, run

OPTIONS = ("--workers", 1, "--grid", 4, "--field-pool", 16, "--field-samples", 4)

pytestmark = pytest.mark.usefixtures("scratch")


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """A store in this process."""
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()


@pytest.fixture
def step(tmp_path) -> bytes:
    write_step(tmp_path / "made.step", box(1, 2, 3))
    return (tmp_path / "made.step").read_bytes()


def test_names_that_are_none_of_files_are_left_out_and_written_nowhere(s3, step, tmp_path):
    bad = {"../out.step", "a/../../up.step", "a//b.step", f"{'x' * 256}.step", "folder.step"}
    for name in (*bad, "folder.step/in.step"):
        s3.pipe_file(f"store/parts/{name}", step)
    before = {path for path in tmp_path.rglob("*")}
    done = ok("parse", "s3://store/parts", "--out", tmp_path / "out", *OPTIONS, "--json")
    report = json.loads(done.stdout)
    assert {reject["detail"].split(": ")[0] for reject in report["rejects"] if reject["reason"] == "bad_name"} == bad
    assert report["solids"] == 1 and {path for path in tmp_path.rglob("*")} - before == {
        tmp_path / "out",
        *(tmp_path / "out").rglob("*"),
    }


def test_an_object_that_was_removed_meanwhile_is_missing_and_stops_nothing(memory, step, tmp_path, monkeypatch):
    for name in ("gone.step", "good.step"):
        memory.pipe_file(f"/parts/{name}", step)
    real = chunks.parse_files

    def late(files, *rest):
        memory.rm("/parts/gone.step")
        return real(files, *rest)

    monkeypatch.setattr(chunks, "parse_files", late)
    done = ok("parse", "memory://parts", "--out", tmp_path / "out", *OPTIONS, "--json")
    assert json.loads(done.stdout)["reasons"] == {"missing": 1}


def test_other_content_is_parsed_again(memory, step, tmp_path):
    keys = []
    for content in (step, step + b"\n"):
        memory.pipe_file("/parts/a.step", content)
        ok("parse", "memory://parts", "--out", tmp_path / "out", *OPTIONS)
        keys.append((tmp_path / "out" / "parsed.key").read_text())
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    "inputs, out, words",
    [
        (("s3://nowhere/parts",), "out", ("s3://nowhere/parts: The specified bucket does not exist", "check the addr")),
        (("made.step",), "s3://nowhere/out", ("s3://nowhere/out", "does not exist", "remedy: check the address")),
        (("s3://store/empty",), "out", ("s3://store/empty: holds no CAD file",)),
        (("s3://anyone:not-to-be-told@store/parts",), "out", ("s3://store/parts: given with cred", "remedy: name the")),
        (("https://store/parts?sig=not-to-be-told",), "out", ("https://store/parts: given with credentials",)),
        (("nothing://store/parts",), "out", ("nothing://store/parts", "Protocol not known", "check the address")),
        (("s3://store/a", "s3://store/b"), "out", ("several places; remedy: name one address alone",)),
    ],
)
def test_a_place_that_is_none_is_told_before_any_work(s3, step, tmp_path, monkeypatch, inputs, out, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chunks, "parse_files", lambda *_: pytest.fail("work began"))
    done = run("parse", *inputs, "--out", out, *OPTIONS)
    assert done.exit_code == 1 and not (tmp_path / "out").exists(), done.output
    for word in words:
        assert word in done.stderr, done.stderr
    assert SECRET not in done.output


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", ("Could not connect", "network", "run the same again")),
        ("AWS_ACCESS_KEY_ID", "", ("redentials", "remedy: give credentials", "AWS_PROFILE")),
    ],
)
def test_a_store_that_does_not_answer_or_let_in_is_told(s3, tmp_path, monkeypatch, name, value, words):
    for setting in ((name, value), ("AWS_MAX_ATTEMPTS", "1"), ("AWS_EC2_METADATA_DISABLED", "true")):
        monkeypatch.setenv(*setting)
    s3.clear_instance_cache()
    done = run("parse", "s3://store/parts", "--out", tmp_path / "out", *OPTIONS)
    s3.clear_instance_cache()
    assert done.exit_code == 1 and "s3://store/parts: " in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert SECRET not in done.output


def test_a_network_that_is_lost_in_the_middle_costs_nothing_finished(memory, step, tmp_path, monkeypatch):
    for number in range(8):
        memory.pipe_file(f"/parts/{number}.step", step + b"\n" * number)
    real = type(memory).get_file

    def lost(self, path, *rest):
        if path.endswith("7.step"):
            raise ConnectionError("the cable is out")
        return real(self, path, *rest)

    monkeypatch.setattr(chunks, "FILES_PER_SHARD", 2)
    monkeypatch.setattr(type(memory), "get_file", lost)
    done = run("parse", "memory://parts", "--out", "memory://out", *OPTIONS)
    assert done.exit_code == 1, done.output
    assert "memory://parts/7.step: the cable is out; remedy: check address and network, and run the sa" in done.stderr
    assert not memory.exists("/out/.brep_mae.json")
    monkeypatch.setattr(type(memory), "get_file", real)
    parsed = []
    parse = chunks.parse_files
    monkeypatch.setattr(chunks, "parse_files", lambda files, *rest: parsed.extend(files) or parse(files, *rest))
    done = ok("parse", "memory://parts", "--out", "memory://out", *OPTIONS, "--json")
    assert json.loads(done.stdout)["solids"] == 8 and len(parsed) < 8


def test_what_no_place_can_be_is_wrong_usage(tmp_path):
    for inputs, out in (("s3://store/parts", tmp_path / "out"), (tmp_path, "s3://store/out")):
        done = run("parse", inputs, "--out", out, "--cluster", "auto")
        assert done.exit_code == 2 and "parse pieces of a store with --shard" in done.stderr


def test_errors_about_a_folder_here_name_the_place_in_the_store(memory, tmp_path):
    memory.pipe_file("/parts/bad.step", b"no STEP")
    done = run("parse", "memory://parts", "--out", tmp_path / "out", *OPTIONS)
    assert done.exit_code == 1 and "Error: memory://parts: none of 1 files gave a solid" in done.stderr


def test_a_store_whose_library_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    done = run("parse", "gs://store/parts", "--out", tmp_path / "out", *OPTIONS)
    assert done.exit_code == 1 and "gs://store/parts: " in done.stderr and "gcsfs" in done.stderr, done.output
