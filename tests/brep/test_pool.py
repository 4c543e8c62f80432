import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from brep_mae.brep.pool import ParseOptions, parse_file, parse_files, run_files
from brep_mae.brep.reject import Reject


@dataclass(frozen=True)
class Few:
    """Limits that make the tests short."""

    deadline_s: float = 1.5
    memory_mb: int = 256


def act(path: Path, limits: Few) -> str:
    """What a worker does is in the file's name."""
    if path.stem.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if path.stem.startswith("hangs"):
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        while True:
            time.sleep(1)
    if path.stem.startswith("eats"):
        held = []
        while True:
            held.append(bytearray(2**24))
    if path.stem.startswith("raises"):
        raise ZeroDivisionError("on purpose")
    if path.stem.startswith("slow"):
        time.sleep(0.3)
    if path.stem.startswith("stalls"):
        path.write_text(str(os.getpid()))
        time.sleep(600)
    return f"{path.stem} done"


@pytest.mark.parametrize("workers", [1, 2])
def test_each_bad_file_costs_itself_alone_and_the_order_stays(workers):
    names = ["slow0", "a", "killed", "b", "eats", "hangs", "c", "raises", "d"]
    found = list(run_files([Path(name) for name in names], Few(), workers, act, preload="json"))
    assert [path.name for path, _ in found] == names
    reasons = {path.name: r.reason for path, r in found if isinstance(r, Reject)}
    assert reasons == {"killed": "crash", "eats": "memory", "hangs": "timeout", "raises": "internal"}
    assert [r for _, r in found if isinstance(r, str)] == [f"{n} done" for n in ("slow0", "a", "b", "c", "d")]
    details = {path.name: r.detail for path, r in found if isinstance(r, Reject)}
    assert "SIGKILL" in details["killed"] and "1.5 s" in details["hangs"] and "256 MB" in details["eats"]


def test_look_ahead_is_bounded(tmp_path):
    files = [tmp_path / f"{i:03d}" for i in range(60)]
    results = run_files(files, Few(), 1, touch, preload="json")
    next(results)
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) <= 8
    results.close()


def touch(path: Path, limits: Few) -> None:
    path.touch()


def test_real_files_give_the_same_records_as_in_this_process(tmp_path):
    from tests.brep.solids import box, write_step  # not at the top: workers of the other tests need no kernel

    files = [write_step(tmp_path / f"{i}.step", box(1, 1, i + 1)) for i in range(3)]
    (tmp_path / "bad.step").write_text("no STEP")
    files.insert(1, tmp_path / "bad.step")
    options = ParseOptions(tmp_path, grid=4, field_pool=32, field_samples=8, deadline_s=60, memory_mb=2000)
    found = list(parse_files(files, options, workers=2))
    assert [path for path, _ in found] == files
    assert found[1][1].reason == "unreadable"
    for path, solids in (found[0], found[2], found[3]):
        (here,), (there,) = parse_file(path, options), solids
        assert here.uid == there.uid and here.file == path.name
        assert (here.face_grid == there.face_grid).all() and (here.field_samples == there.field_samples).all()


def test_workers_load_no_torch_and_no_cadquery():
    code = (
        "import sys, brep_mae.brep.pool, brep_mae.brep.graph;"
        "print({'torch', 'cadquery', 'vtkmodules'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_the_parent_loads_no_kernel():
    code = "import sys, brep_mae.brep.pool; print('OCP' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_a_worker_that_cannot_start_is_one_error_and_no_endless_loop():
    with pytest.raises(RuntimeError, match="no_such_module"):
        list(run_files([Path("a")], Few(), 1, act, preload="no_such_module"))


def test_a_stalled_worker_does_not_outlive_a_killed_parent_for_long(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom brep_mae.brep.pool import run_files\n"
        "from tests.brep.test_pool import Few, act\n"
        "if __name__ == '__main__':\n"
        "    list(run_files([Path(sys.argv[1])], Few(deadline_s=2), 1, act, preload='json'))\n"
    )
    note = tmp_path / "stalls"
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    parent = subprocess.Popen([sys.executable, str(script), str(note)], env=environment)
    assert wait_until(lambda: note.is_file() and note.read_text())
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not runs(int(note.read_text())))


def wait_until(condition, limit_s: float = 60.0) -> bool:
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(condition())


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
