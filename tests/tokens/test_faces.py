"""Face tokens say what a face is, not where or how it lies."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from brep_mae import schema
from brep_mae.datasets.batch import Batch, collate
from brep_mae.datasets.from_graph import from_graph
from brep_mae.features.walks import walk_encoding
from brep_mae.tokens.faces import FaceTokens, arc_content, face_content
from tests.synthetic import GRID, make_batch, make_graph


def moved(graph: schema.FaceGraph, rotation: np.ndarray, shift_mm: np.ndarray, factor: float) -> schema.FaceGraph:
    def points(array, at):
        array = array.astype(np.float64)
        array[..., at] = array[..., at] @ rotation.T * factor
        return array

    def vectors(array, at):
        array[..., at] = array[..., at] @ rotation.T
        return array.astype(np.float32)

    return replace(
        graph,
        center_mm=graph.center_mm @ rotation.T * factor + shift_mm,
        scale_mm=graph.scale_mm * factor,
        face_grid=vectors(points(graph.face_grid, schema.POINT), schema.NORMAL),
        arc_grid=vectors(points(graph.arc_grid, schema.POINT), schema.TANGENT),
        field_samples=points(graph.field_samples, schema.FIELD_POINT).astype(np.float32),
        face_area_mm2=(graph.face_area_mm2 * factor**2).astype(np.float32),
        arc_length_mm=(graph.arc_length_mm * factor).astype(np.float32),
    )


def test_content_is_invariant_to_rotation_translation_and_scale():
    graph = make_graph(9)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    rotation *= np.linalg.det(rotation)
    a = from_graph(graph)
    b = from_graph(moved(graph, rotation, np.array([100.0, -50.0, 7.0]), 7.0))
    assert torch.allclose(face_content(a), face_content(b), atol=1e-3)
    assert torch.allclose(arc_content(a), arc_content(b), atol=1e-3)
    assert not torch.allclose(a.grid, b.grid, atol=1e-1)


def test_a_mirrored_solid_is_another_solid():
    graph = make_graph(9)
    a, b = from_graph(graph), from_graph(moved(graph, np.diag([-1.0, 1.0, 1.0]), np.zeros(3), 1.0))
    assert not torch.allclose(arc_content(a), arc_content(b), atol=1e-1)


def test_arcs_of_a_padded_batch_point_at_their_own_faces():
    batch = make_batch([3, 7, 5])
    tokens = FaceTokens(GRID, 16)(batch)
    flat = tokens.x.flatten(0, 1)
    first = FaceTokens(GRID, 16).embed(face_content(batch.faces))
    assert first.shape[0] == 15
    row, slot = tokens.arcs.index // 7, tokens.arcs.index % 7
    assert torch.equal(row, batch.faces.solid[batch.faces.arc_index])
    start = torch.tensor([0, 3, 10])
    assert torch.equal(start[row] + slot, batch.faces.arc_index)
    assert flat.shape[0] == 21


def test_walk_encoding_of_a_triangle_and_a_path():
    triangle = np.array([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])
    code = walk_encoding(triangle, 3)
    assert np.allclose(code[:, 0], 0) and np.allclose(code[:, 1], 0.5) and np.allclose(code[:, 2], 0.25)
    path = np.array([[0, 1, 1, 2], [1, 0, 2, 1]])
    assert np.allclose(walk_encoding(path, 3)[:, 1], [0.5, 1.0, 0.5])


def test_collate_of_one_is_itself_and_of_two_shifts_the_second():
    one, two = from_graph(make_graph(4)), from_graph(make_graph(6))
    both = collate([one, two])
    assert torch.equal(both.arc_index[:, one.arc_index.shape[1] :], two.arc_index + 4)
    assert both.solid.tolist() == [0] * 4 + [1] * 6
    assert isinstance(Batch(("a",), one).to(torch.device("cpu")).faces, type(one))


def test_grids_of_another_size_are_refused_with_both_sizes_and_the_remedy():
    with pytest.raises(ValueError, match=f"grids of {GRID} samples a side, the network reads 9: .* --grid 9"):
        FaceTokens(9, 16)(make_batch([5]))
