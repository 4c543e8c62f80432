"""Files and places that users have and that nothing can be made of: fit and predict tell which, why, and what to do."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeFace
from OCP.gp import gp_Pln
from OCP.IFSelect import IFSelect_RetDone
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Writer

from brep_mae.tracking import tracking
from tests.brep.solids import box, write_step
from tests.cli.small_tasks import box_or_cylinder, ok, run
from tests.full_disk import files_of_at_most

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
ODD_NAMES = ["with space.step", "naïve-部品.step", 'it\'s "it".step', "<script>alert(1)<script>.step"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("odd")
    for i in range(4):
        write_step(root / f"{i}.step", box_or_cylinder(i))
    lines = [f"{i}.step,{'shaft' if i % 2 else 'block'}" for i in range(4)]
    (root / "labels.csv").write_text("file,class\n" + "\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "open_mlflow", lambda: None)
        patch.setattr(tracking, "root", lambda: root)
        ok("fit", root, "--out", root / "model", "--encoder", "none", "--workers", 1)
    return root / "model"


@pytest.fixture
def untracked(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setattr(tracking, "open_mlflow", lambda: None)
    monkeypatch.setattr(tracking, "root", lambda: tmp_path_factory.mktemp("runs"))


def bad_files(folder: Path) -> dict[str, str]:
    """Writes them; name -> what must be told of it."""
    folder.mkdir(exist_ok=True)
    whole = write_step(folder / "whole.step", box(1, 2, 3)).read_text()
    (folder / "empty.step").write_text("")
    (folder / "truncated.step").write_text(whole[: len(whole) // 2])
    (folder / "picture.step").write_bytes(PNG)
    (folder / "nothing.step").write_text(whole.split("DATA;")[0] + "DATA;\nENDSEC;\nEND-ISO-10303-21;\n")
    sheet = STEPControl_Writer()
    sheet.Transfer(BRepBuilderAPI_MakeFace(gp_Pln(), 0.0, 1.0, 0.0, 1.0).Face(), STEPControl_AsIs)
    assert sheet.Write(str(folder / "sheet.step")) == IFSelect_RetDone
    (folder / "whole.step").unlink()
    return {
        "empty.step": "but empty",
        "truncated.step": "a broken STEP file",
        "picture.step": "a PNG image",
        "nothing.step": "nothing in it could be made into a shape",
        "sheet.step": "an open shell",
    }


def told(done: Result) -> str:
    assert done.exit_code == 1 and "Traceback" not in done.output, done.output
    return done.output


def test_a_file_that_holds_no_solid_is_named_with_the_reason_and_costs_itself_alone(model, tmp_path):
    reasons = bad_files(tmp_path)
    text = told(run("predict", tmp_path, "--model", model, "--html", tmp_path / "page.html", "--workers", 1))
    assert "none of 5 files could be used" in text and not (tmp_path / "page.html").exists()
    write_step(tmp_path / "good.step", box(1, 2, 3))
    said = json.loads(ok("predict", tmp_path, "--model", model, "--json", "--workers", 1))["each"]
    assert {one["file"] for one in said} == {*reasons, "good.step"}
    for one in said:
        assert one["file"] == "good.step" or one["file"] in one["detail"], one
        assert reasons.get(one["file"], "") in one.get("detail", ""), one


def test_only_such_files_can_not_be_learned_from(untracked, tmp_path):
    names = bad_files(tmp_path / "parts")
    (tmp_path / "labels.csv").write_text("file,class\n" + "".join(f"{name},a\n" for name in names))
    done = run("fit", tmp_path / "parts", "--labels", tmp_path / "labels.csv", "--out", tmp_path / "model")
    text = told(done)
    assert "none of 5 files gave a solid" in text and "remedy" in text and not (tmp_path / "model").exists()


def test_odd_names_are_answered_for_by_their_own(model, tmp_path):
    (tmp_path / "parts").mkdir()
    for name in ODD_NAMES:
        write_step(tmp_path / "parts" / name, box(1, 2, 3))
    page, step = tmp_path / "my page.html", tmp_path / "my step"
    said = json.loads(
        ok("predict", tmp_path / "parts", "--model", model, "--html", page, "--step", step, "--json", "--workers", 1)
    )
    assert sorted(one["file"] for one in said["each"]) == sorted(ODD_NAMES)
    assert sorted(path.name for path in step.glob("*.step")) == sorted(ODD_NAMES)
    assert "<script>alert" not in page.read_text()


def test_a_table_that_leads_out_of_the_folder_labels_nothing(untracked, tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    for i in range(4):
        write_step(parts / f"{i}.step", box_or_cylinder(i))
    write_step(tmp_path / "outside.step", box(1, 2, 3))
    rows = "".join(f"{i}.step,{'shaft' if i % 2 else 'block'}\n" for i in range(4))
    (parts / "labels.csv").write_text("file,class\n../outside.step,block\n" + rows)
    done = run("fit", parts, "--out", tmp_path / "model", "--encoder", "none", "--workers", 1)
    assert done.exit_code == 0 and "line 2" in done.output and "../outside.step" in done.output, done.output


def test_a_full_disk_leaves_no_half_of_a_model_or_page(model, untracked, tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    for i in range(4):
        write_step(parts / f"{i}.step", box_or_cylinder(i))
    rows = "".join(f"{i}.step,{'shaft' if i % 2 else 'block'}\n" for i in range(4))
    (parts / "labels.csv").write_text("file,class\n" + rows)
    with files_of_at_most(100_000):
        text = told(run("predict", parts, "--model", model, "--html", tmp_path / "page.html", "--workers", 1))
        assert "remedy: make room" in text and not (tmp_path / "page.html").exists()
    with files_of_at_most(500):
        text = told(run("fit", parts, "--out", tmp_path / "model", "--encoder", "none", "--workers", 1))
        assert "remedy: make room" in text and not (tmp_path / "model").exists()
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_a_place_that_cannot_be_written_is_named(model, untracked, tmp_path):
    """A file in the place of a folder: even who may write everywhere cannot write there."""
    part = write_step(tmp_path / "part.step", box(1, 2, 3))
    (tmp_path / "closed").write_text("no folder")
    for option, place in (("--html", "closed/page.html"), ("--step", "closed/step"), ("--csv", "closed/said.csv")):
        assert "remedy: name a" in told(run("predict", part, "--model", model, option, tmp_path / place))
    assert "remedy: name a" in told(run("fit", tmp_path, "--out", tmp_path / "closed" / "model"))
    assert (tmp_path / "closed").read_text() == "no folder"
