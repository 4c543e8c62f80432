"""The stages for DVC of the docs, run by DVC in a repository of a user's own."""

import os
import re
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from brep_mae.datasets.shards import open_shards
from tests.brep.solids import box, write_step

STAGES = re.compile(r"^```yaml dvc.yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = 3


def test_all_pieces_are_parsed_and_merged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (stages,) = STAGES.findall(Path("docs/scale.md").read_text())
    program = tmp_path / "bin" / "brep-mae"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m brep_mae "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    own = tmp_path / "own"
    (own / "my_parts").mkdir(parents=True)
    for i in range(FILES):
        write_step(own / "my_parts" / f"{i}.step", box(1, 2, i + 1))
    (own / "dvc.yaml").write_text(stages)
    monkeypatch.chdir(own)
    with Repo.init(no_scm=True) as repo:
        done = repo.reproduce()
        assert {stage.addressing for stage in done} == {"parse@1", "parse@2", "merge"}
        assert len(open_shards(own / "shards")) == FILES
        assert repo.reproduce() == [], "nothing has changed"
