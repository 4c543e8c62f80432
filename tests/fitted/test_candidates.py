"""Cross-validation on labelled parts: what is held out, what is chosen, and what is promised."""

from dataclasses import replace

import numpy as np

from brep_mae.fitted import candidates as candidates_
from brep_mae.fitted.candidates import Learned, Table, candidates, choose
from brep_mae.fitted.classifier import Linear
from brep_mae.models.extractors.hops import Hops


def table(x, y, file, plain=None, others=None):
    x = np.asarray(x, np.float32)
    others = np.zeros((0, x.shape[1]), np.float32) if others is None else others
    y = np.asarray(y)
    n_classes = y.shape[1] if y.ndim == 2 else int(y.max()) + 1
    return Table(x, y, np.asarray(file), others, plain or x.shape[1], n_classes)


def test_faces_of_a_file_are_held_out_together():
    """Features that name the file alone: whoever keeps a face of it while another is held out answers all of them."""
    file = np.repeat(np.arange(6), 10)
    x = np.eye(6)[file]
    choice = choose(table(x, file % 2, file), seed=0)
    assert choice.expected is not None and choice.expected < 0.6, choice


def test_what_can_be_told_is_told_and_beats_the_commonest():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    x = np.stack([y + 0.1 * rng.normal(size=120), rng.normal(size=120)], 1)
    choice = choose(table(x, y, np.arange(120) // 10), seed=0)
    assert choice.expected is not None and choice.expected > 0.95 > choice.commonest


def test_codes_that_help_are_chosen_and_codes_that_do_not_are_left_out():
    rng = np.random.default_rng(0)
    y, file = rng.integers(0, 2, 200), np.arange(200) // 10
    noise, signal = rng.normal(size=(200, 4)), (y[:, None] + 0.1 * rng.normal(size=(200, 2)))
    helpful = choose(table(np.concatenate([noise, signal], 1), y, file, plain=4), seed=0)
    assert max(helpful.scores["plain_forest"], helpful.scores["plain_linear"]) < 0.7 < helpful.scores[helpful.name]
    useless = table(np.concatenate([signal, np.repeat(noise, 30, 1)], 1), y, file, plain=2)
    assert choose(useless, seed=0).name.startswith("plain_")


def test_a_class_of_one_file_is_not_counted_and_nothing_is_promised_where_every_class_is():
    rng = np.random.default_rng(0)
    y = np.array([0] * 20 + [1] * 20 + [2] * 5)
    x = np.eye(3)[y] + 0.01 * rng.normal(size=(45, 3))
    file = np.array([0] * 10 + [1] * 10 + [2] * 10 + [3] * 10 + [4] * 5)
    choice = choose(table(x, y, file), seed=0)
    assert not choice.checked[y == 2].any() and choice.checked[y != 2].all()
    assert choice.expected == 1.0  # the five rows that nobody could get right are not held against it
    alone = choose(table(np.eye(3), [0, 1, 2], [0, 1, 2]), seed=0)
    assert alone.expected is None and alone.name == "forest" and not alone.scores


def test_the_best_of_many_that_guess_is_not_promised_as_better_than_guessing(monkeypatch):
    """Thirty candidates that all guess: the best of them looks good on the rows that chose it."""
    rng = np.random.default_rng(0)
    y, file = rng.integers(0, 2, 60), np.arange(60) // 4

    class Guess:
        n_features = 1

        def __init__(self, seed):
            self.rng = np.random.default_rng(seed)

        def shares(self, x):
            return self.rng.random((len(x), 2))

    monkeypatch.setattr(
        candidates_, "candidates", lambda table: {f"{i}": lambda part, seed, i=i: Learned(Guess(i)) for i in range(30)}
    )
    choice = choose(table(np.zeros((60, 1)), y, file), seed=0)
    assert max(choice.scores.values()) >= 0.6 and choice.expected is not None and choice.expected < 0.55


def test_only_what_differs_is_compared():
    plain = table(np.zeros((4, 2)), [0, 1, 0, 1], range(4))
    assert list(candidates(plain)) == ["forest", "linear"]
    whole = table(np.zeros((4, 2)), [0, 1, 0, 1], range(4), plain=1, others=np.zeros((3, 2), np.float32))
    assert list(candidates(whole)) == ["forest", "plain_forest", "linear", "plain_linear", "self_trained"]


def test_several_classes_of_a_row_are_scored_by_f1_and_what_nearly_all_show_is_not_enough():
    """Three classes: one that all rows show, one that a feature tells, one that nothing tells."""
    rng = np.random.default_rng(0)
    signal, noise = rng.random(120) > 0.5, rng.random(120) > 0.5
    y = np.stack([np.ones(120, bool), signal, noise], 1)
    x = np.stack([signal + 0.1 * rng.normal(size=120), rng.normal(size=120)], 1)
    known = choose(table(x, y[:, :2], np.arange(120) // 10), seed=0)
    assert list(known.scores) == ["forest"] and known.expected is not None and known.expected > 0.97 > known.commonest
    unknown = choose(table(x, y[:, [0, 2]], np.arange(120) // 10), seed=0)
    assert unknown.expected is not None and unknown.expected < known.expected - 0.1


class Trained:
    """Stands for an encoder that training has taught both classes."""

    def __init__(self, y):
        self.y = y

    def only(self, rows):
        return self

    def learn(self, seed):
        return Linear({"weight": np.eye(2), "bias": np.zeros(2)}), Hops()

    def features(self, reader):
        return 10 * np.eye(2)[self.y]


def test_a_trained_encoder_is_taken_where_it_is_better_and_its_own_features_are_read():
    rng = np.random.default_rng(0)
    y, file = rng.integers(0, 2, 120), np.arange(120) // 10
    given = replace(table(rng.normal(size=(120, 3)), y, file), network=Trained(y))
    choice = choose(given, seed=0)
    assert choice.name == "forest_and_network" and choice.scores[choice.name] == 1.0 > choice.scores["forest"]
