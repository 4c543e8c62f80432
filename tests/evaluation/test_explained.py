"""How much of hidden faces is predicted, by the type of their surface."""

import pytest
import torch

from brep_mae.evaluation.explained import explained_by_surface
from brep_mae.report.methods import explained_table
from brep_mae.schema import SURFACE_TYPES
from tests.contracts.test_methods import small
from tests.synthetic import make_batch


def batches(seed: int) -> list:
    return [make_batch([9, 12, 7, 11] * 6, seed + 50 * i) for i in range(2)]


@pytest.mark.parametrize("name", ["mae_faces", "hybrid", "attribute_masking"])
def test_a_head_that_says_nothing_explains_nothing_and_the_truth_everything(name, monkeypatch):
    pretext = small(name)
    blank = explained_by_surface(pretext, batches(0), batches(500), seed=0)
    terms = {f"{key}.{term}" for key, target in pretext.targets.items() for term in target.terms}
    assert set(blank) <= terms and len(blank) >= 2
    assert all(set(kinds) <= set(SURFACE_TYPES) and max(kinds.values()) < 0.3 for kinds in blank.values())
    for target in pretext.targets.values():
        truthful = target.predicted
        monkeypatch.setattr(target, "predicted", lambda codes, truth, of=truthful: dict(of(codes, truth)) | told(truth))
    knowing = explained_by_surface(pretext, batches(0), batches(500), seed=0)
    for key in ("uvgrid.size", "surface.implicit", "invariants.scalars", "arcs.scalars"):
        if key in knowing:
            assert min(knowing[key].values()) > 0.999, key


def told(truth) -> dict[str, torch.Tensor]:
    return {name: truth[name] for name in ("size", "distance", "scalars") if name in truth}


def test_a_type_of_few_faces_is_left_out():
    pretext = small("mae_faces")
    assert explained_by_surface(pretext, batches(0)[:1], [make_batch([9])], seed=0) == {}


def test_the_report_has_a_row_for_every_term():
    metrics = {
        "a": {"heldout": {"loss": 1.0, "r2/x.y": 0.5, "r2/x.z": -0.1}, "r2_by_surface": {"x.y": {"plane": 0.25}}},
        "b": {"heldout": {"loss": 1.0}},
    }
    table = explained_table(metrics)
    assert table.header == ["method", "term", "R²", "plane"]
    assert table.rows == [["a", "x.y", "0.50", "0.25"], ["a", "x.z", "-0.10", "–"]]
