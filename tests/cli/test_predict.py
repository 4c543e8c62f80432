"""`brep-mae predict`: answers one by one, and what cannot be answered costs itself alone."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

import brep_mae
from brep_mae.brep.workers import pool
from brep_mae.cli import main
from brep_mae.cli.predict import _unbroken
from brep_mae.continual import task_folder
from brep_mae.settings import ParseParams
from tests.brep.solids import box, plate, write_step
from tests.cli.small_tasks import ok, run


def test_predict_tells_of_a_file_that_cannot_be_read(tasks, tmp_path):
    write_step(tmp_path / "good.step", box(1, 2, 3))
    (tmp_path / "bad.step").write_text("no STEP")
    text = ok("predict", tmp_path, "--tasks", tasks, "--task", "surface")
    assert "bad.step solid 0  left out" in text and "good.step solid 0  6 flat" in text


def test_the_model_of_the_package_says_which_operation_made_a_face_without_a_label(tmp_path):
    """A plate is a square with a hole in it that was extruded: the faces with the hole in them are its two ends."""
    write_step(tmp_path / "plate.step", plate(0.2))
    (one,) = json.loads(ok("predict", tmp_path, "--model", "operations", "--json"))["each"]
    (solid,) = brep_mae.read(tmp_path / "plate.step").solids
    ends = [loops == 2 for loops in solid.face_loops]
    assert [row["class"] for row in one["rows"]] == ["extrude_end" if each else "extrude_side" for each in ends]


def test_a_name_that_is_not_utf_8_is_printed_as_text_that_is(tasks, tmp_path):
    write_step(tmp_path / "good.step", box(1, 2, 3))
    shutil.copy(tmp_path / "good.step", os.fsencode(tmp_path) + b"/b\xff.step")
    each = json.loads(ok("predict", tmp_path, "--tasks", tasks, "--task", "surface", "--json"))["each"]
    assert [(one["file"], one.get("reject")) for one in each] == [(r"b\xff.step", "bad_name"), ("good.step", None)]
    done = run("inspect", next(path for path in tmp_path.iterdir() if path.name != "good.step"))
    assert done.exit_code == 1 and r"b\xff.step: no solid can be read (bad_name" in done.output, done.output


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_a_solid_that_memory_does_not_suffice_for_costs_its_own_answer_alone(tasks, tmp_path, monkeypatch, error):
    for i in range(3):
        write_step(tmp_path / f"{i}.step", box(1, 2, 3 + i))
    real, calls = task_folder.predict, []

    def second_fails(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise error
        return real(*arguments)

    monkeypatch.setattr(task_folder, "predict", second_fails)
    text = ok("predict", tmp_path, "--tasks", tasks, "--task", "surface", "--workers", 1)
    assert "0.step solid 0  6 flat" in text and "2.step solid 0  6 flat" in text
    assert "1.step solid 0  left out, memory: 6 faces need" in text


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("end, code", [(None, 0), (KeyboardInterrupt, 130), (RuntimeError("no worker starts"), 1)])
def test_predict_prints_each_answer_at_once_and_keeps_what_it_has(
    parts, tasks, monkeypatch, capsys, as_json, end, code
):
    printed = []
    real = pool.parse_files

    def ends(*arguments):
        for found in real(*arguments):
            yield found
            printed.append(capsys.readouterr().out)
        if end is not None:
            raise end

    monkeypatch.setattr(pool, "parse_files", ends)
    files = [str(parts / f"{i:02d}.step") for i in range(2)]
    with pytest.raises(SystemExit) as ended:
        main.main(["predict", *files, "--tasks", str(tasks), "--task", "surface", *(["--json"] if as_json else [])])
    assert ended.value.code == code
    text = "".join(printed) + capsys.readouterr().out
    assert "00.step" in printed[0] and "01.step" not in printed[0] and "01.step" in printed[1]
    if as_json:
        whole = json.loads(text)
        assert whole["task"] == "surface" and [about["file"] for about in whole["each"]] == ["00.step", "01.step"]
    else:
        assert text.splitlines()[0] == "00.step solid 0  6 flat" and len(text.splitlines()) == 2


def test_ctrl_c_waits_until_an_answer_is_printed(capsys):
    with pytest.raises(KeyboardInterrupt), _unbroken():
        os.kill(os.getpid(), signal.SIGINT)
        print("whole")
    assert capsys.readouterr().out == "whole\n"


def test_inspect_and_predict_obey_the_limits_that_parse_has(parts, tasks, monkeypatch):
    asked = []
    monkeypatch.setattr(pool, "parse_files", lambda files, options, *_, **__: asked.append(options) or iter(()))
    given = ("--deadline", 2.5, "--memory", 300)
    for limits, expected in (((), (ParseParams().deadline_s, ParseParams().memory_mb)), (given, (2.5, 300))):
        run("inspect", parts / "00.step", *limits)
        run("predict", parts / "00.step", "--tasks", tasks, "--task", "surface", *limits)
        assert [(options.deadline_s, options.memory_mb) for options in asked] == [expected] * 2
        asked.clear()


LOUD = """
import sys, warnings
from brep_mae.cli import main, predict
def loud(path):
    import torch_geometric
    warnings.filterwarnings("always", category=UserWarning)
    warnings.warn("nobody asked for this")
    return path
if __name__ == "__main__":
    sys.modules[predict.callback.__module__].existing = loud
    main(sys.argv[1:])
"""


def test_warnings_of_libraries_are_for_those_who_ask_for_them(parts, tasks, tmp_path):
    (tmp_path / "script.py").write_text(LOUD)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"} | {"PYTHONPATH": os.getcwd()}
    command = ["script.py", "predict", str(parts / "00.step"), "--tasks", str(tasks), "--task", "surface"]
    for options, shown in ((), False), (("-W", "default"), True):
        done = subprocess.run(
            [sys.executable, *options, *command], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0 and done.stdout == "00.step solid 0  6 flat\n", done.stderr
        assert ("nobody asked for this" in done.stderr) == shown
        assert shown or all(line.startswith("predict ") for line in done.stderr.splitlines()), done.stderr
