"""Which solids are labelled, where that is chosen: typical and diverse ones, before any label is known."""

import numpy as np
import pytest

from brep_mae.datasets.content import FACES
from brep_mae.evaluation.problem import tasks
from brep_mae.fewshot.selection import covering, covering_order
from brep_mae.models.extractors.hops import Hops
from brep_mae.schema import UNLABELLED
from tests.stored import solids, store

BLOBS = 10 * np.eye(6)


def rows(*blobs_of_solids: list[int], spread: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the blobs that every solid is said to have, all rows of a blob alike but for `spread`."""
    blob = np.concatenate(blobs_of_solids)
    solid = np.repeat(np.arange(len(blobs_of_solids)), [len(blobs) for blobs in blobs_of_solids])
    return BLOBS[blob] + np.random.default_rng(0).normal(0, spread, (len(blob), 6)), solid


def test_first_the_solid_that_shows_most_then_the_one_that_adds_most():
    x, solid = rows(*[[0, 1]] * 40, [0, 1, 2, 3], *[[2, 3]] * 20, [4] * 20, [5])
    assert covering(x, solid, 2, 0) == [40, 61], "the common ones add nothing then, and an odd one stands for itself"


@pytest.mark.parametrize("seed", range(3))
def test_few_chosen_solids_show_every_class_where_few_random_ones_do_not(seed):
    rng = np.random.default_rng(seed)
    kinds = [rng.choice(6, 2, replace=False, p=[0.4, 0.3, 0.15, 0.09, 0.04, 0.02]) for _ in range(150)]
    x, solid = rows(*[list(np.repeat(kind, 4)) for kind in kinds], spread=0.1)

    def shown(chosen) -> int:
        return len({int(kind) for i in chosen for kind in kinds[i]})

    chosen = covering(x, solid, 6, seed)
    assert shown(chosen) == 6 > np.mean([shown(rng.choice(150, 6, replace=False)) for _ in range(50)]) + 0.5
    assert len(set(chosen)) == 6 and covering(x, solid, 2, seed) == chosen[:2] and covering(x, solid, 6, seed) == chosen


@pytest.mark.parametrize("task", tasks(3, 2), ids=lambda task: task.name)
def test_a_choice_reads_no_label_and_leaves_nobody_out(tmp_path, task):
    uids = store(tmp_path)

    def order(label) -> list[str]:
        data = solids(tmp_path, uids, *FACES)
        for uid in uids:
            label(data.faces(uid).label)
            label(data.faces(uid).part)
        return covering_order(Hops(), task, data, uids, 5, 0)

    known = order(lambda label: None)
    assert sorted(known) == sorted(uids) and known[:5] != uids[:5]
    assert known[5:] == [uid for uid in uids if uid not in known[:5]], "the rest as they were"
    assert order(lambda label: label.fill_(UNLABELLED)) == order(lambda label: label.fill_(1)) == known
    data = solids(tmp_path, uids, *FACES)
    assert sorted(covering_order(Hops(), task, data, uids, 99, 0)) == sorted(uids), "more than there are"
