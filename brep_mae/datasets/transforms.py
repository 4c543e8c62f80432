"""Random changes of images that keep what they show. Pure: the randomness is passed in. Of a batch that several
processes share it is drawn for all images, in order (see `ranks`)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae import ranks
from brep_mae.datasets.batch import Frames

GREY = (0.299, 0.587, 0.114)

# Hue turns the plane of I and Q in this space of luma and chroma (NTSC).
TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


def _uniform(shape: tuple[int, ...], low: float, high: float, rng: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=rng) * (high - low) + low


def random_resized_crop(images: Tensor, least: float, rng: torch.Generator, flip: bool) -> Tensor:
    """A random rectangle of every image, of `least` to all of its area and aspect 3/4 to 4/3, back at full size.

    `flip` True = every second image, on average, is mirrored. Where a drawn rectangle is longer than the image, its
    side is cut. Bilinear. Shapes: (N, C, H, W) -> the same
    """
    where = _rectangles(images, least, rng, flip)
    return F.grid_sample(images, where, padding_mode="border", align_corners=False)


def random_resized_frames(frames: Frames, least: float, rng: torch.Generator, flip: bool) -> Frames:
    """As `random_resized_crop`, every frame for itself; a pixel names the face that lies nearest where it looks."""
    where = _rectangles(frames.image.flatten(0, 1), least, rng, flip)
    image, face = frames.image.flatten(0, 1), frames.face.flatten(0, 1)[:, None].to(frames.image)
    image = F.grid_sample(image, where, padding_mode="border", align_corners=False)
    face = F.grid_sample(face, where, "nearest", padding_mode="border", align_corners=False)
    return Frames(image.view_as(frames.image), face[:, 0].to(frames.face).view_as(frames.face))


def _rectangles(images: Tensor, least: float, rng: torch.Generator, flip: bool) -> Tensor:
    """Where each pixel of a random crop looks. Shapes: (N, C, H, W) -> (N, H, W, 2) in [-1, 1]"""
    n = len(images) * ranks.parts()
    area = _uniform((n,), least, 1.0, rng)
    aspect = _uniform((n,), math.log(3 / 4), math.log(4 / 3), rng).exp()
    size = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], 1).clamp(max=1)  # width, height
    center = _uniform((n, 2), -1.0, 1.0, rng) * (1 - size)
    mirror = torch.where(torch.rand(n, generator=rng) < 0.5 * flip, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = size[:, 0] * mirror, size[:, 1], center
    return F.affine_grid(ranks.part(theta).to(images), list(images.shape), align_corners=False)


def jitter_colors(images: Tensor, strength: float, rng: torch.Generator) -> Tensor:
    """Changes brightness, contrast and saturation by up to `strength`, hue by up to a quarter of it (in turns), of four
    images in five; of one in five the colour goes. Shapes: (N, 3, H, W) in [0, 1] -> the same"""
    n, whole = len(images), len(images) * ranks.parts()
    by = _uniform((3, whole, 1, 1, 1), 1 - strength, 1 + strength, rng).to(images)[:, ranks.rows(n)]
    angle = ranks.part(_uniform((whole,), -strength / 4, strength / 4, rng)) * 2 * math.pi
    noise = (ranks.part(torch.rand(whole, 1, 1, 1, generator=rng)).to(images.device) for _ in range(2))
    chosen, grey = (drawn < share for drawn, share in zip(noise, (0.8, 0.2), strict=True))
    weight = images.new_tensor(GREY).view(1, 3, 1, 1)
    out = (images * by[0]).clamp(0, 1)
    mean = (out * weight).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    out = ((out - mean) * by[1] + mean).clamp(0, 1)
    luma = (out * weight).sum(1, keepdim=True)
    out = ((out - luma) * by[2] + luma).clamp(0, 1)
    to = torch.tensor(TO_YIQ)
    turn = torch.eye(3).repeat(n, 1, 1)
    turn[:, 1, 1], turn[:, 2, 2], turn[:, 1, 2], turn[:, 2, 1] = angle.cos(), angle.cos(), -angle.sin(), angle.sin()
    out = torch.einsum("nij,njhw->nihw", (to.inverse() @ turn @ to).to(images), out).clamp(0, 1)
    out = torch.where(chosen, out, images)
    return torch.where(grey, (out * weight).sum(1, keepdim=True).expand_as(out), out)
