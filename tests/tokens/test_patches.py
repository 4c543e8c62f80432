"""Patches: what a network reads of an image."""

from dataclasses import replace

import torch

from brep_mae.tokens.patches import PatchTokens, standardised
from tests.synthetic import make_batch


def test_networks_read_colours_about_0_so_that_a_blank_image_says_little():
    assert standardised(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-2.0, 0.0, 2.0]
    tokens, batch = PatchTokens(16, 4, 8), make_batch([3], frames=True)
    assert batch.frames is not None
    grey = replace(batch, frames=replace(batch.frames, image=torch.full_like(batch.frames.image, 0.5)))
    out = tokens(grey).x - tokens.position
    assert torch.allclose(out, tokens.embed.proj.bias.expand_as(out), atol=1e-6)
    assert not torch.allclose(tokens(batch).x - tokens.position, tokens.embed.proj.bias.expand_as(out), atol=1e-2)
