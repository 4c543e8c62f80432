"""New, changed and removed files and labels are noticed by `dvc repro`, and nothing else runs again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.source import open_source
from pipelines import list as listing
from tests.brep.solids import box, write_step
from tests.conftest import TOP

STAGES = ("list", "parse", "label")
HEADER = "file,solid,face,class\n"


def project(folder: Path, parts: Path) -> None:
    """The first stages of the default graph, on a folder of parts; the code they depend on is not copied."""
    stages = yaml.safe_load((TOP / "dvc.yaml").read_text())["stages"]
    few = {name: stages[name] for name in STAGES}
    for stage in few.values():
        stage["cmd"] = stage["cmd"].replace("python", sys.executable, 1)
        stage["deps"] = [dep for dep in stage["deps"] if dep.startswith("data/") and dep != "data/source"]
    folder.mkdir()
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": few}, sort_keys=False))
    params = yaml.safe_load((TOP / "params.yaml").read_text())
    params["dataset"] = {"name": "solids", "path": str(parts), "limit": 0}
    params["parse"] |= {"grid": 4, "field_pool": 16, "field_samples": 4}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def dvc(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(TOP), "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def repro(folder: Path) -> list[str]:
    """The stages that ran."""
    return re.findall(r"^Running stage '(\w+)'", dvc(folder, "repro"), re.MULTILINE)


def stored(folder: Path) -> dict[str, list[int]]:
    shards = open_shards(folder / "data" / "parsed", folder / "data" / "labels")
    return {graph.file: graph.face_label.tolist() for graph in shards}


def test_dvc_runs_again_what_a_changed_file_or_label_concerns_and_nothing_else(tmp_path):
    folder, parts = tmp_path / "project", tmp_path / "parts"
    parts.mkdir()
    for i in range(3):
        write_step(parts / f"{i}.step", box(1, 2, 3 + i))
    project(folder, parts)
    dvc(folder, "init", "--no-scm", "--quiet")
    assert repro(folder) == ["list", "parse", "label"]
    assert stored(folder) == {f"{i}.step": [-1] * 6 for i in range(3)}

    os.utime(parts / "0.step")
    (parts / "labels.csv").write_text(f"{HEADER}0.step,,1,hole\n")
    assert repro(folder) == ["list", "label"], "the time of a file alone is no change"
    assert stored(folder)["0.step"] == [-1, 0, -1, -1, -1, -1]

    (parts / "labels.csv").write_text(f"{HEADER}0.step,,2,slot\nnew.step,,0,hole\n0.step,,9,hole\n")
    (parts / "1.step").unlink()
    write_step(parts / "2.step", box(1, 2, 9))
    write_step(parts / "new.step", box(1, 2, 7))
    assert repro(folder) == ["list", "parse", "label"]
    assert stored(folder) == {"0.step": [-1] * 6, "2.step": [-1] * 6, "new.step": [0, -1, -1, -1, -1, -1]}
    about = json.loads((folder / "data" / "labels" / "labels.json").read_text())
    assert (about["rows"], about["used"], about["unused"]) == (3, 1, 2)


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in ("a", "b", "c"):
        (parts / f"{name}.step").write_text(name)
    (parts / "gone.step").symlink_to("nowhere")
    return lambda: open_source("solids", str(parts), 0, tmp_path)


def test_a_list_names_every_file_with_its_content(source, tmp_path):
    lines = listing.cad_list(source(), "list")
    assert [line[0] for line in lines] == ["a.step", "b.step", "c.step", "gone.step"]
    assert lines[0][1:] == (1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")
    assert lines[3][1:] == (0, "No such file or directory")
    before = listing.cad_list(source(), "list")
    assert before == listing.cad_list(source(), "other"), "whatever is remembered"
    (tmp_path / "parts" / "b.step").write_text("B")
    changed = listing.cad_list(source(), "list")
    assert [old == new for old, new in zip(lines, changed, strict=True)] == [True, False, True, True]


def test_only_what_has_changed_is_read_again(source, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "SETTLED_NS", -1)
    opened = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *rest, **more: opened.append(path.name) or real(path, *rest, **more))

    def read() -> list[str]:
        opened.clear()
        listing.cad_list(source(), "list")
        return [name for name in opened if name.endswith(".step")]

    assert read() == ["a.step", "b.step", "c.step"] and read() == []
    times = (tmp_path / "parts" / "b.step").stat()
    (tmp_path / "parts" / "b.step").write_text("x")
    os.utime(tmp_path / "parts" / "b.step", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert read() == ["b.step"], "as large as before, and with its time of change put back"
    monkeypatch.setattr(listing, "SETTLED_NS", 10**18)
    (tmp_path / "parts" / "c.step").write_text("y")
    assert read() == ["c.step"] and read() == ["a.step", "b.step", "c.step"], "changed while it was read, perhaps"
