"""The Slurm script of the docs, run as Slurm runs it, up to the commands that it calls."""

import os
import re
import subprocess
from pathlib import Path

from tests.docs.test_commands import checked

SCRIPT = re.compile(r"^```bash parse.slurm\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_task_of_the_array_parses_its_own_piece(tmp_path: Path) -> None:
    (script,) = SCRIPT.findall(Path("docs/scale.md").read_text())
    program = tmp_path / "brep-mae"
    program.write_text('#!/bin/sh\necho brep-mae "$@"\n')
    program.chmod(0o755)
    slurm = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_COUNT": "16", "SLURM_CPUS_PER_TASK": "8"}
    calls = set()
    for task in ("3", "16"):
        slurm["SLURM_ARRAY_TASK_ID"] = task
        done = subprocess.run(["bash", "-eu", "-c", script], env=slurm, capture_output=True, text=True, check=True)
        checked(done.stdout)
        assert f"--shard {task}/16 --workers 8 " in done.stdout
        calls.add(done.stdout.split()[-1])
    assert calls == {"pieces/3", "pieces/16"}
