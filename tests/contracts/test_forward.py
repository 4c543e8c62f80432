"""What every method of the composed forward keeps to: a mask can be given, a generator replayed, a token weighed."""

from dataclasses import replace

import pytest
import torch

from brep_mae.composition.masked import MaskedPretext
from brep_mae.evaluation.cross_modal import solid_losses
from brep_mae.masking.mask import Mask
from brep_mae.plugins import METHODS, known
from brep_mae.seeds import generator
from brep_mae.tokens.tokens import FACE, PATCH
from tests.contracts.test_methods import UNDRAWN, batch_for, small

COMPOSED = [name for name in known(METHODS) if isinstance(small(name), MaskedPretext)]


@pytest.fixture(params=COMPOSED)
def name(request) -> str:
    return request.param


def drawn_mask(pretext: MaskedPretext, batch, seed: int) -> Mask:
    """A mask as it would be drawn, for one role."""
    mask = pretext.run(batch, generator(seed)).mask
    return Mask(mask.hidden[: len(mask.hidden) // max(1, len(pretext.roles))])


def test_a_given_mask_is_the_one_that_hides_and_all_else_is_drawn_as_before(name):
    pretext, batch = small(name).eval(), batch_for(name)
    given, rng, replayed = drawn_mask(pretext, batch, seed=5), generator(1), generator(1)
    drawn = pretext.run(batch, rng)
    forward_pass = pretext.run(batch, replayed, given)
    assert torch.equal(forward_pass.mask.hidden, given.repeated(max(1, len(pretext.roles))).hidden)
    if name not in UNDRAWN:
        assert not torch.equal(forward_pass.mask.hidden, drawn.mask.hidden)
    assert torch.equal(rng.get_state(), replayed.get_state()), "the mask is drawn and thrown away"
    for one, other in ((drawn.seen, forward_pass.seen), (drawn.truth, forward_pass.truth)):
        assert one.frames is None or torch.equal(one.frames.image, other.frames.image)
    assert torch.equal(drawn.role, forward_pass.role)


def test_two_replays_of_one_generator_are_equal(name):
    pretext, batch = small(name).eval(), batch_for(name)
    first, again = (pretext.run(batch, generator(2)) for _ in range(2))
    assert torch.equal(first.mask.hidden, again.mask.hidden)
    assert all(torch.equal(first.codes[key], again.codes[key]) for key in first.codes)
    first, again = (pretext.losses(forward_pass) for forward_pass in (first, again))
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_a_run_with_the_mask_that_was_drawn_gives_the_loss_of_training(name):
    pretext, batch = small(name).eval(), batch_for(name)
    rng, mask = generator(1), drawn_mask(pretext, batch, seed=1)
    again = pretext.losses(pretext.run(batch, rng, mask))
    assert all(torch.equal(value, again[key]) for key, value in pretext(batch, generator(1)).items())


def read_codes(pretext: MaskedPretext, batch, mask: Mask, by_solid: bool) -> dict[str, torch.Tensor]:
    """By the name of codes, which tokens' codes get a gradient from the loss, or from the losses of single solids."""
    kept, run = [], pretext.run

    def watched(*arguments):
        kept.append(run(*arguments, mask))
        for codes in kept[0].codes.values():
            codes.retain_grad()
        return kept[0]

    pretext.run = watched
    if by_solid:
        sum(losses.sum() for losses in solid_losses(pretext)(batch, generator(1)).values()).backward()
    else:
        pretext(batch, generator(1))["loss"].backward()
    del pretext.run
    empty = torch.zeros(kept[0].tokens.valid.shape).bool()
    return {
        key: empty if codes.grad is None else codes.grad[:, 1:].abs().sum(-1) > 0
        for key, codes in kept[0].codes.items()
    }


@pytest.mark.parametrize("by_solid", [False, True])
def test_a_token_of_weight_0_adds_no_error_to_the_loss(name, by_solid):
    pretext, batch = small(name), batch_for(name)
    mask = drawn_mask(pretext, batch, seed=1)
    weight = torch.rand(mask.hidden.shape, generator=generator(4)).round()
    everything = read_codes(pretext, batch, mask, by_solid)
    weighed = read_codes(pretext, batch, Mask(mask.hidden, weight), by_solid)
    counts = weight.repeat(max(1, len(pretext.roles)), 1) > 0
    assert any(read.any() for read in everything.values())
    for key, read in everything.items():
        if read.any():
            assert torch.equal(weighed[key], read & counts) and not torch.equal(weighed[key], read)


def test_a_gradient_reaches_the_weights_of_predicted_tokens(name):
    pretext, batch = small(name), batch_for(name)
    if batch.frames is not None:  # every patch shows the solid: background has no say in a loss of pixels
        batch = replace(batch, frames=replace(batch.frames, face=batch.frames.face.clamp(min=0)))
    mask = drawn_mask(pretext, batch, seed=1)
    weight = torch.ones(mask.hidden.shape, requires_grad=True)
    pretext.losses(pretext.run(batch, generator(1), Mask(mask.hidden, weight)))["loss"].backward()
    reached = weight.grad != 0
    tokens = pretext.tokens(pretext.run(batch, generator(1)).seen)
    predicted = torch.zeros_like(reached)
    for target in pretext.targets.values():
        chosen = mask.hidden if target.on == "hidden" else ~mask.hidden
        predicted |= chosen & tokens.valid & (tokens.kind == target.kind)
    assert torch.equal(reached, predicted)


@pytest.mark.parametrize("kind", [FACE, PATCH])
def test_the_mask_of_one_kind_may_have_weights(kind):
    """Where the mask of the other kind has none, its tokens weigh 1."""
    pretext, batch = small("m3ae"), batch_for("m3ae")
    part = pretext.mask.masks[("face", "patch")[kind]]
    draw = part.forward
    part.forward = lambda tokens, rng: Mask(draw(tokens, rng).hidden, torch.full(tokens.valid.shape, 0.25))
    forward_pass = pretext.run(batch, generator(1))
    of_kind = forward_pass.tokens.kind == kind
    assert (forward_pass.mask.weight[:, of_kind] == 0.25).all() and (forward_pass.mask.weight[:, ~of_kind] == 1).all()
    del part.forward
    weighed, plain = pretext.losses(forward_pass), pretext(batch, generator(1))
    scaled = {FACE: "uvgrid.point", PATCH: "pixels.pixels"}
    assert torch.isclose(weighed[scaled[kind]], 0.25 * plain[scaled[kind]], rtol=1e-5)
    assert torch.isclose(weighed[scaled[1 - kind]], plain[scaled[1 - kind]], rtol=1e-5)


def test_groups_of_patches_keep_the_weights_of_their_groups():
    pretext, batch = small("st_mae", sampler="tube"), batch_for("st_mae")
    groups = pretext.mask.groups
    draw = groups.forward

    def weighed(tokens, rng):
        return Mask(draw(tokens, rng).hidden, torch.arange(16.0).expand(tokens.valid.shape))

    groups.forward = weighed
    mask = pretext.run(batch, generator(1)).mask
    assert torch.equal(mask.weight[:, :16], mask.weight[:, 16:]) and mask.weight[0, :16].tolist() == list(range(16))
