"""The target of hidden scalars: by hand, with a head whose answer is known."""

from dataclasses import replace

import pytest
import torch

from brep_mae.features.invariants import FACE_SCALARS
from brep_mae.schema import SURFACE_TYPES
from brep_mae.seeds import generator
from brep_mae.targets.invariants import ASKED, Scalars
from tests.selected import selected
from tests.synthetic import make_batch

N = len(ASKED)
DIM = N + len(SURFACE_TYPES)


@pytest.fixture
def target() -> Scalars:
    """A head that says what its code says."""
    target = Scalars(DIM)
    with torch.no_grad():
        target.head.weight.copy_(torch.eye(DIM))
        target.head.bias.zero_()
    return target


def said(batch) -> torch.Tensor:
    """Codes that say every face's scalars, and nothing of its type."""
    return torch.cat([batch.faces.invariant[:, ASKED], torch.zeros(len(batch.faces.surface), len(SURFACE_TYPES))], 1)


def answered(target: Scalars, codes, batch, rows) -> dict[str, torch.Tensor]:
    return {name: term.error for name, term in target(selected(codes, rows), batch).items()}


def test_the_truth_costs_nothing_whichever_rows_are_asked_for(target):
    batch, rows = make_batch([6, 4]), torch.tensor([7, 0, 3])
    sure = torch.cat(
        [batch.faces.invariant[rows][:, ASKED], 100 * torch.eye(len(SURFACE_TYPES))[batch.faces.surface[rows]]], 1
    )
    terms = answered(target, sure, batch, rows)
    assert terms["scalars"].tolist() == [0, 0, 0] and terms["surface"].tolist() == [0, 0, 0]
    others = answered(target, sure, batch, torch.tensor([1, 2, 4]))
    assert (others["scalars"] > 0.01).all(), "the truth of other faces"


def test_scalars_are_smooth_l1_averaged_over_the_scalars(target):
    """Half the square within one spread, from there on the distance less a half."""
    batch, rows = make_batch([6]), torch.arange(2)
    codes = said(batch)[rows]
    codes[0, 3] += 0.5
    codes[1, 0] -= 3.0
    assert answered(target, codes, batch, rows)["scalars"].tolist() == pytest.approx([0.125 / N, 2.5 / N], rel=1e-3)


def test_surface_is_the_cross_entropy_of_its_type(target):
    batch, rows = make_batch([6]), torch.arange(6)
    even = torch.zeros(6, DIM)
    expected = torch.full((6,), float(len(SURFACE_TYPES))).log()
    assert torch.allclose(answered(target, even, batch, rows)["surface"], expected)
    wrong = even.clone()
    wrong[:, N:] = 100 * torch.eye(len(SURFACE_TYPES))[(batch.faces.surface + 1) % len(SURFACE_TYPES)]
    assert torch.allclose(answered(target, wrong, batch, rows)["surface"], torch.tensor(100.0))


def test_the_type_is_no_scalar_and_a_scalar_no_type(target):
    """What is said of one does not move the error of the other."""
    batch, rows = make_batch([6]), torch.arange(6)
    codes = said(batch)
    base = answered(target, codes, batch, rows)
    for columns, moved, still in ((slice(0, N), "scalars", "surface"), (slice(N, None), "surface", "scalars")):
        other = codes.clone()
        other[:, columns] += torch.randn(other[:, columns].shape, generator=generator(1))
        got = answered(target, other, batch, rows)
        assert not torch.allclose(got[moved], base[moved]) and torch.equal(got[still], base[still])


def test_a_gradient_reaches_head_and_codes(target):
    batch, codes = make_batch([6]), torch.zeros(2, DIM, requires_grad=True)
    sum(e.sum() for e in answered(target, codes, batch, torch.tensor([1, 2])).values()).backward()
    assert (codes.grad.abs().sum(1) > 0).all() and target.head.weight.grad is not None
    assert not make_batch([6]).faces.invariant.requires_grad


def test_one_hot_columns_of_the_input_are_not_where_the_type_is_read(target):
    """The stored type counts: blank one-hot columns change nothing."""
    batch, rows, codes = make_batch([6]), torch.arange(6), torch.randn(6, DIM, generator=generator(1))
    invariant = batch.faces.invariant.clone()
    invariant[:, len(FACE_SCALARS) :] = 0
    blank = replace(batch, faces=replace(batch.faces, invariant=invariant))
    first, second = (answered(target, codes, b, rows) for b in (batch, blank))
    assert all(torch.equal(first[k], second[k]) for k in first)
