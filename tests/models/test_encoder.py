"""Encoders with mask tokens, and latents put back in their places."""

import torch
from torch import nn

from brep_mae.datasets.batch import WHERE_DIM
from brep_mae.masking.random import RandomMask
from brep_mae.models.decoder import NoDecoder
from brep_mae.models.encoder import Fill
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.seeds import generator
from brep_mae.settings import SizeParams
from brep_mae.tokens.faces import FaceTokens
from tests.synthetic import GRID, make_batch

TINY = SizeParams(dim=32, depth=2, heads=2)


def parts():
    tokens = FaceTokens(GRID, 32)(make_batch([6, 9, 3]))
    return tokens, RandomMask(0.3)(tokens, generator(0))


def test_placed_latents_stand_where_their_tokens_stood_and_hidden_places_are_zero():
    tokens, mask = parts()
    latent = TransformerEncoder(TINY, arcs=True)(tokens, mask)
    placed = latent.placed(tokens.valid.shape[1])
    assert torch.equal(placed, NoDecoder()(latent, tokens))
    seen = tokens.valid & ~mask.hidden
    assert (placed[:, 1:][~seen] == 0).all() and torch.equal(placed[:, 0], latent.x[:, 0])
    assert torch.equal(placed[:, 1:][seen], latent.x[:, 1:][latent.valid[:, 1:]])


def test_a_filled_encoder_keeps_arcs_of_hidden_faces_under_a_token_of_their_own():
    tokens, mask = parts()
    fill = Fill(32, nn.Linear(WHERE_DIM, 32))
    filled = fill(tokens, mask)
    touched = mask.hidden.flatten()[tokens.arcs.index].any(0)
    assert torch.equal(filled.arcs.index, tokens.arcs.index) and touched.any() and not touched.all()
    assert (filled.arcs.x[touched] == fill.arc_token).all()
    assert torch.equal(filled.arcs.x[~touched], tokens.arcs.x[~touched])
    seen = tokens.valid & ~mask.hidden
    assert torch.equal(filled.x[seen], tokens.x[seen])


def test_mask_tokens_differ_by_their_places_in_the_graph():
    tokens, mask = parts()

    def spread(where: nn.Module) -> float:
        return float(Fill(32, where)(tokens, mask).x[mask.hidden].std(0).max().detach())

    constant = nn.Linear(WHERE_DIM, 32)
    nn.init.zeros_(constant.weight)
    assert spread(nn.Linear(WHERE_DIM, 32)) > 1e-2
    silent = Fill(32, constant)
    nn.init.zeros_(silent.where.weight)
    assert silent(tokens, mask).x[mask.hidden].std(0).max() < 1e-6, "control: without positions all are alike"


def test_without_a_mask_a_filled_encoder_is_one_that_drops():
    tokens, _ = parts()
    drop, fill = (
        TransformerEncoder(TINY, arcs=True),
        TransformerEncoder(TINY, arcs=True, fill=Fill(32, nn.Linear(WHERE_DIM, 32))),
    )
    fill.load_state_dict(drop.state_dict(), strict=False)
    assert torch.equal(drop(tokens).x, fill(tokens).x)
    before = drop(tokens, final_norm=False).x
    assert torch.allclose(drop.stack.norm(before), drop(tokens).x) and not torch.allclose(before, drop(tokens).x)


def test_what_is_read_of_a_pretrained_encoder_is_every_layer_s_token_side_by_side():
    (tokens, _), encoder = parts(), TransformerEncoder(TINY, arcs=True).eval()
    with torch.no_grad():
        whole, last = encoder.read(tokens).x, encoder(tokens).x
    assert whole.shape[2] == encoder.read_dim == 3 * 32
    assert torch.equal(whole[..., 64:], last)
    first = torch.nn.functional.layer_norm(tokens.x, (32,))
    assert torch.allclose(whole[:, 1:, :32][tokens.valid], first[tokens.valid], atol=1e-6)
    assert not torch.allclose(whole[..., 32:64], last)
