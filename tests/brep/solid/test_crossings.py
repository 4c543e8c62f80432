"""Loops of faces that have very many: whether they cross is seen as by comparing all of them, and read files by it."""

import itertools

import numpy as np
import pytest

from benchmarks.plates import plate_of_holes
from brep_mae.brep.graph import file_graphs
from brep_mae.brep.read import step
from brep_mae.brep.read.many_loops import has_many_loops
from brep_mae.brep.read.step import Reading
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.crossings import _cross
from tests.brep.solids import write_step

SAMPLING = Sampling(grid=4, field_pool=32, field_samples=8, curvature=False, split_closed=False)
ROWS = 11
ROUND = np.linspace(0, 2 * np.pi, 17)


def polygon(x: float, y: float, radius: float) -> np.ndarray:
    points = np.stack([x + radius * np.cos(ROUND), y + radius * np.sin(ROUND)], axis=1)
    points[-1] = points[0]
    return np.stack([points[:-1], points[1:]], axis=1)


def crosses(*loops: np.ndarray, error: float = 0.0) -> bool:
    chords = np.concatenate(loops)
    return _cross(chords, np.full(len(chords), error))


SQUARE = np.array([[[0, 0], [1, 0]], [[1, 0], [1, 1]], [[1, 1], [0, 1]], [[0, 1], [0, 0]]], float)


def test_loops_apart_and_loops_inside_others_do_not_cross():
    assert not crosses(SQUARE, polygon(0.3, 0.3, 0.2), polygon(0.7, 0.7, 0.2), polygon(0.7, 0.7, 0.1))


@pytest.mark.parametrize(
    "other",
    [
        polygon(0.6, 0.3, 0.2),
        polygon(0.7, 0.3, 0.2),
        polygon(0.9, 0.5, 0.2),
        np.roll(polygon(0.3, 0.3, 0.2), 3, axis=0),
    ],
    ids=["crossing", "touching at a corner", "across the outer loop", "the same, begun elsewhere"],
)
def test_loops_that_cross_or_touch_do(other):
    assert crosses(SQUARE, polygon(0.3, 0.3, 0.2), other)


def test_curves_that_may_leave_their_chords_so_far_cross():
    near = SQUARE, polygon(0.3, 0.3, 0.2), polygon(0.71, 0.3, 0.2)
    assert not crosses(*near) and not crosses(*near, error=0.004) and crosses(*near, error=0.006)


def test_the_answer_is_that_of_comparing_all_chords():
    random, seen = np.random.default_rng(0), set()
    for _ in range(60):
        places = random.uniform(0.1, 0.9, (6, 2)), random.uniform(0.02, 0.12, 6)
        loops = [polygon(x, y, radius) for (x, y), radius in zip(*places, strict=True)]
        all_pairs = any(
            _properly(a, b, c, d)
            for one, other in itertools.combinations(loops, 2)
            for (a, b), (c, d) in itertools.product(one, other)
        )
        assert crosses(*loops) == all_pairs
        seen.add(all_pairs)
    assert seen == {True, False}


def _properly(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        return np.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return side(a, b, c) != side(a, b, d) and side(c, d, a) != side(c, d, b)


@pytest.mark.parametrize(("shift", "readings"), [(0.0, 1), (0.38, 1), (0.5, 2)])
def test_a_file_of_many_loops_is_read_again_with_all_repairs_only_where_they_cross(
    tmp_path, monkeypatch, shift, readings
):
    path, used, left_out = write_step(tmp_path / "plate.step", plate_of_holes(ROWS, shift)), [], []

    def reading(path, how=Reading.REPAIRED, read=file_graphs.read_solids):
        used.append(how)
        return read(path, how)

    def leaving_out(names, usual=step._left_out):
        left_out.append(names)
        return usual(names)

    monkeypatch.setattr(file_graphs, "read_solids", reading)
    monkeypatch.setattr(step, "_left_out", leaving_out)
    file_graphs.file_graphs(path, "key", path.name, SAMPLING)
    assert has_many_loops(path.read_bytes())
    assert used == [Reading.TRUSTING, Reading.REPAIRED][:readings]
    assert left_out == [(*step.TURNING, "IntersectingWires")]


def test_the_record_is_that_of_the_reading_with_all_repairs(tmp_path, monkeypatch):
    path = write_step(tmp_path / "plate.step", plate_of_holes(ROWS))
    (found,) = file_graphs.file_graphs(path, "key", path.name, SAMPLING)
    read = file_graphs.read_solids
    monkeypatch.setattr(file_graphs, "read_solids", lambda path, how=Reading.REPAIRED: read(path, Reading.REPAIRED))
    (usual,) = file_graphs.file_graphs(path, "key", path.name, SAMPLING)
    assert found.n_faces == usual.n_faces == 127
    for name, value in vars(usual).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)


@pytest.mark.parametrize(
    ("text", "many"),
    [
        (b"#9=ADVANCED_FACE('',(%s),#8,.T.);" % b",".join(b"#%d" % i for i in range(100)), True),
        (b"#9=ADVANCED_FACE('it''s (one)',(%s),#8,.T.);" % b",\n".join(b"#%d" % i for i in range(100)), True),
        (b"#9=ADVANCED_FACE('',(%s),#8,.T.);" % b",".join(b"#%d" % i for i in range(99)), False),
        (b"#9=ADVANCED_FACE('',(#1),#8,.T.);" * 200, False),
    ],
)
def test_bounds_are_counted_face_by_face(text, many):
    assert has_many_loops(text + b"#1=FACE_BOUND('',#2,.T.);" * 200) is many
