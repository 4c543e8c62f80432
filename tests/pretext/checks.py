"""What the acceptance checks of several methods look at."""

import hashlib

import torch
from torch import nn

from brep_mae.composition.masked import MaskedPretext
from brep_mae.datasets.batch import Batch, Frames
from brep_mae.masking.mask import Mask
from brep_mae.seeds import generator


def digest(module: nn.Module) -> str:
    """Hash of all weights and buffers."""
    whole = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        whole.update(name.encode() + value.numpy().tobytes())
    return whole.hexdigest()


def asked(pretext: MaskedPretext, batch, seed: int = 0) -> tuple[torch.Tensor, Mask]:
    """Which codes get a gradient from the loss, (B, 1 + N) class token first, and the mask that was drawn."""
    kept: list = []
    decoder = pretext.decoder.register_forward_hook(lambda m, i, out: (out.retain_grad(), kept.append(out))[1])
    mask = pretext.mask.register_forward_hook(lambda m, i, out: kept.append(out))
    pretext(batch, generator(seed))["loss"].backward()
    decoder.remove()
    mask.remove()
    (codes,) = (k for k in kept if isinstance(k, torch.Tensor))
    return codes.grad.abs().sum(-1) > 0, next(k for k in kept if isinstance(k, Mask))


def steps(pretext: MaskedPretext, batch, n: int, lr: float = 3e-3) -> list[float]:
    """Losses of `n` training steps, each with the mask of its number."""
    optimizer = torch.optim.AdamW([p for p in pretext.parameters() if p.requires_grad], lr)
    losses = []
    for i in range(n):
        loss = pretext(batch, generator(1, i))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def blobs(n: int, seed: int) -> torch.Tensor:
    """Smooth pictures (n, 3, 16, 16): one coloured spot before a coloured slope, so that a part tells of the rest."""
    rng = generator(seed)
    t = torch.linspace(-1, 1, 16)
    y, x = torch.meshgrid(t, t, indexing="ij")
    center, color, slope = (torch.rand(n, k, generator=rng) for k in (2, 6, 2))
    spot = ((x - center[:, :1, None] * 2 + 1).square() + (y - center[:, 1:, None] * 2 + 1).square()).mul(-6).exp()
    ground = (x * slope[:, :1, None] + y * slope[:, 1:, None]) / 4 + 0.5
    return (color[:, :3, None, None] * ground[:, None] * (1 - spot[:, None])) + color[:, 3:, None, None] * spot[:, None]


def patterns(n: int, seed: int) -> torch.Tensor:
    """One of twelve smooth coloured patterns each, with a contrast of its own; mean 0, (n, 3, 16, 16)."""
    rng = generator(seed)
    coarse = torch.rand(12, 3, 4, 4, generator=generator(77))
    pattern = nn.functional.interpolate(coarse, size=(16, 16), mode="bicubic").clamp(0, 1)
    which, contrast = torch.randint(12, (n,), generator=rng), 0.7 + 0.3 * torch.rand(n, 1, 1, 1, generator=rng)
    return 4 * (pattern[which] - 0.5) * contrast


def of_images(images: torch.Tensor) -> Batch:
    face = torch.full((len(images), 1, 16, 16), -1)
    return Batch(tuple(map(str, range(len(images)))), None, Frames(images[:, None], face))
