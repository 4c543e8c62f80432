"""Scalars in units of their typical spread."""

import numpy as np
import pytest

from brep_mae.features.invariants import ARC_DIM, ARC_SCALARS, FACE_DIM, FACE_SCALARS, Invariants, invariants
from brep_mae.features.typical import ARC_TYPICAL, FACE_TYPICAL, MOST, standardised
from tests.brep.solids import SHAPES, graph_of
from tests.synthetic import make_graph


def of(face: dict[str, float], arc: dict[str, float]) -> Invariants:
    """One face and one arc with these scalars, ones in every one-hot column."""
    rows = np.ones((1, FACE_DIM), np.float32), np.ones((1, ARC_DIM), np.float32)
    for row, names, values in zip(rows, (FACE_SCALARS, ARC_SCALARS), (face, arc), strict=True):
        for name, value in values.items():
            row[0, names.index(name)] = value
    return Invariants(*rows, np.zeros((2, 1), np.int64))


def test_by_hand():
    """log_area is typically -4.67, spread 2.05; an arc's share 0.2, spread 0.18."""
    got = standardised(of({"log_area": -0.57, "fill": 0.88}, {"share": 0.11}))
    assert got.face[0, FACE_SCALARS.index("log_area")] == pytest.approx(2.0, abs=1e-5)
    assert got.face[0, FACE_SCALARS.index("fill")] == pytest.approx(0.0, abs=1e-6)
    assert got.arc[0, ARC_SCALARS.index("share")] == pytest.approx(-0.5, abs=1e-5)


def test_what_is_far_out_is_held_at_five_spreads():
    got = standardised(of({"log_area": -1e6, "loops": 1e6}, {"log_length": -1e6, "square": 1e6}))
    assert got.face[0, [FACE_SCALARS.index("log_area"), FACE_SCALARS.index("loops")]].tolist() == [-5.0, 5.0]
    assert got.arc[0, [ARC_SCALARS.index("log_length"), ARC_SCALARS.index("square")]].tolist() == [-5.0, 5.0]


@pytest.mark.parametrize("graph", [graph_of(SHAPES["notched block"]), graph_of(SHAPES["torus"]), make_graph(9)])
def test_of_any_solid_scalars_are_finite_and_within_and_the_rest_is_untouched(graph):
    raw = invariants(graph)
    got = standardised(raw)
    for before, after, n in ((raw.face, got.face, len(FACE_SCALARS)), (raw.arc, got.arc, len(ARC_SCALARS))):
        assert np.isfinite(after).all() and (np.abs(after[:, :n]) <= MOST).all()
        assert after.dtype == np.float32 and after.shape == before.shape
        np.testing.assert_array_equal(after[:, n:], before[:, n:])
        assert before[:, n:].size == 0 or before[:, n:].max() == 1
    np.testing.assert_array_equal(got.arc_index, raw.arc_index)


def test_every_scalar_has_a_spread():
    assert all(spread > 0 for typical in (FACE_TYPICAL, ARC_TYPICAL) for _, spread in typical.values())
