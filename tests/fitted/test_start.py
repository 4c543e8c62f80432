"""Labels that are learned from a model that was fitted before: it is asked as it is, never about what it has seen."""

import json

import numpy as np
import pytest

from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.datasets.labelling.labels import SolidLabels, write_labels
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards, write_shard
from brep_mae.fitted.classifier import Linear
from brep_mae.fitted.fit import FitError, fit
from brep_mae.fitted.model import FittedModel, extractor, load_model, save_model
from brep_mae.fitted.start import grid_of, start_from
from brep_mae.models.embed import readable
from brep_mae.models.extractors.hops import Hops
from tests.cli.small_tasks import small_encoder
from tests.synthetic import make_graph

GRID = int(make_graph(6, seed=0).face_grid.shape[1])
KNOWN = "flat", "other", "round"


@pytest.fixture
def parts(tmp_path):
    """Eight parts of six faces."""
    write_shard(tmp_path / "00000.arrow", [make_graph(6, seed=i) for i in range(8)])
    (tmp_path / "dataset.json").write_text(json.dumps({"parse": {"grid": GRID}}))
    return tmp_path


@pytest.fixture
def feature(parts):
    """(column, threshold) of a feature that cuts the faces into halves, and (uids, 6) True = above it."""
    data = Solids(parts, None, open_shards(parts).uids, readable(Hops()))
    x = np.stack([Hops()(data.batch([uid])).face.numpy() for uid in data.uids])
    column = int(np.argmin(np.abs((x > np.median(x, (0, 1))).mean((0, 1)) - 0.5)))
    threshold = float(np.median(x[:, :, column]))
    return column, threshold, x[:, :, column] > threshold


def labelled(parts, above, names, seed=0):
    """Random classes for a quarter of the faces, so that nothing learned from them is always right."""
    drawn = np.random.default_rng(seed)
    told = np.where(drawn.random(above.shape) < 0.25, drawn.integers(0, 2, above.shape), above).astype(np.int16)
    labels = {uid: SolidLabels(row, -1) for uid, row in zip(open_shards(parts).uids, told, strict=True)}
    write_labels(parts / "labels", names, (), labels, {})
    return told


@pytest.fixture
def model(tmp_path_factory, feature):
    """Knows the rule by heart; reads plain features and the codes of two encoders, which weigh nothing."""
    column, threshold, _ = feature
    both = [small_encoder(tmp_path_factory.mktemp("encoder"), GRID) for _ in range(2)]
    reader = extractor(*both)
    weight, bias = np.zeros((3, reader.dim), np.float32), np.array([50 * threshold, -1e3, -50 * threshold])
    weight[[0, 2], column] = -50, 50
    fitted = FittedModel("face", False, KNOWN, reader, Linear({"weight": weight, "bias": bias}), GRID, {})
    folder = tmp_path_factory.mktemp("fitted")
    save_model(fitted, folder, *both)
    return folder


def test_a_model_is_taken_as_it_is_where_nothing_learned_is_better_and_keeps_all_of_its_classes(
    parts, feature, model, tmp_path_factory
):
    told = labelled(parts, ~feature[2], ("round", "flat"))  # in another order than the model has them
    learned, encoders = fit(parts, "face", model)
    assert learned.report["head"] == "as_it_is" and learned.classes == ("round", "flat", "other")
    assert learned.report["scores"]["as_it_is"] == pytest.approx((told == ~feature[2]).mean())
    folder = tmp_path_factory.mktemp("again")
    save_model(learned, folder, *encoders)
    graph = open_shards(parts)[7]
    answers = [
        [answer.name for answer in load_model(each).answer(parts, "7", [graph])[0].faces] for each in (model, folder)
    ]
    assert answers[0] == answers[1] == ["round" if above else "flat" for above in feature[2][7]]


def test_of_a_model_that_knows_other_classes_the_first_encoder_is_read(parts, feature, model):
    labelled(parts, feature[2], ("hole", "rest"))
    learned, _ = fit(parts, "face", model)
    assert "as_it_is" not in learned.report["scores"] and learned.classes == ("hole", "rest")
    start = start_from(model, "face", False, ("hole", "rest"))
    assert start.encoders == (model / "encoder",) and start.known is None
    assert start_from(model, "solid", False, ("flat",)).known is None  # it knows faces


def test_a_model_is_not_asked_about_files_that_it_has_learned_from(parts, feature, model, tmp_path_factory):
    """It would be right on all of them, whatever it knows of others."""
    labelled(parts, feature[2], ("flat", "round"))
    learned, encoders = fit(parts, "face", model)
    folder = tmp_path_factory.mktemp("again")
    save_model(learned, folder, *encoders)
    with pytest.raises(FitError, match=r"has learned from 8 of the 8 labelled files.*; name what it was fitted from"):
        fit(parts, "face", folder)
    others = tmp_path_factory.mktemp("others")
    write_shard(others / "00000.arrow", [make_graph(6, seed=i) for i in range(8, 12)])
    (others / "dataset.json").write_text((parts / "dataset.json").read_text())
    labelled(others, feature[2][:4], ("flat", "round"))
    again, _ = fit(others, "face", folder)
    assert {*learned.learned_from} < {*again.learned_from} and len(again.learned_from) == 12


def test_a_model_of_plain_features_alone_can_be_started_from_and_lends_no_encoder(
    parts, feature, model, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("plain")
    plain = FittedModel(
        "face", False, ("a", "b"), extractor(), Linear({"weight": np.zeros((2, 3)), "bias": np.zeros(2)}), 5, {}
    )
    save_model(plain, folder)
    start = start_from(folder, "face", False, ("b",))
    assert start.encoders == () and start.known is not None and start.classes == ("b", "a")
    assert (grid_of(folder), grid_of(model), grid_of(model / "encoder")) == (5, GRID, GRID)
    with pytest.raises(CheckpointError, match="a model that reads plain features alone"):
        start_from(folder, "face", False, ("c",))
    labelled(parts, feature[2], ("a", "b"))
    with pytest.raises(FitError, match="there is no encoder to train"):
        fit(parts, "face", folder, fine_tune=True)
