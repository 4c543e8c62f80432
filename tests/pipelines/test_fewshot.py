"""The few-shot stage: which encoders meet which from-scratch baseline."""

from brep_mae import settings
from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.composition.pretext import DataSpec, build
from pipelines import fewshot
from tests.synthetic import GRID

SPEC = DataSpec(grid=GRID, frame=16)


def test_every_network_is_met_once_from_scratch_and_methods_of_one_network_share_it(tmp_path, monkeypatch):
    monkeypatch.setattr(fewshot, "MODELS", tmp_path)
    methods = ["mae_faces", "dbot_faces", "maskdistill_faces", "mixmask", "m3ae"]
    for name in methods:
        values = dict(settings.load().methods[name])
        if "teacher" in values:
            values["teacher"] = {"source": "random", "reads": "faces"}
        if "patch" in values:
            values["patch"] = 4
        save_backbone(tmp_path / name, build(name, values, SPEC).backbone(), name, values, SPEC, "digest")
    found = {source.name: source.kind for source in fewshot.sources(methods)}
    own = ["mae_faces", "mixmask", "m3ae"]
    assert found == {
        **{f"scratch_{name}": name for name in own},
        **{name: name for name in own},
        "dbot_faces": "mae_faces",
        "maskdistill_faces": "mae_faces",  # its encoder holds mask tokens besides, of no use to whole solids
    }
