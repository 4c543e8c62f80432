"""What every pretext method keeps to, whatever it does; a new method file is tested without editing this one."""

from dataclasses import replace

import pytest
import torch

from brep_mae import settings
from brep_mae.masking.mask import Mask
from brep_mae.pretext.pretext import Facts, Pretext, build, known_methods
from brep_mae.seeds import generator
from brep_mae.settings import SettingsError
from tests.synthetic import GRID, make_batch

FACTS = Facts(grid=GRID, frame=16)
SIZES = [6, 9, 3, 12, 2, 7]


def small(name: str) -> Pretext:
    values = dict(settings.load().methods[name])
    tiny = {"dim": 32, "depth": 2, "heads": 2}
    values |= {"size": tiny, "decoder": tiny}
    if "patch" in values:
        values["patch"] = 4
    return build(name, values, FACTS)


def batch_for(name: str, seed: int = 0):
    return make_batch(SIZES, seed, frames="frames" in small(name).reads)


@pytest.fixture(params=known_methods())
def name(request) -> str:
    return request.param


def test_every_method_file_has_a_block_in_params(name):
    assert name in settings.load().methods


def test_builds_at_full_size_and_counts_its_loss_as_the_weighted_sum_of_its_parts(name):
    pretext = build(name, settings.load().methods[name], Facts(GRID, 16))
    out = pretext(batch_for(name), generator(0))
    total = sum(getattr(pretext, "weights", {}).get(k, 1.0) * v for k, v in out.items() if k != "loss")
    assert torch.isclose(out["loss"], total, atol=1e-6)


def test_loss_falls_on_a_few_samples(name):
    pretext, batch = small(name), batch_for(name)
    optimizer = torch.optim.AdamW(pretext.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = pretext(batch, generator(0))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.75 * losses[0]


def test_same_generator_same_loss_and_another_generator_another_mask(name):
    pretext, batch = small(name).eval(), batch_for(name)
    first, again, other = (pretext(batch, generator(s))["loss"] for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def latent_of(pretext: Pretext, batch, mask: Mask):
    with torch.no_grad():
        tokens = pretext.tokens(batch)
        return pretext.encoder(tokens, mask).x


def scramble_hidden(batch, hidden: torch.Tensor):
    """Noise in the raw content of hidden faces or patches, and in every coedge that touches a hidden face.

    A coedge between a hidden and a seen face is scrambled too: the encoder sees only arcs whose two ends are seen.
    """
    noise = torch.Generator().manual_seed(7)
    if batch.frames is not None:
        image = batch.frames.image.clone()
        patch = 4
        side = image.shape[-1] // patch
        flat = hidden.view(image.shape[0], image.shape[1], side, side)
        pixels = flat.repeat_interleave(patch, -1).repeat_interleave(patch, -2)[:, :, None].expand_as(image)
        image[pixels] = torch.rand(int(pixels.sum()), generator=noise)
        return replace(batch, frames=replace(batch.frames, image=image))
    faces = batch.faces
    rows = hidden[torch.arange(hidden.shape[1]) < torch.bincount(faces.solid)[:, None]]

    def noisy(tensor, where):
        tensor = tensor.clone()
        tensor[where] = torch.randn(tensor[where].shape, generator=noise) * 3
        return tensor

    arcs = rows[faces.arc_index].any(0)
    surface = faces.surface.clone()
    surface[rows] = (surface[rows] + 1) % 5
    return replace(
        batch,
        faces=replace(
            faces,
            grid=noisy(faces.grid, rows),
            scalars=noisy(faces.scalars, rows),
            field=noisy(faces.field, rows),
            surface=surface,
            arc_grid=noisy(faces.arc_grid, arcs),
            arc_scalars=noisy(faces.arc_scalars, arcs),
        ),
    )


def test_no_peek_hidden_content_never_reaches_the_encoder(name):
    """MAE check 1: masked-content invariance, from the raw UV-grids and pixels up."""
    pretext, batch = small(name).eval(), batch_for(name)
    mask = pretext.mask(pretext.tokens(batch), generator(3))
    before = latent_of(pretext, batch, mask)
    after = latent_of(pretext, scramble_hidden(batch, mask.hidden), mask)
    assert torch.equal(before, after)


def test_no_peek_control_seen_content_does_reach_the_encoder(name):
    pretext, batch = small(name).eval(), batch_for(name)
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(3))
    seen = Mask(tokens.valid & ~mask.hidden)
    before = latent_of(pretext, batch, mask)
    assert not torch.allclose(before, latent_of(pretext, scramble_hidden(batch, seen.hidden), mask))


def test_padding_is_inert(name):
    """A solid's features do not depend on how many faces its neighbours in the batch have."""
    pretext = small(name).eval()
    backbone = pretext.backbone()
    alone = make_batch([6], frames=True)
    beside = make_batch([6, 30], frames=True)
    with torch.no_grad():
        a, b = backbone(alone), backbone(beside)
    if "faces" in pretext.reads:
        assert torch.allclose(a.face, b.face[:6], atol=1e-5)
        assert torch.allclose(a.solid, b.solid[:1], atol=1e-5)
    assert len(b.face) == 36


def test_reconstruction_has_a_row_per_hidden_content_row(name):
    pretext, batch = small(name).eval(), batch_for(name)
    out = pretext.reconstruct(batch, generator(0))
    for key, value in out.items():
        if key != "hidden":
            assert len(value) == int(out["hidden"].sum())
            assert torch.isfinite(value).all()


def test_an_unknown_method_and_a_wrong_key_are_named():
    with pytest.raises(SettingsError, match=r"unknown method nope; known: .*mae_faces"):
        build("nope", {}, FACTS)
    values = dict(settings.load().methods["mae_faces"]) | {"mask_ration": 0.5}
    with pytest.raises(SettingsError, match="unknown key mask_ration; did you mean mask_ratio"):
        build("mae_faces", values, FACTS)
