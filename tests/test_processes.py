"""What processes and those that they start owe each other.

A script without `if __name__ == "__main__":` is told so by the one who started it, not by its workers' end, and workers
end with the one who started them.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.brep.solids import box, write_step

PARSE = """
from pathlib import Path
from brep_mae.datasets.source import open_source
from brep_mae.ingest.dataset import parse_dataset
from tests.ingest.test_dataset import PARSE, SPLIT
parse_dataset(open_source("solids", "parts", 0, Path("work")), Path("out"), PARSE, SPLIT, 2, Path("work"))
"""
RAISES = """
from pathlib import Path
Path("made").mkdir()
from brep_mae.brep.workers.pool import ParseOptions, parse_files
list(parse_files([Path("parts/a.step")], ParseOptions(4, 0, 0, False, False, Path("parts"), 60, 2000), 1))
"""
JOBS = """
from pathlib import Path
from pipelines.shared.jobs import run_jobs
run_jobs(print, {"a": ()}, Path("."), 1, "jobs")
"""
GENERATE = """
from pathlib import Path
from brep_mae.generate.generate import generate
generate(Path("generated"), "milled", 2, 0, workers=2)
"""
PARENT = """
import time
from os import getpid
from brep_mae.processes import process_pool
if __name__ == "__main__":
    with process_pool(1) as pool:
        print(pool.submit(getpid).result(), flush=True)
        pool.submit(time.sleep, 600)
        time.sleep(600)
"""


@pytest.mark.parametrize("script", [PARSE, RAISES, JOBS, GENERATE], ids=["parse", "raises", "jobs", "generate"])
def test_a_script_without_a_guard_is_told_so_at_its_first_worker(tmp_path, script):
    (tmp_path / "parts").mkdir()
    write_step(tmp_path / "parts" / "a.step", box(1, 2, 3))
    (tmp_path / "script.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-W", "ignore", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and last.startswith("RuntimeError: "), done.stderr
    assert 'put what it does under `if __name__ == "__main__":`' in last and "fewer workers" not in last
    assert not (tmp_path / "out").exists() and not list(Path(tmp_path).glob(".*"))


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, script], env=os.environ | {"PYTHONPATH": os.getcwd()}, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    try:
        worker.wait(60)
    finally:
        if worker.is_running():
            worker.kill()
