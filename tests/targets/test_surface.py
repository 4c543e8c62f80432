"""The hybrid target against the paper's checks (Jones et al. 2023, arXiv:2210.10807), and the UV-grid target."""

from dataclasses import replace

import pytest
import torch

from brep_mae.schema import FIELD_DISTANCE
from brep_mae.targets.surface import Surface
from brep_mae.targets.uvgrid import UVGrid
from tests.selected import selected
from tests.synthetic import GRID, make_batch


def target() -> Surface:
    torch.manual_seed(0)
    return Surface(code_dim=32, hidden=64, depth=3)


def loss(surface: Surface, codes, batch, rows, seed=0):
    terms = surface(selected(codes, rows), batch)
    return sum(t.error.mean() for t in terms.values())


@pytest.fixture(scope="module")
def fitted():
    """Codes and head overfitted to the six faces of one part."""
    batch, rows, surface = make_batch([6]), torch.arange(6), target()
    codes = torch.nn.Parameter(torch.randn(6, 32) * 0.1)
    optimizer = torch.optim.Adam([codes, *surface.parameters()], 3e-3)
    for step in range(500):
        value = loss(surface, codes, batch, rows, step)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return batch, rows, surface, codes.detach()


def test_hybrid_check_3_overfits_one_part_in_position_and_sign(fitted):
    batch, rows, surface, codes = fitted
    with torch.no_grad():
        terms = surface(selected(codes, rows), batch)
        assert terms["explicit"].error.mean() < 1e-3
        field = batch.faces.field
        signed = surface.head(codes, field[..., :2])[..., 3]
    far = field[..., FIELD_DISTANCE].abs() > 0.02
    assert (signed.sign() == field[..., FIELD_DISTANCE].sign())[far].float().mean() > 0.98


def test_hybrid_check_3_control_permuted_codes_raise_the_loss_tenfold(fitted):
    batch, rows, surface, codes = fitted
    with torch.no_grad():
        assert loss(surface, codes.roll(1, 0), batch, rows) > 10 * loss(surface, codes, batch, rows)


def test_hybrid_check_4_a_face_without_trimming_distance_does_not_count_and_stays_finite():
    batch, rows, surface = make_batch([6]), torch.arange(6), target()
    bounded = torch.tensor([True, False, True, True, True, True])
    batch = replace(batch, faces=replace(batch.faces, bounded=bounded))
    terms = surface(selected(torch.randn(6, 32), rows), batch)
    assert terms["implicit"].counts.tolist() == bounded.tolist()
    assert terms["explicit"].counts is None
    assert all(torch.isfinite(t.error).all() for t in terms.values())


def test_field_and_grid_speak_of_one_surface(fitted):
    """The explicit branch asked at the grid's uv gives the grid: both truths lie on the same parametrisation."""
    batch, rows, surface, codes = fitted
    drawn = surface.predict(selected(codes, rows), batch)
    assert (drawn[..., :3] - batch.faces.grid[..., :3]).abs().mean() < 0.05 * batch.faces.pose.size.mean()


def test_uvgrid_predictions_reach_the_truth_when_overfitted():
    torch.manual_seed(0)
    batch, rows = make_batch([6]), torch.arange(6)
    uvgrid = UVGrid(32, GRID)
    codes = torch.nn.Parameter(torch.randn(6, 32))
    optimizer = torch.optim.Adam([codes, *uvgrid.parameters()], 1e-2)
    for _ in range(300):
        value = sum(t.error.mean() for t in uvgrid(selected(codes, rows), batch).values())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    with torch.no_grad():
        drawn = uvgrid.predict(selected(codes, rows), batch)
    truth = batch.faces.grid
    seen = truth[..., 6] > 0
    assert (drawn[..., :3] - truth[..., :3])[seen].abs().max() < 0.02
    assert (drawn[..., 3:6] - truth[..., 3:6])[seen].abs().max() < 0.05
    assert torch.equal(drawn[..., 6], truth[..., 6])


def test_all_samples_outside_gives_finite_terms():
    batch = make_batch([6])
    grid = batch.faces.grid.clone()
    grid[0, ..., 6] = 0
    batch = replace(batch, faces=replace(batch.faces, grid=grid))
    terms = UVGrid(32, GRID)(selected(torch.randn(6, 32), torch.arange(6)), batch)
    assert all(torch.isfinite(t.error).all() for t in terms.values())
