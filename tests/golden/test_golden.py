"""Records and losses are what they were: a change of the code's shape moves no number.

Where a change is meant to move some, `python -m tests.golden.measured` records them anew, and the commit says which.
"""

import json

import pytest

from brep_mae.plugins import METHODS, known
from tests.golden.measured import FEW, KINDS, VALUES, generated, losses, parsed, summed

KEPT = json.loads(VALUES.read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_records_of_generated_parts_are_those_that_were_kept(tmp_path, kind):
    now, before = summed(parsed(generated(kind, FEW, tmp_path))), KEPT["generated"][kind]
    assert set(now) == set(before)
    for name, sums in now.items():
        scale = max(before[name][2], 1e-9)
        assert [x / scale for x in sums] == pytest.approx([x / scale for x in before[name]], abs=1e-6), name


@pytest.mark.parametrize("name", known(METHODS))
def test_losses_of_fifty_steps_are_those_that_were_kept(tmp_path, name):
    assert name in KEPT["losses"], "a new method: python -m tests.golden.measured keeps its losses"
    for row, before in zip(losses(name, tmp_path), KEPT["losses"][name], strict=True):
        assert row.keys() == before.keys() and row["split"] == before["split"]
        numbers = {key: value for key, value in row.items() if key != "split"}
        assert numbers == pytest.approx({key: before[key] for key in numbers}, rel=1e-6, abs=1e-6)
