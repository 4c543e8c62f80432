"""A study's `dvc.yaml`, its plan and the code agree."""

from pathlib import Path

import pytest
import yaml

from pipelines.studies.transfer.fewshot import SCRATCH, WITHOUT_A_CHECKPOINT, network_of
from pipelines.studies.transfer.plan import Study

each_study = pytest.mark.parametrize(
    "study", [Study(Path("studies/transfer")), Study(Path("studies/methods"))], ids=str
)


@each_study
def test_every_stage_is_a_script_it_depends_on_and_every_dependency_exists_or_is_made(study):
    made = tuple(folder.as_posix() for folder in (study.sets, study.models, study.reports, study.rows))
    graph = yaml.safe_load((study.folder / "dvc.yaml").read_text())["stages"]
    for stage in (entry.get("do", entry) for entry in graph.values()):
        script = stage["cmd"].split()[2].replace(".", "/") + ".py"
        assert stage["cmd"].split()[3] == study.folder.as_posix()
        assert script in stage["deps"] and stage["wdir"] == "../.."
        for dep in stage["deps"]:
            assert "${" in dep or dep.startswith(made) or Path(dep).exists(), dep


@each_study
def test_what_a_plan_names_is_in_it(study):
    todo = study.plan()
    known = todo.sources | todo.taught
    for source in known.values():
        assert source.method in todo.methods and set(source.sets) <= set(todo.sets)
    for target in todo.targets.values():
        assert {target.set, target.labels_from, target.beside} - {""} <= set(todo.sets) and set(target.arms) <= set(
            todo.arms
        )
        named = [*target.chosen_by, *(e for arm in target.arms for e in todo.arms[arm].encoders)]
        encoders = {e.removeprefix(SCRATCH) for e in named}
        assert encoders <= {*known, *WITHOUT_A_CHECKPOINT}
    for fitted in todo.fitted.values():
        assert fitted.encoder in known and {*fitted.sets, fitted.scored} <= set(todo.sets)
        assert fitted.scored not in {*fitted.sets, *known[fitted.encoder].sets}
    for table in todo.tables.values():
        assert {*table.targets, *table.minus} <= set(todo.targets)
        scored, base = ({arm for t in found for arm in todo.targets[t].arms} for found in (table.targets, table.minus))
        against = set(table.against.values()) if isinstance(table.against, dict) else {table.against} - {None}
        assert set(table.arms) <= scored and against <= (base or scored)


@each_study
def test_an_arm_whose_encoder_read_labels_says_so(study):
    todo = study.plan()
    known = todo.sources | todo.taught
    for arm in todo.arms.values():
        read = any(known[e].labels for e in arm.encoders if e in known)
        assert arm.labels == ("generated" if read else "none")


@each_study
def test_no_encoder_has_read_labels_of_the_set_it_is_scored_on(study):
    todo = study.plan()
    known = todo.sources | todo.taught
    for target in todo.targets.values():
        for encoder in [*target.chosen_by, *(e for name in target.arms for e in todo.arms[name].encoders)]:
            if encoder in known and known[encoder].labels:
                assert target.set not in known[encoder].sets


def test_the_study_of_methods_has_a_stage_for_every_network_of_every_target():
    study = Study(Path("studies/methods"))
    todo, graph = study.plan(), yaml.safe_load((study.folder / "dvc.yaml").read_text())["stages"]
    over = graph["target"]["matrix"]
    stages = {(target, network) for target in over["target"] for network in over["network"]}
    stages |= {(target, "hops") for target in graph["plain"]["foreach"]}
    stages |= {
        (target, network_of(todo.arms[arm]))
        for target in graph["draws"]["foreach"]
        for arm in todo.targets[target].arms
    }
    arms = {(name, network_of(todo.arms[arm])) for name, target in todo.targets.items() for arm in target.arms}
    assert stages == arms
