"""The transfer study where the files of a data set are not there: a line each, and all the rest as ever."""

import json

import pytest

from brep_mae.checkpoints.backbones import WEIGHTS
from brep_mae.datasets.labelling.labels import labels_of
from brep_mae.pretraining import unfinished
from pipelines.studies.transfer import fewshot, make_set, pretrain, tables
from tests.brep.solids import box, write_step
from tests.contracts.test_methods import block
from tests.pipelines.studies.tiny_study import TinyStudy
from tests.stored import FACE_CLASSES


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "WORK", tmp_path / "work")
    monkeypatch.setenv("RANK", "1")  # nothing is tracked
    monkeypatch.setattr(fewshot, "run_jobs", lambda run, jobs, *rest: {name: run(*it) for name, it in jobs.items()})
    study = TinyStudy(tmp_path)
    own = study.values["targets"]["here"] | {"arms": ["forest", "far"], "few": [1]}
    study.values["arms"] = {"forest": study.values["arms"]["forest"], "far": {"encoders": ["far"], "mode": "frozen"}}
    study.values["targets"] = {"here": own, "lacking": own | {"set": "gone", "labels_from": "gone"}}
    study.values["tables"] = {t: {"title": t, "targets": [t], "arms": ["forest"]} for t in ("here", "lacking")}
    gone = {"dataset": {"name": "solids", "path": str(tmp_path / "parts")}, "split": {"validation": 0.1, "test": 0.3}}
    study.values["sets"] = study.values["sets"] | {"gone": gone}
    study.values["pretrain"] |= {"log_every": 1, "checkpoint_every": 1}
    method = block("attribute_masking") | {"dim": 8, "depth": 1, "steps": 2, "batch": 4}
    study.values["methods"] = {"attribute_masking": method}
    study.values["sources"] = {
        name: {"method": "attribute_masking", "sets": sets}
        for name, sets in (("far", ["gone"]), ("some", ["ours", "gone"]))
    }
    study.write()
    yield study
    fewshot.material.cache_clear()


def test_what_needs_the_set_is_left_out_with_a_line(study, capsys):
    make_set.main(str(study.folder), "gone")
    assert capsys.readouterr().out.startswith(f"gone: left out, as {study.folder / 'parts'} is not there; get it and")
    assert list((study.folder / "data" / "gone").iterdir()) == []
    pretrain.main(str(study.folder), "far")
    assert capsys.readouterr().out == "far: pretrained without gone, which is not there\n"
    assert not (study.folder / "models" / "far" / WEIGHTS).exists()
    pretrain.main(str(study.folder), "some")
    assert "some: pretrained without gone" in capsys.readouterr().out
    assert (study.folder / "models" / "some" / WEIGHTS).exists()
    for target in ("here", "lacking"):
        fewshot.main(str(study.folder), target)
    said = capsys.readouterr().out
    assert "lacking: left out, as gone is not there" in said
    assert "here: without far, whose encoders are not there" in said
    rows = [json.loads(line) for line in (study.folder / "rows" / "here.jsonl").read_text().splitlines()]
    assert {row["encoder"] for row in rows} == {"forest"}
    assert (study.folder / "rows" / "lacking.jsonl").read_text() == ""
    tables.main(str(study.folder))
    text = (study.folder / "tables.md").read_text()
    assert "### here" in text and "### lacking" not in text and "Not run yet: here (far); lacking." in text


def test_a_set_that_was_made_before_stays_and_one_that_is_there_is_made_with_its_other_names(study, capsys):
    kept = study.folder / "data" / "gone" / "kept"
    kept.parent.mkdir()
    kept.touch()
    make_set.main(str(study.folder), "gone")
    assert kept.exists()
    kept.unlink()
    parts = study.folder / "parts"
    parts.mkdir()
    for i in range(4):
        write_step(parts / f"{i}.step", box(1, 2, 3 + i))
    lines = [f"{i}.step,0,{face},{name}" for i in range(4) for face, name in ((0, "Cut"), (1, "Drill"))]
    (parts / "labels.csv").write_text("\n".join(["file,solid,face,class", *lines]))
    names = dict(zip(("Bore", "Cut", "Drill"), FACE_CLASSES, strict=True))
    study.values["sets"]["gone"] = study.values["sets"]["gone"] | {"face_classes": names}
    study.write()
    make_set.main(str(study.folder), "gone")
    known = labels_of(study.folder / "data" / "gone")
    assert known.face_classes == FACE_CLASSES
    assert [one.faces.tolist() for one in known.solids.values()] == [[1, 2, -1, -1, -1, -1]] * 4
    study.values["sets"]["gone"] = study.values["sets"]["gone"] | {"face_classes": {"Cut": "a"}}
    study.write()
    with pytest.raises(ValueError, match="has the class Drill, which has no other name; name it in face_classes"):
        make_set.main(str(study.folder), "gone")


def test_a_class_gets_as_many_labelled_solids_as_it_has():
    classes = [0] * 40 + [1] * 7 + [2]
    assert [fewshot.labelled_of(classes, count) for count in (1, 2, 20)] == [3, 5, 28]
