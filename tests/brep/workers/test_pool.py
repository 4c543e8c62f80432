import ctypes
import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from brep_mae.brep.reject import Reject
from brep_mae.brep.workers import worker
from brep_mae.brep.workers.pool import ParseOptions, parse_file, parse_files, run_files
from brep_mae.brep.workers.worker import Tally

PRELOAD = "brep_mae.brep.graph.graph"
"""The same in all tests: a process has one server to copy workers from, which imports what the first one asks for."""


@dataclass(frozen=True)
class Few:
    """Limits that make the tests short."""

    deadline_s: float = 3.0
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
            held.append(bytearray(2**26))
    if path.stem.startswith("unmapped"):
        raise ImportError("numpy/random.so: failed to map segment from shared object")
    if path.stem.startswith("sleeps"):
        ctypes.PyDLL(None).sleep(600)  # in C, and nobody else in the process gets a turn
    if path.stem.startswith("spins"):
        while True:
            pass
    if path.stem.startswith("big"):
        return "x" * (180 * 2**20)  # fits into memory once, but not a second time on its way out
    if path.stem.startswith("once") and not path.exists():
        path.touch()
        os.abort()
    if path.stem.startswith("pid"):
        return str(os.getpid())
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
    found = list(run_files([Path(name) for name in names], Few(), workers, act, PRELOAD))
    assert [path.name for path, _ in found] == names
    reasons = {path.name: r.reason for path, r in found if isinstance(r, Reject)}
    assert reasons == {"killed": "crash", "eats": "memory", "hangs": "timeout", "raises": "internal"}
    assert [r for _, r in found if isinstance(r, str)] == [f"{n} done" for n in ("slow0", "a", "b", "c", "d")]
    details = {path.name: r.detail for path, r in found if isinstance(r, Reject)}
    assert "SIGKILL" in details["killed"] and "3 s" in details["hangs"] and "256 MB" in details["eats"]
    assert all(name in detail for name, detail in details.items())


def test_one_that_never_returns_is_killed_at_its_deadline_wherever_it_hangs():
    tally = Tally()
    found = run_files([Path(n) for n in ("sleeps", "spins", "a")], Few(deadline_s=1), 3, act, PRELOAD, tally)
    assert [r.reason if isinstance(r, Reject) else r for _, r in found] == ["timeout", "timeout", "a done"]
    assert tally.replaced == {"timeout": 2} and 0 < tally.late_s < 60


def test_a_result_that_cannot_be_sent_for_lack_of_memory_is_a_reject():
    found = dict(run_files([Path("big"), Path("a")], Few(deadline_s=30), 1, act, PRELOAD))
    assert found[Path("big")].reason == "memory" and found[Path("a")] == "a done"


def test_a_library_that_finds_no_room_is_too_little_memory_and_no_fault_of_the_program():
    (found,) = (reject for _, reject in run_files([Path("unmapped")], Few(), 1, act, PRELOAD))
    assert found.reason == "memory" and "256 MB" in found.detail


def test_a_crash_that_does_not_come_again_costs_nothing(tmp_path):
    tally = Tally()
    files = [tmp_path / "a", tmp_path / "once", tmp_path / "b"]
    found = list(run_files(files, Few(), 1, act, PRELOAD, tally))
    assert found == [(path, f"{path.name} done") for path in files]
    assert tally.replaced == {"crash": 1}


def test_a_worker_killed_while_it_has_nothing_to_do_costs_nothing():
    files = [Path(f"pid{i}") for i in range(30)]
    results = run_files(files, Few(), 1, act, PRELOAD)
    pid = int(next(results)[1])
    assert wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "S")
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not runs(pid))
    rest = list(results)
    assert [path for path, _ in rest] == files[1:] and all(pid.isdigit() for _, pid in rest)
    assert rest[-1][1] != str(pid)


def test_workers_are_renewed(monkeypatch):
    monkeypatch.setattr(worker, "RENEW", 3)
    tally = Tally()
    pids = [pid for _, pid in run_files([Path(f"pid{i}") for i in range(9)], Few(), 1, act, PRELOAD, tally)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3]
    assert tally.replaced["renewed"] >= 2


def test_what_a_process_would_do_after_its_last_file_is_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "RENEW", 2)
    files = [tmp_path / str(i) for i in range(4)]
    results = run_files(files, Few(), 1, note, PRELOAD)
    next(results)
    assert wait_until(files[1].exists, 10)
    time.sleep(0.5)  # in which it would do the third, for nothing
    list(results)
    assert [path.read_text() for path in files] == ["done "] * 4


def note(path: Path, limits: Few) -> None:
    with path.open("a") as file:
        file.write("done ")


def test_look_ahead_is_bounded(tmp_path):
    files = [tmp_path / f"{i:03d}" for i in range(60)]
    results = run_files(files, Few(), 1, touch, PRELOAD)
    next(results)
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) <= 8
    results.close()


def test_a_worker_goes_on_with_two_files_while_the_caller_has_its_turn(tmp_path):
    results = run_files([tmp_path / "a", tmp_path / "b", tmp_path / "c"], Few(), 1, touch, PRELOAD)
    next(results)
    assert wait_until((tmp_path / "c").exists, 10)
    results.close()


def touch(path: Path, limits: Few) -> None:
    path.touch()


def test_real_files_give_the_same_records_as_in_this_process(tmp_path):
    from tests.brep.solids import box, write_step  # not at the top: workers of the other tests need no kernel

    files = [write_step(tmp_path / f"{i}.step", box(1, 1, i + 1)) for i in range(3)]
    (tmp_path / "bad.step").write_text("no STEP")
    files.insert(1, tmp_path / "bad.step")
    options = ParseOptions(4, 32, 8, False, False, root=tmp_path, deadline_s=60, memory_mb=2000)
    found = list(parse_files(files, options, workers=2))
    assert [path for path, _ in found] == files
    assert found[1][1].reason == "unreadable"
    for path, solids in (found[0], found[2], found[3]):
        (here,), (there,) = parse_file(path, options), solids
        assert here.uid == there.uid and here.file == path.name
        assert (here.face_grid == there.face_grid).all() and (here.field_samples == there.field_samples).all()


def test_same_file_same_bytes_whatever_the_workers_and_the_order(tmp_path):
    from brep_mae.datasets.shards import write_shard
    from tests.brep.solids import SHAPES, write_step

    files = [write_step(tmp_path / f"{name}.step", shape) for name, shape in sorted(SHAPES.items())]
    (tmp_path / "bad.step").write_text("no STEP")
    files.append(tmp_path / "bad.step")
    options = ParseOptions(4, 32, 8, False, False, root=tmp_path, deadline_s=60, memory_mb=2000)
    written = set()
    for workers, seed in ((1, 0), (2, 1), (3, 2), (3, 2)):
        shuffled = random.Random(seed).sample(files, len(files))
        found = dict(parse_files(shuffled, options, workers))
        assert found[files[-1]].reason == "unreadable"
        write_shard(tmp_path / "shard.arrow", [solid for path in files[:-1] for solid in found[path]])
        written.add((tmp_path / "shard.arrow").read_bytes())
    assert len(written) == 1 and dataclasses.is_dataclass(found[files[0]][0])


def test_a_body_that_cannot_be_used_keeps_its_place_among_the_solids(tmp_path, monkeypatch):
    from brep_mae.brep.graph import file_graphs
    from tests.brep.solids import box, write_step

    file = write_step(tmp_path / "two.step", box(1, 1, 1), box(2, 2, 2, (5, 0, 0)))
    first, second = file_graphs.read_solids(file)
    options = ParseOptions(4, 32, 8, False, False, root=tmp_path, deadline_s=60, memory_mb=2000)
    entries = [first, Reject("open_shell", "an open sheet"), second]
    monkeypatch.setattr(file_graphs, "read_solids", lambda path, reading=None: entries)
    kinds = [s.reason if isinstance(s, Reject) else s.uid.split("#")[1] for s in parse_file(file, options)]
    assert kinds == ["0", "open_shell", "1"]
    monkeypatch.setattr(file_graphs, "read_solids", lambda path, reading=None: [])
    with pytest.raises(Reject, match="no_solid"):
        parse_file(file, options)


def test_workers_load_no_torch_and_no_cadquery():
    code = (
        "import sys, brep_mae.brep.workers.pool, brep_mae.brep.graph.graph;"
        "print({'torch', 'cadquery', 'vtkmodules'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_the_parent_loads_no_kernel():
    code = "import sys, brep_mae.brep.workers.pool; print('OCP' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_a_worker_that_cannot_start_is_one_error_and_no_endless_loop():
    with pytest.raises(RuntimeError, match="no_such_module"):
        list(run_files([Path("a")], Few(), 1, act, preload="no_such_module"))


def test_a_start_that_fails_is_tried_again_and_at_last_an_error(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    note = tmp_path / "note"
    lines = "import os, pathlib", f"note = pathlib.Path({str(note)!r})", "if not note.exists():", "    note.touch()"
    (tmp_path / "dies_once.py").write_text("\n".join((*lines, "    os.abort()")))
    tally = Tally()
    assert [r for _, r in run_files([Path("a")], Few(), 1, act, "dies_once", tally)] == ["a done"]
    assert tally.replaced == {"start": 1}
    (tmp_path / "dies_always.py").write_text("import os\nos.abort()")
    with pytest.raises(RuntimeError, match="3 times: ended by SIGABRT; remedy"):
        list(run_files([Path("a"), Path("b")], Few(), 2, act, "dies_always"))


def test_no_worker_at_all_is_one_error(monkeypatch):
    def full(process):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", full)
    with pytest.raises(RuntimeError, match=r"starts none: .*Resource.*remedy"):
        list(run_files([Path("a")], Few(), 2, act, PRELOAD))


def test_a_stalled_worker_does_not_outlive_a_killed_parent_for_long(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom brep_mae.brep.workers.pool import run_files\n"
        "from tests.brep.workers.test_pool import Few, act\n"
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
    except (FileNotFoundError, ProcessLookupError):  # it may go while it is being asked about
        return False
