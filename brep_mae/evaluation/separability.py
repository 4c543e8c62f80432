"""Can the latent of a blend be taken apart again by a linear map? i-MAE's first question, as a number.

The paper's formula (Zhang et al. 2022, arXiv:2210.11470) could not be verified; this is a definition of our own: ridge
regression from the frozen latent of a masked blend to what a frozen plain MAE says of each image behind the same mask,
fitted on some images and scored on others.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from brep_mae.datasets.batch import Batch, Frames
from brep_mae.masking.mask import Mask
from brep_mae.masking.random import RandomMask
from brep_mae.models.backbone import Backbone
from brep_mae.seeds import generator

PENALTIES = tuple(10.0**k for k in range(-2, 5))
"""Ridge penalties tried; the validation images choose."""

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of the subordinate image in a blend."""


@dataclass(frozen=True)
class Separability:
    """`mse` per standardised dimension of the target; `r2` = 1 - mse / mse of the mean; `r2_shuffled` the same after a
    fit to the targets of other images, near 0 where the score is sound."""

    share: float
    level: str
    role: str
    mse: float
    r2: float
    r2_shuffled: float


def separability(
    encoder: Backbone,
    teacher: Backbone,
    images: tuple[Tensor, Tensor, Tensor],
    share: float,
    mask_ratio: float,
    seed: int,
) -> list[Separability]:
    """Scores of both roles, of tokens and of their mean.

    Args:
        encoder: of images; what is examined.
        teacher: of images, with as many patches; a plain MAE.
        images: to fit, to choose the penalty, and to score; (N, 3, H, W) each, without common members. Image i is
            blended with image i + 1.
        share: of the subordinate image i, in (0, 0.5].
    """
    sides = [_latents(encoder, teacher, x, share, mask_ratio, generator(seed, i)) for i, x in enumerate(images)]
    rng = np.random.default_rng(seed)
    rows = []
    for level in ("token", "pooled"):
        for role in ("subordinate", "dominant"):
            data = [_level(side["blend"], side[role], level) for side in sides]
            mse, r2 = _score(data)
            (x, y), *rest = data
            _, shuffled = _score([(x, y[rng.permutation(len(y))]), *rest])
            rows.append(Separability(share, level, role, mse, r2, shuffled))
    return rows


def _level(x: Tensor, y: Tensor, level: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of (N, K, D) for the regression: every token, or the mean of an image's tokens."""
    pair = (t.mean(1) if level == "pooled" else t.flatten(0, 1) for t in (x, y))
    a, b = (t.numpy().astype(np.float64) for t in pair)
    return a, b


@torch.no_grad()
def _latents(
    encoder: Backbone, teacher: Backbone, images: Tensor, share: float, mask_ratio: float, rng: torch.Generator
) -> dict[str, Tensor]:
    """Seen tokens (N, K, D) of the blends by `encoder`, and of the images behind the same masks by `teacher`."""
    other = images.roll(-1, 0)
    tokens = encoder.tokens(_batch(images))
    mask: Mask = RandomMask(mask_ratio)(tokens, rng)

    def seen(network: Backbone, x: Tensor) -> Tensor:
        return network.encoder.eval()(network.tokens(_batch(x)), mask).x[:, 1:].cpu()

    blend = share * images + (1 - share) * other
    return {"blend": seen(encoder, blend), "subordinate": seen(teacher, images), "dominant": seen(teacher, other)}


def _batch(images: Tensor) -> Batch:
    face = torch.full((len(images), 1, *images.shape[-2:]), -1, device=images.device)
    return Batch(tuple(map(str, range(len(images)))), None, Frames(images[:, None], face))


def _score(data: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Mean squared error and R2 on the last pair, of a fit to the first with the penalty that suits the second."""
    (x, y), (x_choose, y_choose), (x_score, y_score) = data
    mean_x, std_x, mean_y, std_y = x.mean(0), x.std(0) + 1e-9, y.mean(0), y.std(0) + 1e-9
    x, x_choose, x_score = ((a - mean_x) / std_x for a in (x, x_choose, x_score))
    y, y_choose, y_score = ((a - mean_y) / std_y for a in (y, y_choose, y_score))
    fits = [Ridge(alpha=penalty).fit(x, y) for penalty in PENALTIES]
    best = min(fits, key=lambda fit: float(np.square(fit.predict(x_choose) - y_choose).mean()))
    mse = float(np.square(best.predict(x_score) - y_score).mean())
    return mse, 1 - mse / float(np.square(y_score).mean())
