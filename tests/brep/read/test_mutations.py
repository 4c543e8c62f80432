"""The short version of benchmarks/mutate.py: small files, each kind of mutation a few times."""

import random

import pytest

from benchmarks.mutate import Campaign, campaign
from benchmarks.mutations import MUTATORS
from tests.brep.solids import SHAPES, write_step


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("good")
    return [write_step(root / f"{i}.step", shape) for i, shape in enumerate(SHAPES.values())]


def test_no_broken_file_hangs_or_harms_another_one(sources, tmp_path):
    result = campaign(sources, 6 * len(MUTATORS), seed=1, deadline_s=10, workers=2, work=tmp_path)
    assert result.without_outcome == 0 and result.files == len(sources) + 6 * len(MUTATORS)
    assert not result.good_lost and not result.good_changed and result.late_s < 60
    assert result.outcomes.pop("good") == {"parsed": len(sources)}
    assert {kind: sum(counts.values()) for kind, counts in result.outcomes.items()} == dict.fromkeys(MUTATORS, 6)
    assert set(result.outcomes["random_binary"]) == {"unreadable"}


def test_the_same_seed_makes_the_same_mutants(sources):
    data = sources[0].read_bytes()
    for kind, mutator in MUTATORS.items():
        mutants = [mutator(data, random.Random(seed)) for seed in (3, 3, 4, 5, 6, 7)]
        assert mutants[0] == mutants[1], kind
        assert len({data, *mutants}) > 2, kind


def test_a_campaign_that_lost_something_does_not_hold():
    fine = dict(outcomes={}, replaced={}, seconds=1.0, examples={}, files=9, good=3)
    clean = dict(without_outcome=0, good_lost=[], good_changed=[], late_s=0.1)
    assert Campaign(**fine, **clean).holds
    for worse in ({"without_outcome": 1}, {"good_lost": ["a"]}, {"good_changed": ["a"]}, {"late_s": 60.0}):
        assert not Campaign(**fine, **(clean | worse)).holds
