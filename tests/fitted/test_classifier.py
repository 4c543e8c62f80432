"""Stored classifiers: the answers of scikit-learn, without it."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression
from torch import nn

from brep_mae.fewshot.heads.forest import grow
from brep_mae.fitted.classifier import ClassifierError, Forest, Linear, Together, stored


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 12)).astype(np.float32)
    return x, np.array([0, 2, 3])[(x[:, :3]).argmax(1)], rng.normal(size=(50, 12)).astype(np.float32)


def test_a_forest_of_arrays_answers_as_scikit_learn_does(rows):
    x, y, new = rows
    grown = grow(x, y, seed=0)
    shares = Forest.of(grown, n_classes=5).shares(new)
    assert shares.shape == (50, 5)
    np.testing.assert_allclose(shares[:, [0, 2, 3]], grown.predict_proba(new), atol=1e-6)
    assert not shares[:, [1, 4]].any()  # classes that no label shows


def test_a_forest_of_several_labels_answers_as_scikit_learn_does(rows):
    x, y, new = rows
    shown = np.stack([y == 0, y > 0, x[:, 3] > 0], 1).astype(np.float32)
    grown = ExtraTreesRegressor(50, random_state=0).fit(x, shown)
    np.testing.assert_allclose(Forest.of_several(grown).shares(new), grown.predict(new), atol=1e-6)


def test_a_linear_layer_answers_as_logistic_regression_does(rows):
    x, y, new = rows
    model = LogisticRegression().fit(x, y)
    linear = Linear({"weight": model.coef_, "bias": model.intercept_})
    np.testing.assert_allclose(linear.shares(new), model.predict_proba(new), atol=1e-6)


def test_what_is_stored_answers_the_same(rows):
    x, y, new = rows
    forest = Forest.of(grow(x, y, seed=0), n_classes=4)
    again = stored({name: np.ascontiguousarray(array) for name, array in forest.arrays().items()})
    np.testing.assert_array_equal(again.shares(new), forest.shares(new))
    assert (again.n_features, again.n_classes) == (12, 4)


@pytest.fixture
def forest_and_layer(rows):
    """A forest on 12 columns, and a layer on the 5 that come after them."""
    x, y, _ = rows
    layer = nn.Linear(5, 4)
    return Forest.of(grow(x, y, seed=0), n_classes=4), Linear.of(layer, passed_over=12), Linear.of(layer)


def test_of_a_forest_and_a_layer_each_reads_its_own_columns_and_both_count(rows, forest_and_layer):
    new, (forest, layer, of_codes) = rows[2], forest_and_layer
    codes = np.random.default_rng(1).normal(size=(50, 5))
    given = Together(forest, layer, 0.5)
    both = stored({name: np.ascontiguousarray(array) for name, array in given.arrays().items()})
    told = both.shares(np.concatenate([new, codes], 1))
    np.testing.assert_allclose(told, (forest.shares(new) + 0.5 * of_codes.shares(codes)) / 1.5)
    assert (both.n_features, both.n_classes) == (17, 4)
    with pytest.raises(ClassifierError, match="different numbers of classes"):
        stored(given.arrays() | {"second.weight": np.eye(3, 5), "second.bias": np.zeros(3)})


def test_in_another_order_of_the_classes_the_answers_are_the_same(rows, forest_and_layer):
    forest, layer, _ = forest_and_layer
    x = np.concatenate([rows[2], np.random.default_rng(1).normal(size=(50, 5))], 1)
    for one in (forest, layer, Together(layer, Together(forest, layer, 1.0), 0.5)):
        told = one.shares(x[:, : one.n_features])
        np.testing.assert_allclose(one.reordered([2, 0, 3, 1]).shares(x[:, : one.n_features]), told[:, [2, 0, 3, 1]])


@pytest.mark.parametrize(
    "name, value, reason",
    [
        ("left", 0, "child does not come after"),  # a walk that never ends
        ("right", 10**6, "child does not come after"),
        ("feature", 12, "a feature that there is not"),
        ("feature", -1, "a feature that there is not"),
    ],
)
def test_a_forest_that_would_hang_or_read_elsewhere_is_refused(rows, name, value, reason):
    x, y, _ = rows
    arrays = Forest.of(grow(x, y, seed=0), n_classes=4).arrays()
    arrays[name] = arrays[name].copy()
    arrays[name][0] = value
    with pytest.raises(ClassifierError, match=reason):
        stored(arrays)


def test_other_arrays_are_no_classifier(rows):
    with pytest.raises(ClassifierError, match="not the arrays of a classifier"):
        stored({"share": np.zeros((2, 3))})
    forest = Forest.of(grow(*rows[:2], seed=0), n_classes=4).arrays()
    halves = {f"first.{name}": array for name, array in forest.items()} | {"counts": np.array(1.0)}
    with pytest.raises(ClassifierError, match=r"^not the arrays of a classifier \('[a-z]+'\)$"):
        stored(halves)


def test_one_classifier_in_another_without_end_is_refused():
    with pytest.raises(ClassifierError, match=r"^not the arrays of a classifier \(maximum recursion"):
        stored({"first." * i + "counts": np.array(1.0) for i in range(1000)})
