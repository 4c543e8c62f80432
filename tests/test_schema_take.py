"""A part of a record: what is taken of its faces, and what lies on them."""

import numpy as np

from brep_mae.schema import ARRAYS, take, validate
from tests.synthetic import make_graph


def test_every_array_of_faces_is_taken_in_the_order_asked_for():
    graph, faces = make_graph(9), np.array([4, 0, 7, 5])
    part = validate(take(graph, faces))
    assert part.n_faces == 4 and part.face_name == ["4", "0", "7", "5"]
    for name, (_, axes) in ARRAYS.items():
        if axes and axes[0] == "F":
            assert np.array_equal(getattr(part, name), getattr(graph, name)[faces]), name


def test_arcs_between_faces_that_are_there_stay_and_count_anew():
    graph, faces = make_graph(9), np.array([4, 0, 5, 3])
    part = take(graph, faces)
    there = np.isin(graph.arc_index, faces).all(0)
    assert np.array_equal(faces[part.arc_index], graph.arc_index[:, there]) and part.arc_index.shape[1] > 2
    for name, (_, axes) in ARRAYS.items():
        if axes and axes[0] == "A":
            assert np.array_equal(getattr(part, name), getattr(graph, name)[there]), name
    used = np.isin(graph.coedge_index[0], faces)
    assert np.array_equal(faces[part.coedge_index[0]], graph.coedge_index[0, used])
    assert np.array_equal(part.coedge_index[1], graph.coedge_index[1, used])


def test_taking_everything_changes_nothing():
    graph = make_graph(7)
    whole = take(graph, np.arange(7))
    assert all(np.array_equal(getattr(whole, name), getattr(graph, name)) for name in ARRAYS)
