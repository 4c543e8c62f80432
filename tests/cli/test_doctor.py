"""`brep-mae doctor` finds what is missing, and only then exits with 1."""

import json
from importlib import metadata

import pytest

from brep_mae.brep.reject import Reject
from tests.cli.small_tasks import run


def findings() -> tuple[int, dict[str, dict[str, object]]]:
    done = run("doctor", "--json")
    said = json.loads(done.stdout)
    assert said["fine"] == (done.exit_code == 0)
    return done.exit_code, {one["name"]: one for one in said["findings"]}


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that reads and draws the box, as said by others' tests; it takes seconds."""
    monkeypatch.setattr("brep_mae.brep.workers.pool.run_files", lambda files, *_: iter([(files[0], 6)]))
    monkeypatch.setattr("brep_mae.brep.render.pool.render_files", lambda files, *_: iter([(files[0], {"#0": None})]))


def test_a_whole_installation_is_fine() -> None:
    code, found = findings()
    assert code == 0 and {"Python", "torch", "cadquery-ocp", "memory", "CAD kernel", "pictures"} <= found.keys()


@pytest.mark.parametrize(("library", "code"), [("timm", 1), ("dvc", 0)])
@pytest.mark.parametrize("version", [None, "0.0.1"])
def test_a_library_that_is_missing_or_too_old_is_named_with_its_remedy(monkeypatch, library, code, version) -> None:
    known = metadata.version

    def without(name: str) -> str:
        if name != library:
            return known(name)
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", without)
    exit_code, found = findings()
    assert exit_code == code
    assert not found[library]["fine"] and f"pip install '{library}>=" in str(found[library]["remedy"])


def test_a_folder_that_cannot_be_written_to_is_an_error(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: (_ for _ in ()).throw(PermissionError(13, "denied")))
    code, found = findings()
    assert code == 1 and "denied" in str(found["this folder"]["found"]) and found["this folder"]["remedy"]


@pytest.mark.parametrize("how", ["raises", "rejects"])
def test_a_kernel_that_does_not_work_is_told_with_the_remedy(monkeypatch, how) -> None:
    def broken(files, *_):
        if how == "raises":
            raise RuntimeError("the CAD kernel needs the system library libGL.so.1; remedy: apt-get install libgl1")
        return iter([(files[0], Reject("crash", "the process ended by SIGSEGV"))])

    monkeypatch.setattr("brep_mae.brep.workers.pool.run_files", broken)
    code, found = findings()
    assert code == 1 and not found["CAD kernel"]["fine"] and "apt-get install libgl1" in str(found["CAD kernel"])
