"""Messages along arcs: how far they go, and what stays unseen."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from brep_mae.datasets.batch import WHERE_DIM, Batch
from brep_mae.masking.mask import Mask
from brep_mae.models.encoder import Fill
from brep_mae.models.message_encoder import Layer, MessageEncoder
from brep_mae.tokens.invariants import InvariantTokens
from brep_mae.tokens.tokens import Tokens
from tests.synthetic import make_batch

DIM = 16


def changed(batch: Batch, **values) -> Batch:
    return replace(batch, faces=replace(batch.faces, **values))


def encoder(depth: int = 3) -> MessageEncoder:
    torch.manual_seed(0)
    return MessageEncoder(DIM, depth, 0.1, Fill(DIM, nn.Linear(WHERE_DIM, DIM))).eval()


@pytest.fixture
def embed() -> InvariantTokens:
    torch.manual_seed(1)
    return InvariantTokens(DIM)


def path(n: int) -> Batch:
    """Faces in a row, an arc each way between neighbours."""
    batch, i = make_batch([n]), torch.arange(n - 1)
    index = torch.cat([torch.stack([i, i + 1]), torch.stack([i + 1, i])], 1)
    rows = {k: getattr(batch.faces, k)[:1].expand(2 * (n - 1), -1) for k in ("arc_invariant", "arc_kind")}
    return changed(batch, arc_index=index, **rows)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_face_hears_of_as_many_arcs_as_there_are_layers(embed, depth):
    net, tokens = encoder(depth).double(), embed(path(7))
    tokens = replace(tokens, x=tokens.x.double(), arcs=replace(tokens.arcs, x=tokens.arcs.x.double()))
    other = tokens.x.clone()
    other[0, 0] += 1.0
    far = net(replace(tokens, x=other)).x - net(tokens).x
    assert (far[0, 1:].abs().amax(1) > 1e-12).tolist() == [i <= depth for i in range(7)]


def test_the_code_of_a_token_keeps_the_token_and_what_every_layer_made_of_it(embed):
    net, tokens = encoder(2), embed(path(5))
    code = net(tokens).x[0, 1:]
    assert code.shape == (5, 3 * DIM) and net.dim == 3 * DIM
    assert torch.equal(code[:, :DIM], tokens.x[0])
    one = encoder(2).layers[0](tokens.x[0], tokens.arcs.x, tokens.arcs.index)
    assert torch.allclose(code[:, DIM : 2 * DIM], one, atol=1e-6)


def test_a_layer_gathers_sum_mean_and_greatest_message_of_both_ends_and_the_arc():
    """Two arcs into face 0, none into face 1; a sum counts a fifth."""
    torch.manual_seed(0)
    layer, x, arcs = Layer(DIM, 0.0), torch.randn(3, DIM), torch.randn(2, DIM)
    seen = []
    layer.out.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    layer(x, arcs, torch.tensor([[0, 0], [1, 2]]))
    messages = [nn.functional.gelu(layer.own(x[0]) + layer.other(x[j]) + layer.arc(arcs[j - 1])) for j in (1, 2)]
    both = torch.stack(messages)
    gathered = torch.cat([x[0], both.sum(0) / 5, both.mean(0), both.amax(0)])
    assert torch.allclose(seen[0][0], gathered, atol=1e-6)
    assert torch.equal(seen[0][1], torch.cat([x[1], torch.zeros(3 * DIM)]))


def test_the_first_row_of_a_latent_is_the_mean_of_the_tokens_that_are_real(embed):
    latent = encoder()(embed(make_batch([6, 3])))
    assert latent.valid.tolist() == [[True] * 7, [True] * 4 + [False] * 3]
    for sample, n in ((0, 6), (1, 3)):
        assert torch.allclose(latent.x[sample, 0], latent.x[sample, 1 : 1 + n].mean(0), atol=1e-6)
    assert (latent.x[1, 4:] == 0).all() and latent.ids.tolist() == [list(range(6))] * 2


def test_padding_is_inert_whatever_it_holds(embed):
    net, tokens = encoder(), embed(make_batch([3, 9]))
    alone = net(embed(make_batch([3]))).x[0]
    noisy = torch.where(tokens.valid[..., None], tokens.x, torch.full_like(tokens.x, torch.nan))
    for x in (tokens.x, noisy):
        assert torch.allclose(net(replace(tokens, x=x)).x[0, :4], alone, atol=1e-5)


def scrambled(tokens: Tokens, rows: torch.Tensor) -> Tokens:
    """Noise in tokens `rows` (B, N) and in every arc that touches one."""
    noise = torch.Generator().manual_seed(5)
    x, arc_x, touched = tokens.x.clone(), tokens.arcs.x.clone(), rows.flatten()[tokens.arcs.index].any(0)
    x[rows] = torch.randn(x[rows].shape, generator=noise) * 3
    arc_x[touched] = torch.randn(arc_x[touched].shape, generator=noise) * 3
    return replace(tokens, x=x, arcs=replace(tokens.arcs, x=arc_x))


def test_hidden_tokens_and_the_arcs_that_touch_them_never_reach_the_latent(embed):
    net, tokens = encoder(), embed(make_batch([6, 4]))
    hidden = torch.zeros_like(tokens.valid)
    hidden[0, [1, 4]] = hidden[1, 2] = True
    before, after = (net(t, Mask(hidden)).x for t in (tokens, scrambled(tokens, hidden)))
    assert torch.equal(before, after)


def test_control_they_do_where_nothing_is_hidden_and_so_do_others_beside_hidden_ones(embed):
    net, tokens = encoder(), embed(make_batch([6, 4]))
    hidden = torch.zeros_like(tokens.valid)
    hidden[0, [1, 4]] = True
    seen = torch.zeros_like(tokens.valid)
    seen[0, 2] = True
    assert not torch.allclose(net(tokens).x, net(scrambled(tokens, hidden)).x)
    assert not torch.allclose(net(tokens, Mask(hidden)).x, net(scrambled(tokens, seen), Mask(hidden)).x)
    only_arc = replace(tokens, arcs=scrambled(tokens, hidden).arcs)
    assert not torch.allclose(net(tokens).x, net(only_arc).x), "arcs alone"


def test_a_hidden_face_knows_its_place_in_the_graph(embed):
    net, tokens = encoder(), embed(make_batch([6]))
    hidden = torch.zeros_like(tokens.valid)
    hidden[0, 2] = True
    where = tokens.where.clone()
    where[0, 2] += 1.0
    assert not torch.equal(net(tokens, Mask(hidden)).x, net(replace(tokens, where=where), Mask(hidden)).x)


@pytest.mark.parametrize("sizes", [[1], [1, 5]])
def test_a_solid_of_one_face_has_numbers_and_a_gradient(embed, sizes):
    net = encoder().train()
    out = net(embed(make_batch(sizes))).x
    out.square().sum().backward()
    assert out.isfinite().all() and all(p.grad.isfinite().all() for p in embed.parameters() if p.grad is not None)


def test_tokens_without_arcs_are_refused_and_the_last_layer_is_the_top(embed):
    net = encoder()
    with pytest.raises(ValueError, match="need tokens with arcs"):
        net(replace(embed(make_batch([4])), arcs=None))
    assert net.top() == [net.layers[-1]]


def test_there_is_no_residual_stream_to_ask_for(embed):
    with pytest.raises(ValueError, match="no residual stream"):
        encoder()(embed(path(3)), final_norm=False)
