"""`brep-mae fit` and `predict --model`: from a few labelled files to answers for others."""

import csv
import json
import shutil

import pytest

from brep_mae.fitted import network
from brep_mae.tracking import tracking
from tests.brep.solids import write_step
from tests.cli.small_tasks import PARTS, box_or_cylinder, ok, run


@pytest.fixture(autouse=True)
def store(tmp_path_factory, monkeypatch):
    """Runs are tracked in a folder of their own."""
    monkeypatch.setattr(tracking, "open_mlflow", lambda: None)
    monkeypatch.setattr(tracking, "root", lambda: tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def few(parts, tmp_path_factory):
    """Classes of the faces of eight parts; those of the last two are for the test alone."""
    table = tmp_path_factory.mktemp("labels") / "my labels.csv"
    rows = [row for row in csv.DictReader((parts / "labels.csv").open()) if row["face"]]
    kept = [row | {"split": "test" if row["file"] >= "06" else ""} for row in rows if row["file"] < "08"]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, kept[0])
        writer.writeheader()
        writer.writerows(kept)
    return table


@pytest.fixture(scope="module")
def model(parts, few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "open_mlflow", lambda: None)
        patch.setattr(tracking, "root", lambda: folder.parent)
        ok("fit", parts, "--labels", few, "--out", folder, "--workers", 1)
    return folder


def test_a_few_labelled_parts_make_a_model_that_answers_for_others(parts, model, tmp_path):
    for i in (0, 1):
        write_step(tmp_path / f"new {i}.step", box_or_cylinder(20 + i))
    values = json.loads(ok("predict", tmp_path, "--model", model, "--csv", tmp_path / "said.csv", "--json"))
    assert values["model"] == str(model) and [one["file"] for one in values["each"]] == ["new 0.step", "new 1.step"]
    assert [row["class"] for row in values["each"][0]["rows"]] == ["flat"] * 6
    assert sorted(row["class"] for row in values["each"][1]["rows"]) == ["curved", "flat", "flat"]
    table = list(csv.DictReader((tmp_path / "said.csv").open()))
    assert [(row["file"], row["face"], row["class"]) for row in table[:6]] == [
        ("new 0.step", str(face), "flat") for face in range(6)
    ]
    assert all(0.5 < float(row["share"]) <= 1 for row in table)


def test_answers_are_written_into_a_page_and_into_coloured_files(parts, model, tmp_path):
    """What is in them is tested beside what writes them; here, that the answers of a model reach them."""
    page, step, glb = tmp_path / "said.html", tmp_path / "step", tmp_path / "glb"
    ok("predict", parts / "20.step", parts / "21.step", "--model", model, "--html", page, "--step", step, "--glb", glb)
    assert {path.name for path in (*step.glob("*.step"), *glb.glob("*.glb"))} == {
        "20.step",
        "21.step",
        "20.glb",
        "21.glb",
    }
    names = [face["name"] for face in json.loads(ok("inspect", step / "21.step", "--json"))["each"][0]["each_face"]]
    assert sorted(names) == ["curved", "flat", "flat"]
    assert "21.step" in page.read_text() and "curved" in page.read_text()


def test_a_labelling_page_starts_from_what_the_model_suggests(parts, model, tmp_path):
    ok("label", parts / "21.step", "--model", model, "--out", tmp_path / "label.html")
    text = (tmp_path / "label.html").read_text()
    assert "curved" in text and "flat" in text
    done = run("label", parts / "21.step", "--out", tmp_path / "none.html")
    assert done.exit_code == 2 and "--classes names no class" in done.output


def test_the_report_tells_what_was_learned_and_what_to_expect(model):
    report = json.loads((model / "model.json").read_text())["report"]
    assert (report["unit"], report["files"], report["test"]) == ("face", 6, 1.0)
    assert report["expected"] == 1.0 and 0.5 < report["commonest"] < 1
    assert {one["name"]: one["files"] for one in report["classes"]} == {"curved": 3, "flat": 6}
    assert report["unlabelled"] == PARTS - 8 and set(report["next"]) <= {f"{i:02d}.step" for i in range(8, PARTS)}


def test_solids_have_classes_as_well_and_an_encoder_stands_beside_plain_features(parts, encoder, tmp_path):
    table = tmp_path / "labels.csv"
    lines = [f"{i:02d}.step,,,{'shaft' if i % 2 else 'block'}" for i in range(8)]
    table.write_text("file,solid,face,class\n" + "\n".join(lines) + "\n")
    out = tmp_path / "model"
    text = ok("fit", parts, "--labels", table, "--out", out, "--encoder", encoder, "--workers", 1, "--unlabelled", 4)
    assert "8 solids with a class, and 4 files without" in text and "plain_forest" in text, text
    assert "block  4 solids, 100.0 % right" in text, text
    assert "block (" in ok("predict", parts / "20.step", "--model", out)


def test_an_encoder_may_be_trained_as_well(parts, few, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "RECIPE", network.RECIPE.model_copy(update={"steps": 5}))
    arguments = (parts, "--labels", few, "--out", tmp_path / "model", "--workers", 1)
    assert "forest_and_network" in ok("fit", *arguments, "--encoder", encoder, "--fine-tune")
    done = run("fit", *arguments, "--encoder", "none", "--fine-tune")
    assert done.exit_code == 1 and "there is no encoder to train" in done.output, done.output


def test_of_labelled_faces_a_model_may_say_which_classes_a_solid_shows(parts, few, tmp_path):
    out = tmp_path / "model"
    text = ok("fit", parts, "--labels", few, "--out", out, "--of", "solid", "--encoder", "none", "--workers", 1)
    assert "F1 of the classes that solids show" in text and "on test parts  100.0 % F1" in text, text
    values = json.loads(ok("predict", parts / "20.step", parts / "21.step", "--model", out, "--json"))["each"]
    assert [[row["class"] for row in one["rows"]] for one in values] == [["flat"], ["curved", "flat"]]


def test_shards_may_be_learned_from_in_place_of_files(shards, tmp_path):
    out = tmp_path / "model"
    report = json.loads(ok("fit", shards, "--out", out, "--of", "solid", "--encoder", "none", "--json"))
    assert (report["unit"], report["files"]) == ("solid", PARTS - 1) and report["expected"] == 1.0


def test_an_encoder_that_reads_other_grids_is_told_with_the_remedy(shards, tmp_path):
    done = run("fit", shards, "--out", tmp_path / "model")
    assert done.exit_code == 1 and "label_free reads 8: parse again with --grid 8" in done.output, done.output


def test_nothing_to_learn_from_is_told_with_the_remedy_and_leaves_nothing(parts, tmp_path):
    one = tmp_path / "one.csv"
    one.write_text("file,solid,face,class\n00.step,0,0,flat\n")
    bare = tmp_path / "bare"
    bare.mkdir()
    write_step(bare / "a.step", box_or_cylinder(0))
    for arguments, reason in (
        ((parts, "--labels", one), "fewer than two classes (the only one is flat): label parts of others"),
        ((bare,), "no labels; write them with `brep-mae labels template`"),
        ((parts, "--labels", tmp_path / "none.csv"), "none.csv: no such file or folder"),
        ((parts, "--labels", one, "--encoder", "unheard_of"), "unheard_of: no such file or folder"),
    ):
        done = run("fit", *arguments, "--out", tmp_path / "model", "--workers", 1)
        assert done.exit_code == 1 and reason in done.output, done.output
        assert not (tmp_path / "model").exists() and not list(tmp_path.glob(".model*"))


def test_a_label_of_a_face_that_is_not_there_is_named(parts, few, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("file,solid,face,class\n08.step,0,99,flat\n" + "00.step,0,0,flat\n01.step,0,0,curved\n")
    done = run("fit", parts, "--labels", table, "--out", tmp_path / "model", "--workers", 1)
    assert "line 2: 08.step: solid 0 has no face 99" in done.output, done.output


@pytest.mark.parametrize(
    "file, change, reason",
    [
        ("model.json", lambda data: data.replace(b'"unit": "face"', b'"unit": "file"'), "its checksum does not match"),
        ("model.json", lambda data: b"{", "not a model's description"),
        ("model.json", lambda data: data.replace(b'"schema": ', b'"schema": 9'), "this is"),
        ("classifier.safetensors", lambda data: data[:-8] + b"\0" * 8, "checksum does not match its weights"),
        ("classifier.safetensors", lambda data: b"no weights", "weights do not fit"),
    ],
)
def test_a_model_that_is_damaged_or_of_another_schema_is_refused(parts, model, tmp_path, file, change, reason):
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    (copy / file).write_bytes(change((copy / file).read_bytes()))
    done = run("predict", parts / "00.step", "--model", copy)
    assert done.exit_code == 1 and reason in done.output and str(copy) in done.output, done.output


def test_what_answers_must_be_named_once(parts, model, tmp_path):
    for arguments in ((), ("--tasks", tmp_path), ("--model", model, "--tasks", tmp_path, "--task", "x")):
        done = run("predict", parts / "00.step", *arguments)
        assert done.exit_code == 2 and "name a model with --model, or a task with --tasks and --task" in done.output
    done = run("predict", parts / "00.step", "--model", tmp_path)
    assert done.exit_code == 1 and "no model.json in it, so no fitted model" in done.output


def test_where_nothing_can_be_answered_the_exit_code_says_so(model, tmp_path):
    (tmp_path / "bad.step").write_text("no STEP")
    done = run("predict", tmp_path, "--model", model, "--csv", tmp_path / "bad.step" / "said.csv")
    assert done.exit_code == 1 and "name a place that can be written to" in done.output, done.output
    done = run("predict", tmp_path, "--model", model)
    assert done.exit_code == 1 and "none of 1 files could be used" in done.output, done.output
