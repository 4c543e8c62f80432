"""`dvc.yaml` and the code agree: what a stage names exists, and no method's parameters are forgotten."""

from pathlib import Path

import yaml

from brep_mae import settings
from brep_mae.plugins import METHODS, known


def stages() -> dict:
    return yaml.safe_load(Path("dvc.yaml").read_text())["stages"]


PRETRAINING = ("pretrain", "guided", "distill", "blend", "evolved")
TAUGHT = PRETRAINING[2:]


def test_every_stage_is_a_script_and_depends_on_it():
    for name, stage in stages().items():
        script = "pretrain" if name in PRETRAINING[:4] else name
        assert stage["cmd"].startswith(f"python -m pipelines.{script}")
        assert f"pipelines/{script}.py" in stage["deps"]


def outs(stage: dict) -> set[str]:
    """What a stage writes, that of every instance of a matrix."""
    methods = stage.get("matrix", {}).get("method", [""])
    return {
        name.replace("${item.method}", method) for out in stage.get("outs", []) for name in out for method in methods
    }


def test_no_output_is_removed_before_its_stage_has_made_the_next_one():
    """DVC would, and a stage that then fails would leave nothing; each stage replaces its own output in the end."""
    for stage in stages().values():
        assert all(about == {"persist": True} for out in stage.get("outs", []) for about in out.values())


def test_every_dependency_is_a_file_or_the_output_of_another_stage():
    made = {out for stage in stages().values() for out in outs(stage)} | {"models"}
    for stage in stages().values():
        for dep in stage["deps"]:
            if "${" not in dep:
                assert Path(dep).exists() or dep in made, dep


def test_every_method_file_has_its_parameters_and_is_pretrained_once():
    matrix = [method for name in PRETRAINING for method in stages()[name]["matrix"]["method"]]
    assert sorted(settings.load().methods) == known(METHODS)
    assert sorted([*matrix, "supervised"]) == known(METHODS)


def test_what_learns_from_a_pretrained_encoder_waits_for_it():
    taught = {
        name: teacher["path"]
        for name, values in settings.load().methods.items()
        for teacher in (values.get("teacher", {}), *values.get("teachers", {}).values())
        if teacher.get("source") == "checkpoint"
    }
    for name in (*TAUGHT, "evolve"):
        assert set(taught.values()) <= set(stages()[name]["deps"])
    assert {method for name in TAUGHT for method in stages()[name]["matrix"]["method"]} == set(taught)


def test_the_ways_to_pretrain_differ_by_teacher_labels_and_weights_alone():
    first, guided, second, third, fourth = (stages()[name] for name in PRETRAINING)
    assert [d for d in guided["deps"] if d != "data/labels"] == first["deps"]
    teacher = {"models/mae_images", "brep_mae/pretext/mae_images.py"}
    assert [d for d in second["deps"] if d not in teacher] == first["deps"]
    assert [d for d in third["deps"] if d != "data/labels"] == second["deps"]
    assert all(first[key] == other[key] for key in ("cmd", "params", "outs") for other in (guided, second, third))
    search = {"pipelines/evolved.py", "brep_mae/pretext/m3ae.py", "results/evolve/${item.method}"}
    assert [d for d in fourth["deps"] if d not in search] == second["deps"]
    assert all(first[key] == fourth[key] for key in ("params", "outs"))


def test_what_is_trained_with_the_weights_of_a_search_waits_for_it():
    search, after = stages()["evolve"], stages()["evolved"]
    assert search["matrix"] == after["matrix"] and outs(search) == {"results/evolve/joint"}
    assert {name for out in search["outs"] for name in out} <= set(after["deps"])


def test_labels_concern_what_learns_or_scores_by_them_and_no_parsing_or_pretraining():
    readers = {name for name, stage in stages().items() if "data/labels" in stage["deps"]}
    assert readers == {"blend", "guided", "probe", "fewshot", "continual", "policy"}
    blocks = settings.load().methods
    for name, key in (("blend", "same_prob"), ("guided", "mask_hidden")):
        assert set(stages()[name]["matrix"]["method"]) == {m for m, values in blocks.items() if key in values}


def test_dvc_metrics_show_says_which_methods_labels_guided():
    shown = yaml.safe_load(Path("dvc.yaml").read_text())["metrics"]
    assert {f"models/{method}/metrics.json" for method in stages()["guided"]["matrix"]["method"]} <= set(shown)


def test_editing_one_method_concerns_its_own_instance_alone():
    for name in PRETRAINING:
        stage = stages()[name]
        assert "brep_mae/pretext/${item.method}.py" in stage["deps"]
        assert not {"brep_mae/pretext", "brep_mae"} & set(stage["deps"])
        assert "methods.${item.method}" in stage["params"] and "methods" not in stage["params"]


def test_caches_of_the_interpreter_do_not_stale_a_stage():
    assert "__pycache__" in Path(".dvcignore").read_text().splitlines()
