"""MAE's acceptance checks that are not contracts of all methods (He et al. 2021, arXiv:2111.06377)."""

import torch
from torch import nn

from brep_mae.masking.random import RandomMask
from brep_mae.models.decoder import Decoder, SineCosine
from brep_mae.models.encoder import Encoder
from brep_mae.seeds import generator
from brep_mae.settings import SizeParams
from brep_mae.targets.pixels import Pixels, patchify, unpatchify
from brep_mae.tokens.patches import PatchTokens, sine_cosine
from tests.contracts.test_methods import small
from tests.synthetic import make_batch

TINY = SizeParams(dim=32, depth=2, heads=2)


def test_loss_support_only_hidden_patches_have_a_target_gradient():
    """MAE check 2."""
    pretext, batch = small("mae_images"), make_batch([5, 5], frames=True)
    image = batch.frames.image.requires_grad_()
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(0))
    codes = pretext.decoder(pretext.encoder(tokens, mask), tokens)[:, 1:].detach()
    rows = mask.hidden.flatten().nonzero().squeeze(1)
    target = pretext.targets["pixels"]
    target.standardise = False
    target(codes[mask.hidden], batch, rows, generator(0))["pixels"].error.sum().backward()
    touched = patchify(image.grad.flatten(0, 1), 4).abs().sum(-1) > 0
    assert torch.equal(touched, mask.hidden)


def test_counts_the_encoder_runs_on_the_seen_quarter_and_the_class_token():
    pretext, batch = small("mae_images"), make_batch([5], frames=True)
    tokens = pretext.tokens(batch)
    assert tokens.x.shape[1] == 16
    assert pretext.encoder(tokens, pretext.mask(tokens, generator(0))).x.shape[1] == 4 + 1


def test_unshuffle_puts_seen_tokens_back_and_mask_tokens_elsewhere():
    """MAE check 4: with blocks and positions out of the way, token i comes back at i."""
    size = SizeParams(dim=32, depth=0, heads=2)
    tokens = PatchTokens(16, 4, 32)(make_batch([5], frames=True))
    mask = RandomMask(0.75)(tokens, generator(0))
    encoder, decoder = Encoder(size, arcs=False), Decoder(32, size, Zero(), arcs=False)
    for stack in (encoder.stack, decoder.stack):
        stack.norm = nn.Identity()
    decoder.embed = nn.Identity()
    codes = decoder(encoder(tokens, mask), tokens)[:, 1:]
    assert torch.equal(codes[~mask.hidden], tokens.x[~mask.hidden])
    assert (codes[mask.hidden] == decoder.mask_token[0, 0]).all()


class Zero(nn.Module):
    def forward(self, where: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*where.shape[:2], 32)


def test_without_positions_all_hidden_predictions_coincide_and_with_them_they_differ():
    tokens = PatchTokens(16, 4, 32)(make_batch([5], frames=True))
    mask = RandomMask(0.75)(tokens, generator(0))
    latent = Encoder(TINY, arcs=False)(tokens, mask)

    def spread(where: nn.Module) -> float:
        codes = Decoder(32, TINY, where, arcs=False)(latent, tokens)[:, 1:]
        return float(codes.detach()[0][mask.hidden[0]].std(0).max())

    assert spread(Zero()) < 1e-5
    assert spread(SineCosine(32)) > 1e-2


def test_standardised_targets_have_mean_0_and_unbiased_variance_1():
    """MAE check 5."""
    truth, mean, deviation = Pixels(8, 4, True).truth(make_batch([5, 5], frames=True), torch.arange(32))
    assert truth.mean(1).abs().max() < 1e-5
    assert (truth.var(1) - 1).abs().max() < 1e-3
    raw, _, _ = Pixels(8, 4, False).truth(make_batch([5, 5], frames=True), torch.arange(32))
    assert torch.allclose(truth * deviation + mean, raw, atol=1e-6)


def test_patchify_is_inverted_and_keeps_rows_first_channels_last():
    image = torch.arange(2 * 3 * 8 * 8.0).view(2, 3, 8, 8)
    patches = patchify(image, 4)
    assert torch.equal(unpatchify(patches, 4), image)
    assert torch.equal(patches[0, 1, :3], image[0, :, 0, 4])


def test_sine_cosine_column_first():
    code = sine_cosine(torch.tensor([[2.0, 0.0]]), 8)
    assert torch.allclose(code[0, :4], torch.tensor([0.0, 0.0, 1.0, 1.0]))
    assert torch.allclose(code[0, 4], torch.sin(torch.tensor(2.0)))
