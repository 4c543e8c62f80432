"""The surface head asked in pieces, and the views of a face compared in pieces: the same as all at once."""

import pytest
import torch

from brep_mae.models import surface as head_module
from brep_mae.models.surface import SurfaceHead
from brep_mae.targets import surface as target_module
from brep_mae.targets.surface import Surface
from brep_mae.targets.target import Values
from brep_mae.tokens.symmetry import equal_views, turned_uv
from tests.selected import selected
from tests.synthetic import GRID, make_batch

FACES, PLACES = 11, 5


def asked(monkeypatch, at_a_time: int, kept: int) -> tuple[torch.Tensor, list[torch.Tensor], int]:
    """What the head says, the gradients of code and weights, and how many numbers were kept for them."""
    monkeypatch.setattr(head_module, "MOST_PLACES", at_a_time)
    monkeypatch.setattr(head_module, "MOST_KEPT", kept)
    torch.manual_seed(0)
    head = SurfaceHead(code_dim=6, hidden=16, depth=3).double()
    code = torch.randn(FACES, 6, dtype=torch.float64, requires_grad=True)
    uv = torch.rand(FACES, PLACES, 2, dtype=torch.float64)
    sizes = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = head(code, uv)
    out.square().sum().backward()
    return out.detach(), [code.grad, *(parameter.grad for parameter in head.parameters())], sum(sizes)


def test_every_layer_reads_the_layer_before_the_place_and_the_code():
    """Jones et al. 2023, section 3.2: [uv, code] is appended again at every layer."""
    torch.manual_seed(0)
    head = SurfaceHead(code_dim=6, hidden=16, depth=3).double()
    code, uv = torch.randn(FACES, 6, dtype=torch.float64), torch.rand(FACES, PLACES, 2, dtype=torch.float64)
    query = torch.cat([head_module.fourier(uv), code[:, None].expand(-1, PLACES, -1)], -1)
    x = query[..., :0]
    for layer in head.layers:
        x = layer(torch.cat([x, query], -1)).relu()
    torch.testing.assert_close(head(code, uv), head.out(torch.cat([x, query], -1)))


@pytest.mark.parametrize("kept", [10**6, FACES * PLACES - 1])
def test_pieces_say_and_learn_what_the_whole_does(monkeypatch, kept):
    whole, gradients, _ = asked(monkeypatch, 10**6, 10**6)
    out, by_pieces, _ = asked(monkeypatch, 2 * PLACES + 1, kept)
    torch.testing.assert_close(out, whole)
    torch.testing.assert_close(by_pieces, gradients)


def test_of_many_places_the_layers_outputs_are_not_kept(monkeypatch):
    kept, not_kept = (asked(monkeypatch, 2 * PLACES, most)[2] for most in (10**6, FACES * PLACES - 1))
    assert not_kept < kept / 2


def test_the_view_of_a_face_is_the_one_of_least_error_however_many_faces_are_compared_at_a_time(monkeypatch):
    batch, codes = make_batch([40]), torch.randn(40, 8)
    torch.manual_seed(0)
    target = Surface(code_dim=8, hidden=16, depth=2)
    with torch.no_grad():
        truth = dict(target.truth(selected(codes, torch.arange(40)), batch))
        truth["turns"] = torch.tensor([0, 1, 2, 4] * 10)
        which = equal_views(truth["turns"], GRID)
        every = torch.stack([errors(target, codes, truth, view) for view in which.T], 1)
        best = which.gather(1, every.argmin(1, keepdim=True))[:, 0]
        for at_a_time in (3, 40):
            monkeypatch.setattr(target_module, "MOST_FACES", at_a_time)
            assert torch.equal(target.predicted(codes, truth)["view"], best)
    assert len(best.unique()) > 4, "faces of all kinds are turned"


def errors(target: Surface, codes: torch.Tensor, truth: Values, view: torch.Tensor) -> torch.Tensor:
    """The error of every face in one view each, all terms together."""
    at_field = target.head(codes, turned_uv(truth["uv"], view, GRID))
    at_grid = target.head(codes, target_module.grid_uv(GRID, codes))
    said = {"grid": at_grid[..., :3], "point": at_field[..., :3], "distance": at_field[..., 3], "view": view}
    terms = target.error(said, truth).values()
    return torch.stack([t.error if t.counts is None else t.error * t.counts for t in terms]).sum(0)
