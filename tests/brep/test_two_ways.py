"""Random solids read through STEP and through BREP: the same area, volume, box and mask as the kernel has.

`python -m benchmarks.two_ways` asks the same of thousands.
"""

import pytest

from tests.brep.two_ways import BASES, faults

EACH = 9


@pytest.mark.parametrize("base", range(len(BASES)), ids=BASES)
def test_a_random_solid_is_the_same_through_step_and_through_brep(tmp_path, base):
    asked = [faults(base + len(BASES) * turn, tmp_path) for turn in range(EACH)]
    assert sum(wrong is not None for wrong in asked) >= EACH // 2
    assert [wrong for wrong in asked if wrong] == []
