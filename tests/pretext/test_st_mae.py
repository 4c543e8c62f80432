"""Spatiotemporal MAE's acceptance checks (Feichtenhofer et al. 2022, arXiv:2205.09113).

Check 1 is also tested on the sampler alone (tests/masking/test_clip.py), and the separable positions of check 4 on
their own (tests/tokens/test_tubelets.py).
"""

from dataclasses import replace

import pytest
import torch

from brep_mae import settings
from brep_mae.checks import check
from brep_mae.composition.optim import lr_at
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.batch import Batch
from brep_mae.masking.mask import Mask
from brep_mae.models.decoder import Decoder
from brep_mae.pretext.st_mae import Params, TurntableMAE, effective_epochs, target_frames
from brep_mae.seeds import generator
from brep_mae.settings import SizeParams
from brep_mae.targets.pixels import patchify
from brep_mae.tokens.tubelets import SeparablePosition
from tests.selected import selected
from tests.synthetic import make_batch, make_frames

TINY = {"dim": 32, "depth": 2, "heads": 2}
PATCHES = 16


def values(**changed) -> dict:
    sizes = {"size": TINY, "decoder": TINY, "patch": 4}
    return settings.load().methods["st_mae"] | sizes | changed


def method(frame: int = 16, **changed) -> TurntableMAE:
    torch.manual_seed(0)
    pretext = build("st_mae", values(**changed), DataSpec(5, frame)).eval()
    assert isinstance(pretext, TurntableMAE)
    return pretext


def clips(views: int, solids: int = 2) -> Batch:
    return Batch(tuple(map(str, range(solids))), None, make_frames([5] * solids, views=views))


def at(view: int, patch: int) -> int:
    return view * PATCHES + patch


def with_noise(batch: Batch, places: torch.Tensor) -> Batch:
    """Other pixels in `places` (B, T, PATCHES) True."""
    noise = torch.rand(batch.frames.image.shape, generator=generator(9))
    pixels = places.unflatten(2, (4, 4)).repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, None]
    return replace(batch, frames=replace(batch.frames, image=torch.where(pixels, noise, batch.frames.image)))


def test_check_1_a_turntable_of_12_views_leaves_235_of_2352_tokens_to_the_encoder():
    pretext = method(56, views=12, mask_ratio=0.9)
    batch = Batch(("a", "b"), None, make_frames([5, 5], views=12, size=56))
    tokens = pretext.tokens(batch)
    assert tokens.x.shape[1] == 12 * 196
    mask = pretext.mask(tokens, generator(0))
    per_view = (~mask.hidden).view(2, 12, 196).sum(2)
    assert (~mask.hidden).sum(1).tolist() == [235, 235]
    assert len(set(per_view.flatten().tolist())) > 3
    assert pretext.encoder(tokens, mask).x.shape[1] == 1 + 235


def test_check_1_control_tube_and_frame_have_equal_counts_in_views():
    for sampler in ("tube", "frame"):
        pretext = method(views=4, sampler=sampler, mask_ratio=0.75)
        hidden = pretext.mask(pretext.tokens(clips(4)), generator(0)).hidden.view(2, 4, PATCHES)
        assert len(set(hidden.sum(2).flatten().tolist())) <= 2


def seen_only(places: list[int]) -> Mask:
    hidden = torch.ones(2, 4 * PATCHES, dtype=torch.bool)
    hidden[:, places] = False
    return Mask(hidden)


def codes(pretext: TurntableMAE, batch: Batch, mask: Mask) -> torch.Tensor:
    with torch.no_grad():
        tokens = pretext.tokens(batch)
        return pretext.decoder(pretext.encoder(tokens, mask), tokens)[:, 1:]


def test_check_2_hidden_places_never_reach_the_encoder():
    pretext, batch = method(), clips(4)
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(1))
    changed = pretext.tokens(with_noise(batch, mask.hidden.view(2, 4, PATCHES)))
    assert not torch.equal(tokens.x, changed.x)
    assert torch.equal(pretext.encoder(tokens, mask).x, pretext.encoder(changed, mask).x)


def test_check_2_a_seen_patch_of_one_view_reaches_a_hidden_one_of_another_view():
    pretext, batch = method(), clips(4)
    mask = seen_only([at(0, 3), at(1, 7), at(3, 2)])
    place = torch.zeros(2, 4, PATCHES, dtype=torch.bool)
    place[:, 3, 2] = True
    moved = codes(pretext, with_noise(batch, place), mask) - codes(pretext, batch, mask)
    assert (moved[:, at(1, 9)].abs().amax(1) > 1e-4).all()


def test_check_2_control_views_as_samples_of_their_own_do_not_meet():
    """What the check would catch: frames encoded one by one."""
    torch.manual_seed(0)
    spec, block = DataSpec(5, 16), settings.load().methods["mae_images"] | {"size": TINY, "decoder": TINY, "patch": 4}
    pretext, batch = build("mae_images", block, spec).eval(), clips(4)
    place = torch.zeros(2, 4, PATCHES, dtype=torch.bool)
    place[:, 3] = True
    mask = pretext.mask(pretext.tokens(batch), generator(0))
    moved = (codes(pretext, with_noise(batch, place), mask) - codes(pretext, batch, mask)).view(2, 4, -1)
    assert (moved[:, 3] != 0).any()
    assert (moved[:, :3] == 0).all()


def test_check_3_one_frame_per_tubelet_as_in_the_papers_code():
    assert target_frames(16, 2).tolist() == [0, 2, 4, 6, 8, 10, 12, 15]
    assert target_frames(12, 1).tolist() == list(range(12))


@pytest.mark.parametrize("t_patch", [1, 2])
def test_check_3_the_truth_is_read_at_hidden_tokens_of_chosen_frames_only(t_patch):
    pretext, batch = method(t_patch=t_patch, standardise=False, repeat_aug=1), clips(4)
    image = batch.frames.image.requires_grad_()
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(0))
    rows = mask.hidden.flatten().nonzero().squeeze(1)
    guess = selected(torch.zeros(len(rows), 32), rows)
    pretext.targets["pixels"](guess, pretext.truth(batch))["pixels"].error.sum().backward()
    touched = (patchify(image.grad.flatten(0, 1), 4).abs().sum(-1) > 0).view(2, 4, PATCHES)
    chosen = target_frames(4, t_patch)
    assert torch.equal(touched[:, chosen], mask.hidden.view(2, len(chosen), PATCHES))
    left_out = [frame for frame in range(4) if frame not in chosen.tolist()]
    assert not touched[:, left_out].any()


def test_check_4_both_position_tables_of_encoder_and_decoder_learn():
    pretext, batch = method(repeat_aug=4), clips(4)
    pretext(batch, generator(0))["loss"].backward()
    for position in (pretext.tokens.position, pretext.decoder.where):
        assert isinstance(position, SeparablePosition)
        assert all(table.grad.abs().sum() > 0 for table in (position.space_token, position.view_token))


def decoded_with_another_class_token(pretext: TurntableMAE) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        tokens = pretext.tokens(clips(4))
        latent = pretext.encoder(tokens, pretext.mask(tokens, generator(0)))
        other = latent.x.clone()
        other[:, 0] += 5
        return pretext.decoder(latent, tokens), pretext.decoder(replace(latent, x=other), tokens)


def test_check_4_the_encoders_class_token_is_dropped_and_the_decoder_has_its_own():
    pretext = method()
    assert torch.equal(*decoded_with_another_class_token(pretext))
    pretext(clips(4), generator(0))["loss"].backward()
    assert pretext.decoder.class_token.grad.abs().sum() > 0


def test_check_4_control_a_decoder_that_keeps_the_encoders_class_token_is_told_apart():
    pretext = method()
    pretext.decoder = Decoder(32, SizeParams(**TINY), pretext.decoder.where, arcs=False).eval()
    assert not torch.allclose(*decoded_with_another_class_token(pretext), atol=1e-4)


def test_check_5_doubling_repeat_aug_doubles_the_epochs_but_neither_steps_nor_learning_rate():
    once, twice = (check(Params, values(repeat_aug=n), "test") for n in (2, 4))
    assert effective_epochs(twice, 100) == 2 * effective_epochs(once, 100) == 4 * once.steps * once.batch / 100
    shared = settings.load().pretrain
    assert [lr_at(s, p.steps, p.lr, shared.warmup) for p in (once,) for s in range(p.steps)] == [
        lr_at(s, p.steps, p.lr, shared.warmup) for p in (twice,) for s in range(p.steps)
    ]
    batch = clips(4)
    assert [float(method(repeat_aug=n)(batch, generator(0))["clips"]) for n in (2, 4)] == [4, 8]


def test_repeats_of_a_solid_are_its_own_frames_from_other_starts_and_with_other_masks():
    pretext, batch = method(repeat_aug=8), clips(4, solids=1)
    seen, truth = pretext.views(batch, generator(0))
    assert truth is seen
    starts = set()
    for clip, face in zip(seen.frames.image, seen.frames.face, strict=True):
        start = next(s for s in range(4) if torch.equal(clip[0], batch.frames.image[0, s]))
        assert torch.equal(clip, batch.frames.image[0].roll(-start, 0))
        assert torch.equal(face, batch.frames.face[0].roll(-start, 0))
        starts.add(start)
    assert len(starts) > 1
    hidden = pretext.mask(pretext.tokens(seen), generator(0)).hidden
    assert len({tuple(row.tolist()) for row in hidden}) == 8


@pytest.mark.parametrize("t_patch", [1, 2])
def test_a_picture_is_of_the_frames_that_are_predicted(t_patch):
    pretext, batch = method(t_patch=t_patch), clips(4)
    picture = pretext.pictures(batch, generator(0))["pixels"]
    predicted_frames = target_frames(4, t_patch)
    assert torch.equal(picture.truth.frames.image, batch.frames.image[:, predicted_frames])
    hidden = picture.chosen.view(2, len(predicted_frames), PATCHES)
    assert len(picture.predicted["pixels"]) == int(hidden.sum()) and hidden.any(2).all()


@pytest.mark.parametrize("t_patch", [1, 2])
def test_faces_are_pooled_from_the_frames_of_their_own_solid(t_patch):
    """The backbone reads the whole clip; a solid's features do not depend on its neighbours in the batch."""
    pretext = method(t_patch=t_patch)
    both = make_batch([5, 7])
    both = replace(both, frames=make_frames([5, 7], views=4))
    first = replace(both.frames, image=both.frames.image[:1], face=both.frames.face[:1])
    with torch.no_grad():
        alone, beside = (pretext.backbone()(b) for b in (replace(make_batch([5]), frames=first), both))
    assert len(beside.face) == 12
    assert torch.allclose(alone.face, beside.face[:5], atol=1e-5)
    assert torch.allclose(alone.solid, beside.solid[:1], atol=1e-5)


@pytest.mark.parametrize("views, ratio", [(1, 0.9), (4, 0.99), (2, 0.999)])
def test_few_views_and_extreme_ratios_keep_one_token_seen_and_a_finite_loss(views, ratio):
    pretext, batch = method(mask_ratio=ratio), clips(views)
    hidden = pretext.mask(pretext.tokens(batch), generator(0)).hidden
    assert (~hidden).any(1).all() and hidden.any(1).all()
    assert torch.isfinite(pretext(batch, generator(0))["loss"])
