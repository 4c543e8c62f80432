"""Parts that are read from an object store and shards that are written to one: a server of S3 on this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest

from brep_mae.ingest import chunks
from brep_mae.ingest.stores import incoming, outgoing
from brep_mae.ingest.stores.address import StoreError
from tests.brep.solids import box, write_step
from tests.ingest.conftest import ok, run
from tests.ingest.test_dataset import content

OPTIONS = ("--workers", 1, "--grid", 4, "--field-pool", 16, "--field-samples", 4)
FILES = 9
PARTS = "s3://store/parts"

pytestmark = pytest.mark.usefixtures("two_files_a_shard", "scratch", "parts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Boxes, a copy of the first, one file that is no STEP file, and labels."""
    root = tmp_path_factory.mktemp("steps")
    (root / "deeper").mkdir()
    for i in range(FILES):
        write_step(root / ("deeper" if i % 2 else "") / f"{i}.step", box(1, 2, i % 8 + 1))
    (root / "bad.step").write_text("no STEP")
    (root / "labels.csv").write_text("file,solid,face,class\n0.step,,1,hole\n8.step,,,plate\n")
    return root


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "shards"
    ok("parse", folder, "--out", out, *OPTIONS)
    return content(out)


@pytest.fixture(scope="module")
def parts(s3, folder) -> None:
    """The folder, in the store."""
    s3.put(f"{folder}/", "store/parts", recursive=True)


def stored(fs: fsspec.AbstractFileSystem, prefix: str) -> dict[str, bytes]:
    return {path.removeprefix(f"{prefix}/"): fs.cat_file(path) for path in fs.find(prefix)}


def same(made: dict[str, bytes], whole: dict[str, bytes]) -> bool:
    """All but the key of the origin, which knows files by what holds them, and the note that has its hash."""
    of_origin = ("parsed.key", ".brep_mae.json")
    return made.keys() == whole.keys() and all(made[name] == whole[name] for name in whole if name not in of_origin)


def test_a_store_is_read_and_written_to_the_bytes_of_a_folder(s3, whole, tmp_path, scratch, monkeypatch):
    monkeypatch.setattr(incoming, "AHEAD", 1)
    most = []
    real = chunks.parse_files

    def watched(files, options, workers):
        for found in real(files, options, workers):
            most.append(len(list(options.root.rglob("*.step"))))
            yield found

    monkeypatch.setattr(chunks, "parse_files", watched)
    done = ok("parse", PARTS, "--out", "s3://store/shards", *OPTIONS)
    assert "s3://store/shards/rejects.parquet" in done.stdout
    assert "2 of 2 rows, 1 faces, 2 solids labelled" in done.stdout
    assert same(stored(s3, "store/shards"), whole)
    assert max(most) <= 3, "few files lie here at once"
    ok("parse", PARTS, "--out", tmp_path / "out", *OPTIONS)
    assert same(content(tmp_path / "out"), whole) and not list(scratch.iterdir())


def test_pieces_of_a_store_are_merged_to_the_bytes_of_a_folder(s3, whole, tmp_path, scratch, monkeypatch):
    pieces = ["s3://store/pieces/1", str(tmp_path / "2"), "s3://store/pieces/3/"]
    for number, piece in enumerate(pieces, 1):
        ok("parse", PARTS, "--shard", f"{number}/3", "--out", piece, *OPTIONS)
    monkeypatch.setattr(chunks, "parse_files", lambda *_: pytest.fail("parsed again"))
    before = s3.find("store/pieces", detail=True)
    ok("merge", *pieces, "--out", "s3://store/merged")
    assert same(stored(s3, "store/merged"), whole) and not list(scratch.iterdir())
    monkeypatch.undo()
    monkeypatch.setattr(chunks, "FILES_PER_SHARD", 2)
    monkeypatch.setattr(chunks, "parse_files", lambda files, *_: iter(()) if not files else pytest.fail("parsed again"))
    ok("parse", PARTS, "--shard", "1/3", "--out", pieces[0], *OPTIONS)
    assert s3.find("store/pieces", detail=True) == before, "a finished piece is left as it is"
    done = run("merge", *pieces[:2], "--out", tmp_path / "out")
    assert done.exit_code == 1 and f"brep-mae parse {PARTS} --shard 3/3" in done.stderr, done.stderr


SCRIPT = """
import sys
from brep_mae.cli import main
from brep_mae.ingest import chunks
if __name__ == "__main__":
    chunks.FILES_PER_SHARD = 2
    main()
"""


def test_a_killed_run_goes_on_from_what_the_store_holds(s3, whole, tmp_path, monkeypatch):
    (tmp_path / "run.py").write_text(SCRIPT)
    arguments = ("parse", PARTS, "--out", "s3://store/killed", *OPTIONS)
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(tmp_path / "run.py"), *map(str, arguments)]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    limit = time.monotonic() + 60
    while not s3.glob("store/killed/.work/parse-*/*.done") and time.monotonic() < limit:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {Path(path).stem for path in s3.glob("store/killed/.work/parse-*/*.done")}
    assert finished and "store/killed/.brep_mae.json" not in s3.find("store/killed")
    parsed = []
    real = chunks.parse_files
    monkeypatch.setattr(chunks, "parse_files", lambda files, *rest: parsed.extend(files) or real(files, *rest))
    ok(*arguments)
    assert len(parsed) == FILES + 1 - 2 * len(finished) and same(stored(s3, "store/killed"), whole)


def test_what_was_made_before_is_taken_up_or_replaced_and_nothing_else(s3, whole, monkeypatch):
    arguments = ("parse", PARTS, "--out", "s3://store/again", *OPTIONS)
    ok(*arguments)
    before = s3.find("store/again", detail=True)
    real = chunks.parse_files
    monkeypatch.setattr(chunks, "parse_files", lambda *_: pytest.fail("parsed again"))
    ok(*arguments)
    assert s3.find("store/again", detail=True) == before
    monkeypatch.setattr(chunks, "parse_files", real)
    put = outgoing.Outgoing._put
    monkeypatch.setattr(outgoing.Outgoing, "_put", _stopping(put, 9))
    assert run("parse", f"{PARTS}/deeper", "--out", "s3://store/again", *OPTIONS).exit_code == 1
    monkeypatch.setattr(outgoing.Outgoing, "_put", put)
    assert "store/again/.brep_mae.json" not in s3.find("store/again"), "half a folder is not taken for a whole one"
    ok(*arguments[:-2], "--field-samples", 5)
    assert stored(s3, "store/again").keys() == whole.keys()
    s3.pipe_file("store/again/notes.txt", b"mine")
    done = run(*arguments)
    assert (
        done.exit_code == 1 and "s3://store/again: holds something else" in done.stderr and "notes.txt" in done.stderr
    )


def _stopping(put, most: int):
    """An upload that works so many times."""
    times = iter(range(most))

    def limited(*arguments) -> None:
        if next(times, None) is None:
            raise StoreError("the network is gone")
        put(*arguments)

    return limited
