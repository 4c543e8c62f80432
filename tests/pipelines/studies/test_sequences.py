"""The continual study, on a tiny one: what the tasks are made of, what an arm leaves, and what the tables say."""

import json

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.checks import SettingsError
from brep_mae.composition.pretext import build
from brep_mae.datasets.labelling.labels import FOLDER
from brep_mae.datasets.shards import write_shard
from brep_mae.datasets.splits import write_split
from brep_mae.pretraining import unfinished
from pipelines.studies.continual import hundred, plan, sequence, tables
from tests.contracts.test_methods import SPEC, block
from tests.stored import N_FACES, label
from tests.synthetic import GRID, make_graph

SIZES = {"train": 12, "validation": 3, "test": 4}
CLASSES = ["hole", "slot", "step", "rib", "stock"]
WAYS = {"exssnet": 0.3, "supsup": 0.3, "sequential": 0.1, "frozen": 0.1, "joint": 0.1, "majority": 0.1}


@pytest.fixture
def study(tmp_path, monkeypatch):
    graphs, split = [], {}
    for side, count in SIZES.items():
        made = [make_graph(N_FACES[i % len(N_FACES)], len(graphs) + i) for i in range(count)]
        for graph in made:
            graph.face_label[:] = np.arange(graph.n_faces) % len(CLASSES)
        split[side] = [graph.uid for graph in made]
        graphs += made
    parsed, encoder = tmp_path / "parsed", tmp_path / "encoder"
    parsed.mkdir()
    write_shard(parsed / "00000.arrow", graphs)
    label(parsed / FOLDER, graphs, CLASSES, ())
    about = {"parse": {"grid": GRID}, "digest": "d"}
    (parsed / "dataset.json").write_text(json.dumps(about))
    write_split(parsed / "split.parquet", split)
    method = block("attribute_masking") | {"dim": 8, "depth": 1}
    torch.manual_seed(0)
    save_backbone(encoder, build("attribute_masking", method, SPEC).backbone(), "attribute_masking", method, SPEC, "d")
    budget = {"mask_steps": 2, "weight_steps": 2, "batch": 4}
    data = {"parsed": str(parsed), "left_out": ["stock"], "solids": 5, "heldout": 3}
    faces = {"encoder": str(encoder), "data": [data], "tasks": 2, "seeds": 2, "arms": [*WAYS]}
    values = {
        "budget": budget,
        "arms": {way: {"way": way, "density": density} for way, density in WAYS.items()},
        "sequences": {"faces": faces, "again": faces | {"data": [data | {"times": 2}], "arms": ["exssnet"]}},
        "hundred": budget | {"encoder": str(encoder), "parsed": str(parsed), "tasks": 3, "solids": 4, "density": 0.2},
    }
    for module in (plan, sequence, tables, hundred):
        monkeypatch.setattr(module, "STUDY", tmp_path, raising=False)
        monkeypatch.setattr(module, "ROWS", tmp_path / "rows", raising=False)
    monkeypatch.setattr(plan, "PLAN", tmp_path / "params.yaml")
    monkeypatch.setattr(hundred, "OUT", tmp_path / "hundred.json")
    monkeypatch.setattr(unfinished, "WORK", tmp_path / "work")
    monkeypatch.setattr(sequence, "WORK", tmp_path / "work")
    monkeypatch.setenv("RANK", "1")  # nothing is tracked
    monkeypatch.setattr(sequence, "run_jobs", lambda run, jobs, *rest: {name: run(*it) for name, it in jobs.items()})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


def test_a_sequence_gone_through_again_has_other_training_solids_and_names(study):
    [data] = plan.plan().sequences["again"].data
    tasks = sequence.tasks_of_faces(data, 2, 4, 0)
    assert [task.name for task in tasks] == [f"{name}, time {t}" for t in (1, 2) for name in ("hole+slot", "step+rib")]
    solids = [{uid for asked, _ in task.train for uid in asked.batch.uid} for task in tasks]
    assert len(solids[0]) == 5 and solids[0] == solids[1] and not solids[0] & solids[2]
    held = [{uid for asked, _ in task.test for uid in asked.batch.uid} for task in tasks]
    assert held[0] == held[2] and not held[0] & (solids[0] | solids[2])


def test_every_arm_and_seed_leaves_a_row_and_the_tables_tell_forgetting_and_the_distance_to_joint(study):
    sequence.main("faces")
    rows = [json.loads(line) for line in (study / "rows" / "faces.jsonl").read_text().splitlines()]
    assert [(row["arm"], row["seed"]) for row in rows] == [(way, seed) for way in WAYS for seed in (0, 1)]
    for row in rows:
        if row["arm"] in ("exssnet", "supsup"):
            assert row["bit_identical"] is True and row["forgetting"] == 0.0
        assert len(row["steps_to_95"]) == {"joint": 1, "majority": 0}.get(row["arm"], 2)
    exclusive = rows[0]
    assert all(0 < share < 0.5 for share in exclusive["own"]) and all(0 < u < 1 for u in exclusive["used"].values())
    assert exclusive["written"] == pytest.approx(sum(exclusive["own"]))
    tables.main()
    text = (study / "tables.md").read_text()
    assert "Not run yet: again, hundred." in text
    means = json.loads((study / "metrics.json").read_text())["faces"]
    expected = np.mean([row["average_accuracy"] for row in rows if row["arm"] == "exssnet"])
    assert means["exssnet"]["average_accuracy_mean"] == pytest.approx(expected, abs=1e-4)
    line = next(line for line in text.splitlines() if line.startswith("| exssnet |"))
    assert "| yes |" in line and "| 0.0 ± 0.0 |" in line


def test_what_a_start_from_an_earlier_mask_saves_is_told_apart_for_new_tasks_and_known_ones():
    names = ["a, time 1", "b, time 1", "a, time 2", "b, time 2"]

    def row(arm, seed, steps, chosen):
        return {"arm": arm, "seed": seed, "tasks": names, "steps_to_95": steps, "chosen": chosen}

    rows = [row("exssnet", seed, [40, 20 + seed, 20, 30], [[]] * 4) for seed in (0, 1)]
    rows += [row("exssnet_best", seed, [8, 20, 0, 10], [[], [], [0], [1]]) for seed in (0, 1)]
    first, again = tables.transfers("again", rows).rows
    assert first[:4] == ["exssnet_best", "for the first time", "20.5", "20.0"] and first[5] == "0.0"
    assert again[1:4] == ["again", "25.0", "5.0"] and again[4].startswith("-20.0") and again[5] == "100.0"


def test_tasks_in_a_row_answer_in_a_new_process_as_when_they_were_learned(study, monkeypatch):
    """The new process of the stage is stood in for by the function that it calls: it has no tiny study to read."""

    class Done:
        def __init__(self, command, **_):
            self.stdout = json.dumps(hundred.answers(hundred.Path(command[-1]), hundred.tasks(plan.plan().hundred)))

    def cut_off(*arguments):
        added = add_task(*arguments)
        if added.path.name == "task_00001.safetensors":
            raise KeyboardInterrupt
        return added

    add_task = hundred.add_task
    monkeypatch.setattr(hundred.subprocess, "run", Done)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(hundred, "add_task", cut_off)
        hundred.main()
    hundred.main()  # goes on with the second task, of which a file is there but no record
    found = json.loads((study / "hundred.json").read_text())
    assert found["unmoved"] == found["tasks"] == len(found["each"]) == 3
    assert all(row["bytes"] < found["base_bytes"] for row in found["each"])


def test_faces_solids_and_images_take_turns_on_one_network_that_reads_them_all(study):
    for kind, color in (("red", (200, 0, 0)), ("blue", (0, 0, 200)), ("green", (0, 200, 0)), ("grey", (90, 90, 90))):
        (study / "images" / kind).mkdir(parents=True)
        for i in range(30):
            Image.new("RGB", (20, 20), tuple(c + i for c in color)).save(study / "images" / kind / f"{i}.png")
    values = yaml.safe_load((study / "params.yaml").read_text())
    [faces] = values["sequences"]["faces"]["data"]
    method = block("m3ae") | {"size": {"dim": 16, "depth": 1, "heads": 2}, "patch": 4}
    save_backbone(study / "joint", build("m3ae", method, SPEC).backbone(), "m3ae", method, SPEC, "d")
    data = [
        faces | {"others": True},
        faces | {"kind": "multilabel"},
        {"images": str(study / "images"), "validation": 0.2},
    ]
    values["sequences"]["mixed"] = {"encoder": str(study / "joint"), "data": data, "tasks": 2, "seeds": 1}
    values["sequences"]["mixed"] |= {"arms": ["exssnet", "joint"]}
    (study / "params.yaml").write_text(yaml.safe_dump(values))
    tasks = sequence.tasks_in_turn(plan.plan().sequences["mixed"], 4, 0)
    assert [task.kind for task in tasks] == ["segmentation", "multilabel", "classification"] * 2
    assert [task.n_classes for task in tasks] == [3, 2, 2] * 2 and tasks[2].name == "blue+green"
    sequence.main("mixed")
    rows = [json.loads(line) for line in (study / "rows" / "mixed.jsonl").read_text().splitlines()]
    assert rows[0]["bit_identical"] is True and len(rows[0]["tasks"]) == 6
    assert len(rows[1]["accuracy"][-1]) == 6 and all(0 <= value <= 1 for value in rows[1]["accuracy"][-1])


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"images": "somewhere"}, "name either parsed or images"),
        ({"kind": "multilabel", "others": True}, "others is a class of faces"),
    ],
)
def test_data_that_ask_for_two_things_at_once_are_refused(study, change, reason):
    values = yaml.safe_load((study / "params.yaml").read_text())
    values["sequences"]["faces"]["data"][0] |= change
    (study / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(SettingsError, match=reason):
        plan.plan()
