"""The acceptance checks of MAE (He et al. 2021, arXiv:2111.06377), on faces and on images.

Check 1 is also a contract of every method that hides tokens (tests/contracts), check 3 has more cases in
tests/masking/test_random.py.
"""

from dataclasses import replace

import pytest
import torch
from torch import nn

from brep_mae.masking.random import RandomMask
from brep_mae.models.decoder import Decoder, SineCosine
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.seeds import generator
from brep_mae.settings import SizeParams
from brep_mae.targets.pixels import Pixels, patchify, unpatchify
from brep_mae.tokens.faces import FaceTokens
from brep_mae.tokens.patches import PatchTokens, sine_cosine
from tests.contracts.test_methods import SPEC, small
from tests.contracts.test_no_peek import latent_of, scramble_hidden
from tests.pretext.checks import asked, blobs, of_images
from tests.selected import selected
from tests.synthetic import GRID, make_batch

TINY = SizeParams(dim=32, depth=2, heads=2)
SIZES = [6, 9, 3, 12]


@pytest.fixture(params=["mae_faces", "mae_images"])
def name(request) -> str:
    return request.param


def test_check_1_noise_in_hidden_content_changes_nothing_in_the_encoder(name):
    pretext, batch = small(name).eval(), make_batch(SIZES, frames=True)
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(3))
    other = scramble_hidden(batch, tokens, mask.hidden)
    assert torch.equal(latent_of(pretext, batch, mask), latent_of(pretext, other, mask))
    with torch.no_grad():
        seen = pretext.encoder(pretext.tokens(batch)).x, pretext.encoder(pretext.tokens(other)).x
    assert not torch.allclose(*seen), "control: with the mask drawn but not applied, the noise arrives"


def test_check_1_arcs_between_hidden_and_seen_faces_are_cut():
    """What the induced subgraph is for: with only the faces hidden, their arcs alone would tell of them."""
    pretext, batch = small("mae_faces").eval(), make_batch(SIZES)
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(3))
    index = tokens.arcs.index
    crossing = mask.hidden.flatten()[index].sum(0) == 1
    assert crossing.any()
    tokens.arcs.x[crossing] += 1
    changed = pretext.encoder(tokens, mask).x
    assert torch.equal(changed, latent_of(pretext, batch, mask))
    inner = (~mask.hidden.flatten()[index]).all(0)
    tokens.arcs.x[inner] += 1
    assert not torch.allclose(pretext.encoder(tokens, mask).x, changed), "control: arcs between seen faces are read"


def test_check_2_loss_support_only_hidden_patches_have_a_target_gradient():
    pretext, batch = small("mae_images"), make_batch([5, 5], frames=True)
    touched, mask = target_gradient(pretext, batch, "pixels")
    assert torch.equal(touched, mask.hidden)
    pretext.targets["pixels"].on = "seen"
    touched, mask = target_gradient(pretext, batch, "pixels")
    assert torch.equal(touched, ~mask.hidden), "control: a loss on what is seen is found out"


def test_check_2_loss_support_only_hidden_faces_have_a_target_gradient():
    pretext, batch = small("mae_faces"), make_batch(SIZES)
    touched, mask = target_gradient(pretext, batch, "uvgrid")
    assert torch.equal(touched, mask.hidden)


def target_gradient(pretext, batch, name: str):
    """Which tokens' truth has a gradient from the target, (B, N); the codes are cut off from the content."""
    content = batch.frames.image if name == "pixels" else batch.faces.grid
    content.requires_grad_()
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(0))
    codes = pretext.decoder(pretext.encoder(tokens, mask), tokens)[:, 1:].detach()
    target = pretext.targets[name]
    if name == "pixels":
        target.standardise = False
    chosen = mask.hidden if target.on == "hidden" else tokens.valid & ~mask.hidden
    rows = chosen[tokens.valid].nonzero().squeeze(1)
    terms = target(selected(codes[chosen], rows), batch)
    sum(term.error.sum() for term in terms.values()).backward()
    gradient = patchify(content.grad.flatten(0, 1), 4).flatten(0, 1) if name == "pixels" else content.grad
    touched = torch.zeros_like(tokens.valid)
    touched[tokens.valid] = gradient.flatten(1).abs().sum(1) > 0
    content.requires_grad_(False).grad = None
    return touched, mask


def test_check_2_loss_support_no_code_of_a_seen_token_pad_or_class_token_is_read(name):
    touched, mask = asked(small(name), filled(make_batch(SIZES, frames=True)))
    assert torch.equal(touched[:, 1:], mask.hidden)
    assert not touched[:, 0].any()


def filled(batch):
    """The same frames without any background, which has no say in the loss."""
    return replace(batch, frames=replace(batch.frames, face=batch.frames.face.clamp(min=0)))


def test_check_3_the_encoder_runs_on_the_seen_quarter_and_the_class_token():
    pretext, batch = small("mae_images"), make_batch([5], frames=True)
    tokens = pretext.tokens(batch)
    assert tokens.x.shape[1] == 16
    assert pretext.encoder(tokens, pretext.mask(tokens, generator(0))).x.shape[1] == 4 + 1
    assert pretext.encoder(tokens).x.shape[1] == 16 + 1, "control: with nothing hidden"


@pytest.mark.parametrize("n", [2, 5, 10])
def test_check_3_no_solid_is_left_without_a_seen_face_at_ratio_nine_tenths(n):
    tokens = FaceTokens(GRID, 32)(make_batch([n, n]))
    latent = TransformerEncoder(TINY, arcs=True)(tokens, RandomMask(0.9)(tokens, generator(0)))
    assert latent.x.shape[1] == 1 + 1
    assert int(n * (1 - 0.9)) == 0, "control: what plain truncation would leave"


def test_check_4_unshuffle_puts_seen_tokens_back_and_mask_tokens_elsewhere():
    """With blocks and positions out of the way, token i comes back at i."""
    size = SizeParams(dim=32, depth=0, heads=2)
    tokens = PatchTokens(16, 4, 32)(make_batch([5], frames=True))
    mask = RandomMask(0.75)(tokens, generator(0))
    encoder, decoder = TransformerEncoder(size, arcs=False), Decoder(32, size, Zero(), arcs=False)
    for stack in (encoder.stack, decoder.stack):
        stack.norm = nn.Identity()
    decoder.embed = nn.Identity()
    codes = decoder(encoder(tokens, mask), tokens)[:, 1:]
    assert torch.equal(codes[~mask.hidden], tokens.x[~mask.hidden])
    assert (codes[mask.hidden] == decoder.mask_token[0, 0]).all()


class Zero(nn.Module):
    def forward(self, where: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*where.shape[:2], 32)


def test_check_4_without_positions_all_hidden_predictions_coincide_and_with_them_they_differ():
    tokens = PatchTokens(16, 4, 32)(make_batch([5], frames=True))
    mask = RandomMask(0.75)(tokens, generator(0))
    latent = TransformerEncoder(TINY, arcs=False)(tokens, mask)

    def spread(where: nn.Module) -> float:
        codes = Decoder(32, TINY, where, arcs=False)(latent, tokens)[:, 1:]
        return float(codes.detach()[0][mask.hidden[0]].std(0).max())

    assert spread(Zero()) < 1e-5
    assert spread(SineCosine(32)) > 1e-2


def test_check_5_overfits_8_solids_to_a_quarter_of_the_mean_predictor(name):
    """One mask, so that there is something to know by heart; the control predicts one and the same for every token."""
    torch.manual_seed(0)
    pretext = small(name, size={"dim": 64, "depth": 2, "heads": 2}, decoder={"dim": 64, "depth": 2, "heads": 2})
    batch = make_batch([5, 6, 7, 8, 5, 6, 7, 8]) if name == "mae_faces" else of_images(blobs(8, 0))
    term = {"mae_faces": "uvgrid.point", "mae_images": "pixels.pixels"}[name]

    def fit(n: int) -> float:
        optimizer = torch.optim.AdamW(pretext.parameters(), 3e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, n)
        for _ in range(n):
            out = pretext(batch, generator(0))
            optimizer.zero_grad()
            out["loss"].backward()
            optimizer.step()
            schedule.step()
        return float(pretext(batch, generator(0))[term].detach())

    learned = fit(100 if name == "mae_faces" else 150)
    blind = pretext.decoder.register_forward_hook(lambda m, i, out: torch.zeros_like(out))
    mean = fit(40)
    blind.remove()
    assert learned < 0.25 * mean


def test_check_5_standardised_targets_have_mean_0_and_unbiased_variance_1():
    truth, mean, deviation = Pixels(8, 4, True).true_patches(make_batch([5, 5], frames=True), torch.arange(32))
    assert truth.mean(1).abs().max() < 1e-5
    assert (truth.var(1) - 1).abs().max() < 1e-3
    raw, _, _ = Pixels(8, 4, False).true_patches(make_batch([5, 5], frames=True), torch.arange(32))
    assert torch.allclose(truth * deviation + mean, raw, atol=1e-6)
    assert raw.mean(1).abs().max() > 0.1 and (raw.var(1) - 1).abs().max() > 0.1, "control: plain colours"


def test_patchify_is_inverted_and_keeps_rows_first_channels_last():
    image = torch.arange(2 * 3 * 8 * 8.0).view(2, 3, 8, 8)
    patches = patchify(image, 4)
    assert torch.equal(unpatchify(patches, 4), image)
    assert torch.equal(patches[0, 1, :3], image[0, :, 0, 4])


def test_sine_cosine_column_first():
    code = sine_cosine(torch.tensor([[2.0, 0.0]]), 8)
    assert torch.allclose(code[0, :4], torch.tensor([0.0, 0.0, 1.0, 1.0]))
    assert torch.allclose(code[0, 4], torch.sin(torch.tensor(2.0)))


def test_the_frames_the_network_was_built_for():
    assert SPEC.frame == 16
    with pytest.raises(AssertionError, match="doesn't match"):
        PatchTokens(32, 4, 32)(make_batch([5], frames=True))


def test_augmented_images_train_and_are_evaluated_as_they_are():
    """Crops and flips are drawn anew in training, of image and faces alike; evaluation sees what there is."""
    pretext, batch = small("mae_images", augment={"crop": 0.3, "flip": True}), make_batch([5, 5], frames=True)
    seen, truth = pretext.views(batch, generator(0))
    assert seen is truth and not torch.equal(seen.frames.image, batch.frames.image)
    assert not torch.equal(seen.frames.face, batch.frames.face)
    assert torch.equal(seen.frames.image, pretext.views(batch, generator(0))[0].frames.image)
    assert not torch.equal(seen.frames.image, pretext.views(batch, generator(1))[0].frames.image)
    assert pretext.eval().views(batch, generator(0)) == (batch, batch)
