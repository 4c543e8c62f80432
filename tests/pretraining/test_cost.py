"""What a training costs is the whole of it, however often it was cut off."""

from brep_mae.pretraining.cost import Costs
from tests.contracts.test_methods import small


def row(speed: float, seconds: float) -> dict[str, float]:
    return {"loss": 1.0, "solids_per_s": speed, "seconds": seconds}


def test_a_resumed_training_knows_what_was_measured_before_and_counts_no_stretch_twice(tmp_path):
    first = Costs(tmp_path / "costs.json")
    for step, speed in ((10, 100.0), (20, 200.0), (30, 900.0)):
        first.add(step, row(speed, 60.0))
    again = Costs(tmp_path / "costs.json")  # cut off after step 30, resumed from the checkpoint at 20
    again.add(30, row(300.0, 30.0))
    total = again.total(small("mae_faces"))
    assert total["samples_per_s"] == 200.0
    assert total["minutes"] == 2.5
    assert total["peak_mb"] > 50


def test_parameters_are_those_of_the_encoder_and_all_with_decoder_and_teacher(tmp_path):
    costs = Costs(tmp_path / "costs.json")
    costs.add(10, row(1.0, 1.0))
    plain, taught = (costs.total(small(name)) for name in ("mae_faces", "dbot_faces"))
    assert plain["backbone_parameters"] == taught["backbone_parameters"]
    assert plain["backbone_parameters"] == sum(p.numel() for p in small("mae_faces").backbone().parameters())
    assert plain["parameters"] > plain["backbone_parameters"]
    assert taught["parameters"] > 2 * taught["backbone_parameters"]
