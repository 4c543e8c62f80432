"""The transfer study's encoders: trained on several sets at once, on labels where asked, and handed on."""

import json
import shutil
from statistics import fmean

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from brep_mae.checkpoints.backbones import WEIGHTS, load_backbone
from brep_mae.checkpoints.listed import encoder_in, listed
from brep_mae.checks import SettingsError
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.content import kinds
from brep_mae.datasets.frames import FrameWriter
from brep_mae.datasets.from_graph import from_graph
from brep_mae.datasets.shards import open_shards
from brep_mae.fitted.model import load_model
from brep_mae.models.extractors.hops import Hops
from brep_mae.output.note import sha256
from brep_mae.pretraining import pretraining, unfinished
from pipelines.studies.transfer import fewshot, fitted, pretrain, release, tables
from tests.contracts.test_methods import block
from tests.pipelines.studies.tiny_study import SIZES, TinyStudy
from tests.stored import FACE_CLASSES


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "WORK", tmp_path / "work")
    monkeypatch.setenv("RANK", "1")  # nothing is tracked
    study = TinyStudy(tmp_path)
    method = block("attribute_masking") | {"dim": 8, "depth": 1, "steps": 2, "batch": 4}
    study.values["pretrain"] |= {"log_every": 1, "checkpoint_every": 1}
    study.values["methods"] = {"attribute_masking": method}
    study.values["sets"] = {
        name: {"dataset": {"name": "generated", "path": "", "limit": 0}, "generate": made, "split": split}
        for made, split in [({"kind": "milled", "solids": 20, "seed": 7}, {"validation": 0.1, "test": 0.3})]
        for name in ("ours", "theirs")
    }
    study.values["sources"] = {
        "all": {"method": "attribute_masking", "sets": ["ours", "theirs"]},
        "told": {"method": "attribute_masking", "sets": ["ours"], "labels": True},
    }
    study.values["taught"] = {}
    study.values["targets"] = {}
    study.values["arms"] = {
        arm: {"encoders": [encoder], "mode": "frozen"} for arm, encoder in (("tuned", "all"), ("other", "told"))
    }
    study.write()
    return study


def weights(study: TinyStudy, name: str) -> dict:
    return load_file(study.folder / "models" / name / WEIGHTS)


@pytest.mark.parametrize("name, reads", [("all", False), ("told", True)])
def test_labels_are_read_only_where_the_plan_says_so(study, name, reads):
    pretrain.main(str(study.folder), name)
    clean = weights(study, name)
    study.set("ours", 0, noise=tuple(SIZES))
    study.set("theirs", 100, noise=tuple(SIZES))
    pretrain.main(str(study.folder), name)
    noisy = weights(study, name)
    assert any(bool((clean[key] != noisy[key]).any()) for key in clean) == reads


def test_every_draw_meets_the_encoder_of_its_own_seed_and_the_next_round_begins_anew(study):
    study.values["sources"]["all"]["seeds"] = 2
    study.write()
    pretrain.main(str(study.folder), "all")
    arm = study.study.plan().arms["tuned"]
    states = [fewshot.encoder(study.study, arm, seed).state_dict() for seed in range(3)]
    differ = [any(bool((states[0][key] != state[key]).any()) for key in states[0]) for state in states]
    assert differ == [False, True, False]
    assert sorted(path.name for path in (study.folder / "models" / "all" / "seeds").iterdir()) == ["1"]


def test_a_source_is_trained_with_what_it_says_differs_from_its_method(study):
    study.values["sources"]["all"]["tune"] = {"steps": 1}
    study.write()
    settings = {name: pretrain.pretraining_of(study.study, name, 0)[0].values["steps"] for name in ("all", "told")}
    assert settings == {"all": 1, "told": 2}


def test_a_misspelt_setting_of_a_source_is_named_with_the_source(study):
    study.values["sources"]["all"]["tune"] = {"stepps": 1}
    study.write()
    with pytest.raises(SettingsError, match=r"sources\.all\.tune.*stepps"):
        study.study.plan()


def test_the_tables_tell_the_mean_over_seeds_of_cost_and_of_what_is_predicted_without_any_model(study):
    study.values["sources"]["all"]["seeds"] = 2
    study.write()
    pretrain.main(str(study.folder), "all")
    told = json.loads((study.folder / "pretrained" / "all.json").read_text())
    r2 = [seed["heldout"]["r2/invariants.scalars"] for seed in told["metrics"]]
    assert len(told["cost"]) == 2 and r2[0] != r2[1]
    shutil.rmtree(study.folder / "models")
    tables.main(str(study.folder))
    text = (study.folder / "tables.md").read_text()
    assert f"| all | invariants.scalars | {fmean(r2):.2f} |" in text
    assert f"| all | {fmean(seed['minutes'] for seed in told['cost']):.1f} |" in text


def test_seeds_that_are_finished_are_not_trained_again_after_a_stop(study, monkeypatch):
    study.values["sources"]["all"]["seeds"] = 3
    study.write()
    trained, real = [], pretraining.train

    def train(pretext, data, heldout, params, *rest):
        trained.append(params.seed)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(pretext, data, heldout, params, *rest)

    monkeypatch.setattr(pretraining, "train", train)
    with pytest.raises(KeyboardInterrupt):
        pretrain.main(str(study.folder), "all")
    pretrain.main(str(study.folder), "all")
    assert trained == [1, 2, 2, 0]


def test_no_solid_of_a_test_side_is_trained_on(study, monkeypatch):
    given, real = [], pretraining.train

    def train(pretext, data, heldout, *rest):
        given.append((data, heldout))
        return real(pretext, data, heldout, *rest)

    monkeypatch.setattr(pretraining, "train", train)
    pretrain.main(str(study.folder), "all")
    [(data, heldout)] = given
    sides = [study.study.stored_set(name).split for name in ("ours", "theirs")]
    assert set(data.uids) == {f"{i}/{uid}" for i, split in enumerate(sides) for uid in split["train"]}
    assert set(heldout.uids) == {f"{i}/{uid}" for i, split in enumerate(sides) for uid in split["validation"]}


def test_the_encoder_handed_on_opens_and_tells_what_it_is_made_of(study):
    pretrain.main(str(study.folder), "all")
    for name in ("ours", "theirs"):
        folder = study.folder / "data" / name
        about = json.loads((folder / "dataset.json").read_text()) | {"licence": "CC0-1.0"}
        (folder / "dataset.json").write_text(json.dumps(about))
        (folder / "report.json").write_text(json.dumps({"files": 20}))
    (study.folder / "rows").mkdir()
    row = {"target": "here", "encoder": "tuned", "shots": 5, "seed": 0, "micro": 0.625}
    rows = [row, row | {"encoder": "other"}]
    (study.folder / "rows" / "here.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    release.main(str(study.folder), "all")
    out = study.folder / "release" / "all"
    assert load_backbone(out).dim == load_backbone(study.folder / "models" / "all").dim
    text = (out / "README.md").read_text()
    assert sha256(out / WEIGHTS) in text
    assert "| theirs | generated, milled, seed 7 | CC0-1.0 | 20 | theirs |" in text
    assert "| here | tuned | 5 | 62.50 |" in text and "| other |" not in text and "No label was read." in text


def test_networks_that_have_learned_classes_are_handed_on_as_one_model_with_its_scores(study, capsys, monkeypatch):
    """They learn from the training sides alone, and the model says what the mean of their logits is, in any order."""
    several, train = [], fitted.fine_tune

    def noted(problem, head, labelled, seed):
        assert {uid.partition("/")[2] for batch in labelled.batches for uid in batch.uid} == {
            uid for name in ("ours", "theirs") for uid in study.study.stored_set(name).split["train"]
        }
        several.append(train(problem, head, labelled, seed))
        return several[-1]

    monkeypatch.setattr(fitted, "fine_tune", noted)
    study.values["fitted"] = {
        "named": {"encoder": "all", "networks": 2, "sets": ["ours", "theirs"], "scored": "strange"}
    }
    study.values["sets"]["strange"] = study.values["sets"]["ours"]
    study.write()
    pretrain.main(str(study.folder), "all")
    shutil.rmtree(study.folder / "data" / "strange")
    for name in ("ours", "theirs"):
        folder = study.folder / "data" / name
        about = json.loads((folder / "dataset.json").read_text()) | {"licence": "CC0-1.0"}
        (folder / "dataset.json").write_text(json.dumps(about))
        (folder / "report.json").write_text(json.dumps({"files": 20}))
    with monkeypatch.context() as cut_off:
        cut_off.setattr(fitted, "hand_on", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fitted.main(str(study.folder), "named")
    fitted.main(str(study.folder), "named")
    assert len(several) == 2  # the second run trained nothing anew
    assert "not scored on strange, which is not there" in capsys.readouterr().out
    out = study.folder / "release" / "named"
    model = load_model(out)
    assert model.classes == FACE_CLASSES and model.report["files"] == 2 * SIZES["train"]
    test = study.study.stored_set("ours").solids(frozenset(), "test")
    said, truth = [], []
    for uid in test.uids:
        (answer,) = model.answer(out, uid, [test.graph(uid)])
        said += answer.faces
        truth += [FACE_CLASSES[i] for i in test.graph(uid).face_label]
        batch = Batch((uid,), from_graph(test.graph(uid), model.extractor.reads))
        with torch.no_grad():
            mean = sum(layer(network.eval()(batch).face) for network, layer in several) / 2
        assert [one.share for one in answer.faces] == pytest.approx(mean.softmax(1).amax(1).tolist(), abs=1e-5)
    (found,) = listed(out)
    right = fmean(a.name == b for a, b in zip(said, truth, strict=True))
    assert not found.problem and found.about["card"]["scores"] == {"test side of ours": pytest.approx(right, abs=1e-3)}
    assert encoder_in(out) == out / "encoder"
    dims = [load_backbone(out / each).dim for each in ("encoder", "encoder-2")]
    assert model.extractor.dim == Hops().dim + sum(dims)


@pytest.fixture
def drawn(study, tmp_path):
    """The study with renders of both sets, natural images, an encoder of these, and one of faces that it teaches."""
    for name in ("ours", "theirs"):
        study.values["sets"][name]["render"] = {"views": 2, "size": 16}
        with FrameWriter(study.study.frames_of(name), views=2, size=16) as frames:
            for graph in open_shards(study.folder / "data" / name):
                face = np.arange(2 * 16 * 16).reshape(2, 16, 16) % graph.n_faces
                frames.add(graph.uid, np.repeat(face[..., None] * 20, 3, 3).astype(np.uint8), face.astype(np.int16))
    for i in range(60):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("RGB", (20, 20), (i, 2 * i, 255 - i)).save(tmp_path / "images" / f"{i}.png")
    size = {"dim": 8, "depth": 1, "heads": 2}
    teacher = {"source": "checkpoint", "reads": "frames", "path": str(study.folder / "models" / "renders"), "dim": 8}
    study.values["methods"] |= {
        "mae_images": block("mae_images") | {"size": size, "decoder": size, "patch": 4, "steps": 4, "batch": 4},
        "maskdistill_faces": block("maskdistill_faces")
        | {"size": {"dim": 8, "depth": 1, "dropout": 0.0}, "teacher": teacher, "steps": 2, "batch": 4},
    }
    both = ["ours", "theirs"]
    study.values["sources"]["renders"] = {"method": "mae_images", "sets": both, "images": str(tmp_path / "images")}
    study.values["taught"]["distilled"] = {"method": "maskdistill_faces", "sets": both}
    study.write()
    return study


def test_an_image_encoder_of_renders_and_natural_images_teaches_one_of_faces(drawn, monkeypatch):
    met, real = [], pretraining.train

    def train(pretext, data, heldout, params, *rest):
        met.extend(data.at_step(0, step, 4) for step in range(2))
        return real(pretext, data, heldout, params, *rest)

    monkeypatch.setattr(pretraining, "train", train)
    pretrain.main(str(drawn.folder), "renders")
    renders, natural = met
    assert renders.frames.image.shape[1] == 2 and natural.frames.image.shape[1] == 1
    pretrain.main(str(drawn.folder), "distilled")
    assert kinds(load_backbone(drawn.folder / "models" / "distilled").reads) == {"faces"}


def redrawn(drawn: TinyStudy, lost: str) -> None:
    """All solids of "ours" have renders, but for one."""
    folder = drawn.study.frames_of("ours")
    for path in folder.glob("*"):
        path.unlink()
    with FrameWriter(folder, views=2, size=16) as frames:
        for side in drawn.study.stored_set("ours").split.values():
            for uid in set(side) - {lost}:
                frames.add(uid, np.zeros((2, 16, 16, 3), np.uint8), np.zeros((2, 16, 16), np.int16))


def test_a_solid_that_was_not_drawn_is_left_out_of_what_reads_renders(drawn):
    lost = drawn.study.stored_set("ours").split["train"][0]
    redrawn(drawn, lost)
    assert lost not in drawn.study.stored_set("ours", drawn=True).split["train"]
    assert lost in drawn.study.stored_set("ours").split["train"]


def test_of_a_set_that_is_drawn_all_arms_meet_the_solids_that_have_renders(drawn):
    pretrain.main(str(drawn.folder), "renders")
    budget = {"set": "ours", "labels_from": "ours", "few": [1, 3], "few_seeds": 1}
    drawn.values["arms"] = {
        "images": {"encoders": ["renders"], "mode": "frozen"},
        "plain": {"encoders": ["hops"], "mode": "frozen"},
    }
    drawn.values["targets"] = {"faces": budget | {"arms": ["images", "plain"]}}
    drawn.write()
    lost = drawn.study.stored_set("ours").split["test"][0]
    redrawn(drawn, lost)
    given, plain = (fewshot.material(drawn.study, "faces", frames) for frames in (True, False))
    assert f"0/{lost}" not in given.test and plain.test == given.test
    assert given.data.batch(given.test).frames is not None and plain.data.batch(plain.test).frames is None
    scored = [fewshot.one(drawn.study, "faces", arm, "few", 0) for arm in ("images", "plain")]
    assert [[row["shots"] for row in rows] for rows in scored] == [[1, 3]] * 2
    tables.main(str(drawn.folder))
    text = (drawn.folder / "tables.md").read_text()
    assert "| renders | pixels.pixels |" in text
