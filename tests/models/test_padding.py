"""Long and short solids in one batch: what is spared for the short ones changes no number."""

import pytest
import torch
from torch_geometric.nn import GeneralConv

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.models import blocks
from brep_mae.seeds import generator
from brep_mae.tokens import analytic
from tests.synthetic import GRID, make_batch

SIZES = [40, 3, 5, 17, 2, 9]


@pytest.mark.parametrize("name", ["mae_faces", "hybrid", "m3ae"])
def test_samples_grouped_by_length_give_the_same_numbers_and_gradients(name, monkeypatch):
    torch.manual_seed(0)
    method = build(name, settings.load().methods[name], DataSpec(GRID, 16))
    batch = make_batch(SIZES, frames=name == "m3ae")
    found, calls = [], []
    grouped = blocks.Stack._by_length
    monkeypatch.setattr(blocks.Stack, "_by_length", lambda *given: calls.append(1) or grouped(*given))
    for most in (1 << 14, 0):
        monkeypatch.setattr(blocks, "MOST_PADDED", most)
        method.zero_grad()
        loss = method(batch, generator(3))["loss"]
        loss.backward()
        with torch.no_grad():
            features = method.backbone()(batch)
        gradients = [p.grad.clone() for p in method.parameters() if p.grad is not None]
        found.append([loss.detach(), features.face, features.solid, *gradients])
        assert bool(calls) == (most == 0)
    for together, apart in zip(*found, strict=True):
        torch.testing.assert_close(apart, together, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["mae_faces", "attribute_masking", "hybrid_pure"])
def test_a_solid_has_its_own_numbers_whatever_lies_beside_it(name, monkeypatch):
    monkeypatch.setattr(blocks, "MOST_PADDED", 0)
    torch.manual_seed(0)
    backbone = build(name, settings.load().methods[name], DataSpec(GRID, 16)).backbone().eval()
    with torch.no_grad():
        both, alone = backbone(make_batch([40, 5])), backbone(make_batch([40]))
    torch.testing.assert_close(both.face[:40], alone.face, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(both.solid[:1], alone.solid, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("messages", [30, 0])
def test_messages_to_some_receivers_at_a_time(messages, monkeypatch):
    monkeypatch.setattr(analytic, "MOST_MESSAGES", 7)
    torch.manual_seed(0)
    conv = GeneralConv((3, 5), 8, 1, attention=True, heads=2)
    sender, receiver, kind = torch.randn(9, 3), torch.randn(12, 5), torch.randn(messages, 1)
    index = torch.stack([torch.randint(0, 9, (messages,)), torch.randint(0, 10, (messages,))])
    with torch.no_grad():
        expected = conv((sender, receiver), index, kind)
        torch.testing.assert_close(analytic.gathered(conv, sender, receiver, index, kind), expected)
