"""What `write_outputs` leaves in folders, and what it refuses."""

from dataclasses import replace
from pathlib import Path

import pytest

from brep_mae.answers import SolidAnswers
from brep_mae.brep.reject import Reject
from brep_mae.output.files import OutputError
from brep_mae.viewer.outputs import Outputs
from tests.brep.solids import box, write_step
from tests.viewer.conftest import answers, write


def test_each_file_has_its_step_and_its_glb_under_its_own_name(cad_files: list[Path], tmp_path: Path) -> None:
    said = answers(cad_files)
    done = write(said, Outputs(step=tmp_path / "step", glb=tmp_path / "glb"))
    assert done.left_out == []
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.name[0] != ".")
    assert (
        found == sorted(f"{kind}/{file.stem}.{kind}" for kind in ("step", "glb") for file in cad_files)
        and sorted(path.relative_to(tmp_path).as_posix() for path in done.paths) == found
    )


def test_names_that_differ_in_the_suffix_alone_stay_apart(tmp_path: Path) -> None:
    files = [write_step(tmp_path / name, box(1, 1, 1)) for name in ("a.step", "a.stp", "b.stp")]
    said = [SolidAnswers(file, file.name, 0, ("plane",) * 6) for file in files]
    done = write(said, Outputs(step=tmp_path / "out"))
    assert [path.name for path in done.paths] == ["a.step.step", "a.stp.step", "b.step"]


def test_a_file_that_is_gone_is_told_and_the_others_are_written(cad_files: list[Path], tmp_path: Path) -> None:
    said = answers(cad_files)
    said[-1] = replace(said[-1], path=tmp_path / "gone.step", file="gone.step")
    done = write(said, Outputs(step=tmp_path / "step", html=tmp_path / "page.html"))
    ((name, reject),) = done.left_out
    assert name == "gone.step" and isinstance(reject, Reject) and reject.reason == "missing"
    assert {path.name for path in done.paths} == {"a plate.step", "boxes.step", "page.html"}


def test_nothing_is_left_half_written(cad_files: list[Path], tmp_path: Path) -> None:
    gone = [replace(answers(cad_files)[0], path=tmp_path / "gone.step")]
    for outputs in (Outputs(html=tmp_path / "page.html"), Outputs(step=tmp_path / "step")):
        with pytest.raises(ValueError, match="could be"):
            write(gone, outputs)
    with pytest.raises(ValueError, match="leads out of the folder"):
        write([replace(answers(cad_files)[0], file="../../away.step")], Outputs(step=tmp_path / "step"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "drawing.txt").write_text("not to be lost")
    with pytest.raises(OutputError, match=r"drawing.txt.*remedy"):
        write(answers(cad_files), Outputs(step=tmp_path / "mine", html=tmp_path / "page.html"))
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "drawing.txt"]
