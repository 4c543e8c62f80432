"""What a stage runs, and that `dvc.yaml` and the keys of unfinished work know all of it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from brep_mae import closure

GRAPHS = (Path("dvc.yaml"), *(Path(f"studies/{name}/dvc.yaml") for name in ("transfer", "methods", "continual")))
METHOD = "${item.method}"
FOREIGN = {"brep_mae.brep.workers.worker", "brep_mae.brep.interop.occwl", "brep_mae.plugins", "brep_mae.__init__"}
"""They import by name what is imported by statement elsewhere, or is no code of this project, or, as the package
itself does, what no stage asks for."""


def instances() -> list[tuple[str, str, list[str] | None, list[str]]]:
    """(name, module, methods that it loads, dependencies) of every stage, of a stage over methods one for each."""
    found = []
    for file in GRAPHS:
        params = yaml.safe_load((file.parent / "params.yaml").read_text())
        for name, entry in yaml.safe_load(file.read_text())["stages"].items():
            stage = entry.get("do", entry)
            module, deps = stage["cmd"].split()[2], stage["deps"]
            if METHOD not in str(deps):
                found.append((f"{file}:{name}", module, None, deps))
                continue
            over = entry.get("matrix", {}).get("method") or [
                v["method"] for v in params[entry["foreach"][2:-1]].values()
            ]
            for method in sorted(set(over)):
                loads = [method]
                values = params["methods"][method]
                taught_by = [values.get("teacher", {}), *values.get("teachers", {}).values()]
                if any(teacher.get("source") == "checkpoint" for teacher in taught_by):
                    loads.append("mae_images")
                found.append((f"{file}:{name}@{method}", module, loads, [d.replace(METHOD, method) for d in deps]))
    return found


def is_docstring(path: Path) -> bool:
    """True for a file, mostly a package's own, that does nothing."""
    return all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


@pytest.mark.parametrize(
    ("name", "module", "methods", "deps"), instances(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_stage_depends_on_all_the_code_that_it_runs(
    name: str, module: str, methods: list[str] | None, deps: list[str]
) -> None:
    code = [path for path in map(closure.source, closure.closure(module, methods)) if not is_docstring(path)]
    files = sorted(path.relative_to(closure.ROOT).as_posix() for path in code)
    missed = [file for file in files if not any(file == dep or file.startswith(f"{dep}/") for dep in deps)]
    assert not missed, f"{name} runs code that its deps leave out: {missed}"


def test_the_closure_sees_what_is_loaded_by_name() -> None:
    fewshot = closure.closure("pipelines.fewshot")
    assert {"brep_mae.fewshot.heads.finetuned", "brep_mae.pretext.hybrid", "brep_mae.models.surface"} <= fewshot
    assert "brep_mae.generate.generators.modelled.sketches.sketch" in closure.closure("brep_mae.generate.generate")
    assert "brep_mae.datasets.adapters.mfcad" in closure.closure("pipelines.parse")
    one = closure.closure("pipelines.pretrain", ["dbot_faces"])
    assert "brep_mae.teachers.rounds" in one and "brep_mae.pretext.hybrid" not in one
    assert "brep_mae.tracking.tracking" not in fewshot | one


def test_every_module_that_loads_others_by_name_is_known() -> None:
    loads = {
        ".".join(path.relative_to(closure.ROOT).with_suffix("").parts)
        for package in ("brep_mae", "pipelines")
        for path in (closure.ROOT / package).rglob("*.py")
        if "import_module(" in path.read_text() or "plugins.load(" in path.read_text()
    }
    assert loads == set(closure.LOADED_BY_NAME) | FOREIGN


@pytest.mark.parametrize(
    ("module", "edited"),
    [
        ("pipelines.fewshot", "brep_mae.fewshot.heads.finetuned"),
        ("pipelines.studies.continual.sequence", "brep_mae.features.pose"),
        ("pipelines.render", "brep_mae.brep.geometry.curves"),
    ],
)
def test_an_edit_anywhere_below_makes_unfinished_work_another(
    module: str, edited: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, source = closure.digest(module), closure.source
    other = tmp_path / "edited.py"
    other.write_text(source(edited).read_text() + "\n# edited\n")
    monkeypatch.setattr(closure, "source", lambda name: other if name == edited else source(name))
    assert closure.digest(module) != before


def test_an_edit_of_what_only_shows_the_work_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, source = closure.digest("pipelines.fewshot"), closure.source
    empty = tmp_path / "edited.py"
    empty.write_text("")
    monkeypatch.setattr(closure, "source", lambda name: empty if name in closure.WITHOUT_EFFECT else source(name))
    assert closure.digest("pipelines.fewshot") == before


def test_every_module_without_effect_exists() -> None:
    assert all(closure.source(name).is_file() for name in closure.WITHOUT_EFFECT)


def test_the_code_of_a_command_is_known_in_any_folder(tmp_path: Path) -> None:
    script = "from brep_mae.closure import digest; print(digest('brep_mae.ingest.dataset'))"
    alone = os.environ | {"PYTHONPATH": ""}
    there = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=alone, capture_output=True, text=True)
    assert there.stdout.strip() == closure.digest("brep_mae.ingest.dataset"), there.stderr
