"""UV-Net as a baseline: a face hears of its neighbours two arcs away, and coordinates matter to it."""

from dataclasses import replace

import pytest
import torch

from brep_mae.fewshot.baselines.uvnet import GRAPH_DIM, GRID_DIM, LAYERS, UVNet
from tests.synthetic import make_batch


@pytest.fixture
def net() -> UVNet:
    torch.manual_seed(0)
    return UVNet().eval()


def changed(batch, **values):
    return replace(batch, faces=replace(batch.faces, **values))


def test_answers_for_every_face_and_solid_of_a_batch_as_for_each_alone(net):
    both, first = make_batch([6, 4]), make_batch([6])
    out = net(both)
    assert out.face.shape == (10, GRID_DIM + GRAPH_DIM) and out.solid.shape == (2, GRAPH_DIM)
    assert torch.equal(both.faces.grid[:6], first.faces.grid), "the same solid"
    assert torch.allclose(out.face[:6], net(first).face, atol=1e-5)
    mask = both.faces.solid == 1
    grid = torch.where(mask[:, None, None, None], both.faces.grid + 1.0, both.faces.grid)
    assert torch.allclose(net(changed(both, grid=grid)).face[~mask], out.face[~mask], atol=1e-5)
    assert not torch.allclose(net(changed(both, grid=grid)).face[mask], out.face[mask], atol=1e-3)


def test_messages_reach_as_far_as_there_are_layers(net):
    batch = make_batch([8])
    path = torch.arange(7)
    index = torch.cat([torch.stack([path, path + 1]), torch.stack([path + 1, path])], 1)
    arcs = {k: getattr(batch.faces, k)[:1].expand(14, *getattr(batch.faces, k).shape[1:]) for k in ("arc_grid",)}
    batch = changed(batch, arc_index=index, **arcs)
    grid = batch.faces.grid.clone()
    grid[0] += 1.0
    moved = (net(changed(batch, grid=grid)).face - net(batch).face)[:, :GRID_DIM].abs().amax(1)
    assert (moved[: LAYERS + 1] > 1e-6).all() and (moved[LAYERS + 1 :] == 0).all()


def test_a_turned_solid_is_another_one_to_it(net):
    batch = make_batch([6])
    turned = batch.faces.grid[..., [1, 2, 0, 4, 5, 3, 6]]
    assert not torch.allclose(net(changed(batch, grid=turned)).solid, net(batch).solid, atol=1e-3)


def test_a_solid_without_arcs_is_answered_for(net):
    batch = make_batch([1])
    none = torch.zeros(2, 0, dtype=torch.long)
    batch = changed(batch, arc_index=none, arc_grid=batch.faces.arc_grid[:0])
    assert net(batch).face.isfinite().all()
