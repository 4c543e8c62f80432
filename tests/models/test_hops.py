"""Hop features: what a face's arcs and neighbours say, gathered without a weight."""

from dataclasses import replace

import torch

from brep_mae.features.invariants import ARC_DIM, FACE_DIM
from brep_mae.models.extractors.hops import CONCAVE, HOPS_DIM, Hops
from tests.synthetic import make_batch


def changed(batch, **values):
    return replace(batch, faces=replace(batch.faces, **values))


def path(concave: list[bool]):
    """Faces in a row, an arc each way between neighbours; `concave` tells which of the pairs are."""
    n = len(concave) + 1
    batch = make_batch([n])
    i = torch.arange(n - 1)
    arcs = batch.faces.arc_invariant[:1].repeat(2 * (n - 1), 1)
    arcs[:, CONCAVE] = torch.tensor(concave * 2).float()
    index = torch.cat([torch.stack([i, i + 1]), torch.stack([i + 1, i])], 1)
    return changed(batch, arc_index=index, arc_invariant=arcs)


def test_a_face_is_described_by_itself_its_arcs_and_its_neighbours_and_no_further():
    batch = path([False, False, False])
    own = batch.faces.invariant.clone()
    own[0] += 1.0
    moved = (Hops()(changed(batch, invariant=own)).face != Hops()(batch).face).any(1)
    assert moved.tolist() == [True, True, False, False]


def test_neighbours_by_hand():
    batch = path([True, False])
    own, face = batch.faces.invariant, Hops()(batch).face
    assert face.shape == (3, HOPS_DIM)
    neighbours = FACE_DIM + 3 * ARC_DIM
    assert torch.allclose(face[:, :FACE_DIM], own)
    assert torch.allclose(face[1, neighbours : neighbours + FACE_DIM], (own[0] + own[2]) / 2)
    across = slice(neighbours + FACE_DIM, neighbours + 2 * FACE_DIM)
    assert torch.allclose(face[0, across], own[1]) and torch.allclose(face[1, across], own[0])
    assert (face[2, across] == 0).all(), "no concave arc"


def test_a_solid_is_the_same_in_whatever_order_its_faces_and_solids_come():
    batch = path([True, False, True])
    order = torch.tensor([2, 0, 3, 1])
    again = changed(batch, invariant=batch.faces.invariant[order], arc_index=order.argsort()[batch.faces.arc_index])
    assert torch.allclose(Hops()(again).face, Hops()(batch).face[order], atol=1e-6)
    assert torch.allclose(Hops()(again).solid, Hops()(batch).solid, atol=1e-6)
    both = make_batch([6, 4])
    assert torch.allclose(Hops()(both).solid[:1], Hops()(make_batch([6])).solid, atol=1e-6)


def test_a_solid_of_one_face_has_numbers():
    features = Hops()(make_batch([1]))
    assert features.face.isfinite().all() and features.solid.isfinite().all()
