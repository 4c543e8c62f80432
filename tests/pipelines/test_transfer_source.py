"""The transfer study's encoders: trained on several sets at once, on labels where asked, and handed on."""

import json

import pytest
from safetensors.torch import load_file

from brep_mae.training.checkpoint import WEIGHTS, load_backbone, sha256
from pipelines import stored
from pipelines.transfer import plan, pretrain, release
from tests.contracts.test_methods import block
from tests.pipelines.test_transfer import PLACES, SIZES, Study


@pytest.fixture
def study(tmp_path, monkeypatch):
    for module in (plan, pretrain, release, stored):
        for name in PLACES.keys() & vars(module).keys():
            monkeypatch.setattr(module, name, tmp_path / PLACES[name])
    monkeypatch.setattr(release, "OUT", tmp_path / "release")
    monkeypatch.setenv("RANK", "1")  # nothing is tracked
    study = Study(tmp_path)
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
    study.values["targets"] = {}
    study.values["arms"] = {
        arm: {"encoders": [encoder], "mode": "frozen"} for arm, encoder in (("tuned", "all"), ("other", "told"))
    }
    study.write()
    return study


def weights(study: Study, name: str) -> dict:
    return load_file(study.folder / "models" / name / WEIGHTS)


@pytest.mark.parametrize("name, reads", [("all", False), ("told", True)])
def test_labels_are_read_only_where_the_plan_says_so(study, name, reads):
    pretrain.main(name)
    clean = weights(study, name)
    study.set("ours", 0, noise=tuple(SIZES))
    study.set("theirs", 100, noise=tuple(SIZES))
    pretrain.main(name)
    noisy = weights(study, name)
    assert any(bool((clean[key] != noisy[key]).any()) for key in clean) == reads


def test_no_solid_of_a_test_side_is_trained_on(study, monkeypatch):
    given, real = [], pretrain.train

    def train(pretext, data, heldout, *rest):
        given.append((data, heldout))
        return real(pretext, data, heldout, *rest)

    monkeypatch.setattr(pretrain, "train", train)
    pretrain.main("all")
    [(data, heldout)] = given
    sides = [plan.stored_set(name).split for name in ("ours", "theirs")]
    assert set(data.uids) == {f"{i}/{uid}" for i, split in enumerate(sides) for uid in split["train"]}
    assert set(heldout.uids) == {f"{i}/{uid}" for i, split in enumerate(sides) for uid in split["validation"]}


def test_the_encoder_handed_on_opens_and_tells_what_it_is_made_of(study):
    pretrain.main("all")
    for name in ("ours", "theirs"):
        folder = study.folder / "data" / name
        about = json.loads((folder / "dataset.json").read_text()) | {"licence": "CC0-1.0"}
        (folder / "dataset.json").write_text(json.dumps(about))
        (folder / "report.json").write_text(json.dumps({"files": 20}))
    (study.folder / "rows").mkdir()
    row = {"target": "here", "encoder": "tuned", "shots": 5, "seed": 0, "micro": 0.625}
    rows = [row, row | {"encoder": "other"}]
    (study.folder / "rows" / "here.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    release.main("all")
    out = study.folder / "release" / "all"
    assert load_backbone(out).dim == load_backbone(study.folder / "models" / "all").dim
    text = (out / "README.md").read_text()
    assert sha256(out / WEIGHTS) in text
    assert "| theirs | generated, milled, seed 7 | CC0-1.0 | 20 | theirs |" in text
    assert "| here | tuned | 5 | 62.50 |" in text and "| other |" not in text and "No label was read." in text
