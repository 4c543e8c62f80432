"""What may end the process, or never end, is tried first."""

import itertools
import math

from brep_mae.generate import trial


def test_what_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(trial, "MOST_S", 1)
    assert not trial.survives(lambda: all(map(math.isfinite, itertools.count())))
