from dataclasses import replace

import numpy as np
import pytest

from brep_mae.schema import validate
from tests.records import record


def test_a_record_that_keeps_to_the_schema_passes():
    graph = record()
    assert validate(graph) is graph


@pytest.mark.parametrize(
    "change, named",
    [
        ({"face_type": np.zeros(3, np.int64)}, "face_type is int64"),
        ({"face_type": np.zeros(4, np.int8)}, "face_type"),
        ({"arc_grid": np.zeros((4, 5, 6), np.float32)}, "arc_grid"),
        ({"face_grid": np.full((3, 4, 4, 7), np.nan, np.float32)}, "face_grid holds NaN"),
        ({"center_mm": np.zeros(2)}, "center_mm"),
        ({"arc_index": np.full((2, 4), 3, np.int32)}, "arc_index points outside"),
        ({"face_name": ["a"]}, "1 face names for 3 faces"),
    ],
)
def test_what_is_wrong_is_named_with_the_solid(change, named):
    with pytest.raises(ValueError, match=named) as caught:
        validate(replace(record(uid="abc#7"), **change))
    assert "abc#7" in str(caught.value)
