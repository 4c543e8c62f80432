"""`dvc.yaml` and the code agree: what a stage names exists, and no method's parameters are forgotten."""

from pathlib import Path

import yaml

from brep_mae import settings
from brep_mae.pretext.pretext import known_methods


def stages() -> dict:
    return yaml.safe_load(Path("dvc.yaml").read_text())["stages"]


def test_every_stage_is_a_script_and_depends_on_it():
    for name, stage in stages().items():
        assert stage["cmd"].startswith(f"python -m pipelines.{name}")
        assert f"pipelines/{name}.py" in stage["deps"]


def test_every_dependency_is_a_file_or_the_output_of_another_stage():
    outs = {out for stage in stages().values() for out in stage["outs"]} | {"models"}
    for stage in stages().values():
        for dep in stage["deps"]:
            if "${" not in dep:
                assert Path(dep).exists() or dep in outs, dep


def test_every_method_file_has_its_parameters_and_the_matrix_names_no_other():
    matrix = stages()["pretrain"]["matrix"]["method"]
    assert sorted(settings.load().methods) == known_methods()
    assert set(matrix) <= set(known_methods()) and len(set(matrix)) == len(matrix)


def test_editing_one_method_concerns_its_own_instance_alone():
    pretrain = stages()["pretrain"]
    assert "brep_mae/pretext/${item.method}.py" in pretrain["deps"]
    assert "brep_mae/pretext" not in pretrain["deps"]
    assert "methods.${item.method}" in pretrain["params"]


def test_caches_of_the_interpreter_do_not_stale_a_stage():
    assert "__pycache__" in Path(".dvcignore").read_text().splitlines()
