"""The transfer study, on a tiny one: which labels are read, by whom, and what the tables make of the scores."""

import json
from collections import Counter

import numpy as np
import pytest
import torch

from brep_mae.checks import SettingsError
from brep_mae.evaluation.metrics import scores
from brep_mae.fewshot import fewshot as compared
from brep_mae.fewshot.heads import forest
from brep_mae.pretraining import unfinished
from pipelines.studies.transfer import fewshot, tables
from tests.pipelines.studies.tiny_study import ARMS, SIZES, TinyStudy
from tests.stored import N_FACES


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "WORK", tmp_path / "work")
    whole = forest.ExtraTreesClassifier
    monkeypatch.setattr(forest, "ExtraTreesClassifier", lambda trees, **rest: whole(10, **rest))
    yield TinyStudy(tmp_path)
    fewshot.material.cache_clear()


def predictions(study: TinyStudy, monkeypatch, target: str, arms=ARMS) -> list[np.ndarray]:
    """What every arm says of the test rows."""
    found = []

    def record(truth, predicted, *rest):
        found.append(predicted.copy())
        return scores(truth, predicted, *rest)

    monkeypatch.setattr(compared, "scores", record)
    for arm in arms:
        fewshot.one(study.study, target, arm, "few", 0)
    assert len(found) == 2 * len(arms)
    return found


def same(a: list[np.ndarray], b: list[np.ndarray]) -> list[bool]:
    return [np.array_equal(x, y) for x, y in zip(a, b, strict=True)]


@pytest.mark.parametrize("target, arms", [("here", [*ARMS]), ("families", [*ARMS]), ("mirrored", ["forest", "tuned"])])
def test_noise_in_place_of_test_labels_changes_no_prediction(study, monkeypatch, target, arms):
    clean = predictions(study, monkeypatch, target, arms)
    study.set("ours", 0, noise=("test",))
    assert all(same(clean, predictions(study, monkeypatch, target, arms)))
    study.set("ours", 0, noise=("train", "validation"))
    assert not any(same(clean, predictions(study, monkeypatch, target, arms))[1::2]), "control: labels to learn from do"


def test_with_labels_from_afar_no_label_of_the_target_is_read(study, monkeypatch):
    arms = ["self_trained", "tuned", "both"]
    clean = predictions(study, monkeypatch, "from_afar", arms)
    study.set("ours", 0, noise=tuple(SIZES))
    study.set("theirs", 100, noise=("validation", "test"))
    assert all(same(clean, predictions(study, monkeypatch, "from_afar", arms)))
    study.set("theirs", 100, noise=("train",))
    assert not any(same(clean, predictions(study, monkeypatch, "from_afar", arms))[1::2]), "control"


def test_more_labels_than_there_are_afar_are_not_taken_from_the_target(study):
    study.values["targets"]["from_afar"]["many"] = [13]
    study.write()
    with pytest.raises(ValueError, match="theirs has 12 solids to label"):
        fewshot.one(study.study, "from_afar", "forest", "many", 0)


@pytest.mark.parametrize("target", ["strangers", "strange_beside"])
def test_sets_of_other_classes_are_refused_by_name(study, target):
    with pytest.raises(ValueError, match=rf"{target}.*strange has other classes than ours"):
        fewshot.one(study.study, target, "forest", "few", 0)


def test_generated_labels_beside_real_ones_are_those_of_training_solids_and_are_learned_from(study, monkeypatch):
    clean = predictions(study, monkeypatch, "both", ["joint"])
    study.set("theirs", 100, noise=("validation", "test"))
    assert all(same(clean, predictions(study, monkeypatch, "both", ["joint"])))
    study.set("theirs", 100, noise=("train",))
    assert not all(same(clean, predictions(study, monkeypatch, "both", ["joint"])))


def watched(monkeypatch, visit) -> None:
    """In place of every head: `visit` is called with its problem and its labelled rows, and all is of class 0."""

    def fit(problem, rows, seed):
        visit(problem, rows)
        return lambda rows: np.zeros(len(rows.x), int)

    monkeypatch.setattr(compared, "head", lambda mode: fit)


def labelled(study: TinyStudy, monkeypatch, target: str, arm: str, seed: int, budget: str = "few"):
    """By number of labels: the labelled solids in order, their parts, and the solids read without labels."""
    found, others = {}, []
    every = compared.every_row

    def read(task, backbone, batches):
        others[:] = [uid for batch in batches for uid in batch.uid]
        return every(task, backbone, batches)

    def visit(problem, rows):
        problem.unlabelled()
        uids = [uid for batch in rows.batches for uid in batch.uid]
        found[len(uids)] = uids, [int(part) for b in rows.batches for part in b.faces.part], list(others)

    monkeypatch.setattr(compared, "every_row", read)
    watched(monkeypatch, visit)
    fewshot.one(study.study, target, arm, budget, seed)
    return found


def test_chosen_solids_are_others_than_drawn_ones_and_no_label_matters(study, monkeypatch):
    chosen = labelled(study, monkeypatch, "chosen", "forest", 0)
    assert chosen[3][0] != labelled(study, monkeypatch, "here", "forest", 0)[3][0]
    study.set("ours", 0, noise=tuple(SIZES))
    assert labelled(study, monkeypatch, "chosen", "forest", 0)[3][0] == chosen[3][0]


@pytest.mark.parametrize("target", ["here", "from_afar", "chosen"])
def test_labelled_solids_are_nested_and_the_same_for_all_arms_of_a_seed(study, monkeypatch, target):
    first = labelled(study, monkeypatch, target, "forest", 0)
    assert set(first) == {1, 3} and first[1][0] == first[3][0][:1]
    assert all(labelled(study, monkeypatch, target, arm, 0) == first for arm in ARMS)
    assert labelled(study, monkeypatch, target, "forest", 0, "many")[6][0][:3] == first[3][0]
    assert labelled(study, monkeypatch, target, "forest", 1)[3][0] != first[3][0]


def test_labelled_unlabelled_and_test_solids_are_others_and_of_the_sides_they_should_be(study, monkeypatch):
    ours, theirs = (study.study.stored_set(name).split for name in ("ours", "theirs"))
    pool, test = {f"0/{u}" for u in [*ours["train"], *ours["validation"]]}, {f"0/{u}" for u in ours["test"]}
    for seed in range(3):
        uids, _, others = labelled(study, monkeypatch, "here", "forest", seed)[3]
        assert len(others) == 4 and {*uids, *others} <= pool and not {*uids} & {*others}
        uids, _, others = labelled(study, monkeypatch, "from_afar", "forest", seed)[3]
        assert {*uids} <= {f"1/{u}" for u in theirs["train"]} and {*others} <= pool and len(others) == 4
    for target in ("here", "from_afar", "mirrored"):
        given = fewshot.material(study.study, target, False)
        assert set(given.test) == test and not test & {*given.labelled, *given.unlabelled}


def test_where_solids_are_classified_shots_count_each_class(study, monkeypatch):
    for seed in range(4):
        found = labelled(study, monkeypatch, "families", "forest", seed)
        assert {n: Counter(parts) for n, (_, parts, _) in found.items()} == {2: {0: 1, 1: 1}, 6: {0: 3, 1: 3}}


def test_in_all_means_whatever_the_classes(study, monkeypatch):
    found = [labelled(study, monkeypatch, "families_in_all", "forest", seed) for seed in range(4)]
    assert all({n: len(parts) for n, (_, parts, _) in draw.items()} == {1: 1, 3: 3} for draw in found)
    assert any(Counter(draw[3][1]) != {0: 2, 1: 1} for draw in found), "no class is sure of a share"


def test_where_the_unit_is_a_file_files_are_labelled_and_scored(study, monkeypatch):
    study.values["sets"]["ours"] = study.values["sets"]["ours"] | {"unit": "file"}
    del study.values["targets"]["mirrored"]
    study.set("ours", 0)
    found = labelled(study, monkeypatch, "families", "forest", 0)
    assert {n: Counter(parts) for n, (_, parts, _) in found.items()} == {2: {0: 1, 1: 1}, 6: {0: 3, 1: 3}}
    given = fewshot.material(study.study, "families", False)
    assert len(given.test) == SIZES["test"] and not any("#" in uid for uid in (*given.test, *given.labelled))
    assert len(given.data.batch(given.test).faces.part) == SIZES["test"]
    faces = torch.bincount(given.data.batch(given.test).faces.solid).tolist()
    assert faces == [2 * n for n in N_FACES[: SIZES["test"]]]


def test_what_only_solids_have_is_refused_for_files(study):
    study.values["sets"]["ours"] = study.values["sets"]["ours"] | {"unit": "file"}
    study.write()
    with pytest.raises(SettingsError, match=r"targets\.mirrored: solids are turned, and a sample of ours is a file"):
        study.study.plan()
    del study.values["targets"]["mirrored"]
    study.values["sets"]["ours"] = study.values["sets"]["ours"] | {"render": {"views": 2, "size": 16}}
    study.write()
    with pytest.raises(SettingsError, match="renders are of solids"):
        study.study.plan()


def test_only_test_solids_lie_another_way(study):
    turned, straight = (fewshot.material(study.study, target, False) for target in ("mirrored", "here"))
    for uid in (*straight.labelled, *straight.test):
        equal = torch.equal(turned.data.faces(uid).grid, straight.data.faces(uid).grid)
        assert equal == (uid not in straight.test)


def test_rows_say_whose_they_are(study):
    rows = fewshot.one(study.study, "here", "tuned", "few", 1)
    expected = {"target": "here", "encoder": "tuned", "kind": "source", "mode": "finetuned", "labels": "generated"}
    assert [r["shots"] for r in rows] == [1, 3] and all(r.items() >= (expected | {"seed": 1}).items() for r in rows)


def test_an_arm_has_its_own_encoders_and_its_numbers_go_before_those_of_the_target(study, monkeypatch):
    study.values["arms"] = ARMS | {"blind": ARMS["forest"] | {"blind": ["log_area"], "tune": {"noise": 0.6}}}
    study.values["targets"]["here"]["tune"] = {"noise": 0.7}
    study.write()
    backbones = {name: fewshot.encoder(study.study, arm, 0) for name, arm in study.study.plan().arms.items()}
    assert backbones["both"].dim == backbones["forest"].dim + backbones["tuned"].dim
    assert backbones["blind"].face.tolist() == [0]
    assert not torch.equal(*(backbones[name].tokens.embed[0].weight for name in ("fresh", "tuned")))
    noise = []
    watched(monkeypatch, lambda problem, rows: noise.append(problem.params.noise))
    for target, arm in (("here", "blind"), ("here", "forest"), ("mirrored", "forest")):
        fewshot.one(study.study, target, arm, "many", 0)
    assert noise == [0.6, 0.7, study.values["fewshot"]["noise"]]


def test_the_stages_write_a_row_per_arm_budget_seed_and_number_of_labels_and_the_tables(study, monkeypatch):
    arms = ["forest", "fresh"]
    own = study.values["targets"]["here"] | {"arms": arms}
    study.values["targets"] = {"here": own, "later": own}
    study.values["tables"] = {t: {"title": t.title(), "targets": [t], "arms": arms} for t in ("here", "later")}
    study.write()
    monkeypatch.setenv("RANK", "1")  # nothing is tracked
    monkeypatch.setattr(fewshot, "run_jobs", lambda run, jobs, *rest: {name: run(*it) for name, it in jobs.items()})
    fewshot.main(str(study.folder), "here")
    rows = [json.loads(line) for line in (study.folder / "rows" / "here.jsonl").read_text().splitlines()]
    few = {(arm, shots): 2 for arm in arms for shots in (1, 3)}
    assert Counter((r["encoder"], r["shots"]) for r in rows) == few | {("forest", 6): 1}
    tables.main(str(study.folder))
    text = (study.folder / "tables.md").read_text()
    assert "### Here\n\n|  | 1 shot | 3 shots | 6 shots |" in text
    assert "### Later" not in text and "Not run yet: later." in text
    assert json.loads((study.folder / "metrics.json").read_text())["here"]["forest"]["3"]["n"] == 2


def test_a_target_made_network_by_network_has_the_rows_of_one_that_is_made_at_once(study, monkeypatch):
    arms = ["forest", "fresh", "both"]
    study.values["targets"] = {"here": study.values["targets"]["here"] | {"arms": arms}}
    study.values["tables"] = {"here": {"title": "Here", "targets": ["here"], "arms": arms}}
    study.write()
    monkeypatch.setenv("RANK", "1")  # nothing is tracked
    monkeypatch.setattr(fewshot, "run_jobs", lambda run, jobs, *rest: {name: run(*it) for name, it in jobs.items()})

    def made(*network: str) -> tuple[str, str]:
        fewshot.main(str(study.folder), "here", *network)
        tables.main(str(study.folder))
        return (study.folder / "tables.md").read_text(), (study.folder / "metrics.json").read_text()

    def scores(numbers: str) -> dict:
        return {k: [v["micro_mean"] for v in arm.values()] for k, arm in json.loads(numbers)["here"].items()}

    text, numbers = made()
    (study.folder / "rows" / "here.jsonl").unlink()
    first, some = made("hops")
    assert set(scores(some)) == {"forest"} and "Not run yet: here (fresh, both)." in first
    again, pieces = made("source")
    assert again == text and scores(pieces) == scores(numbers)
    assert "Not run yet" not in again


def test_an_unknown_key_is_refused_by_name(study):
    study.values["arms"] = {"forest": ARMS["forest"] | {"modes": 1}}
    study.write()
    with pytest.raises(SettingsError, match=r"params.yaml: unknown key arms.forest.modes$"):
        study.study.plan()
